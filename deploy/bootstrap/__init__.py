"""What runs before the virtual environment exists: standard library only, on a bare Python 3.11.

It installs what is missing, finds a place from which the stack may be run, and hands over to
`deploy.local`.
"""
