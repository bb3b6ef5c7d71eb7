"""The local supervisor: runs the parts of one stack in the shape of the systemd deployment.

This module imports nothing, so that the keeper stays as small as the interpreter allows.
"""
