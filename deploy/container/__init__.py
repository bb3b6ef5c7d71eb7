"""What docker-compose.yml runs: `up` in one container, the servers that hold data in their own.

The configuration of every server comes from the same generators as on a bare machine.
"""
