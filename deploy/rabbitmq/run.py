"""Becomes a private RabbitMQ node: `python -m deploy.rabbitmq.run SERVER EPMD_PORT`.

The node needs epmd, Erlang's port mapper. Left alone, it would start one that outlives it, holds
its port and belongs to nobody. So epmd is started first, as a child that the kernel ends together
with the node.
"""

import ctypes
import os
import signal
import socket
import subprocess
import sys
import time

LOOPBACK = "127.0.0.1"
EPMD_TIMEOUT_SECONDS = 15.0
POLL_SECONDS = 0.05
PR_SET_PDEATHSIG = 1


def main(server: str, epmd_port: int) -> None:
    """Start epmd, wait until it answers, then replace this process by the node."""
    deadline = time.monotonic() + EPMD_TIMEOUT_SECONDS
    epmd = _start_epmd(epmd_port)
    # The epmd of a node that died a moment ago may still hold the port.
    while epmd.poll() is not None or not _answers(epmd_port):
        if time.monotonic() > deadline:
            sys.exit(f"epmd did not start on port {epmd_port}. Next: see what holds that port.")
        time.sleep(POLL_SECONDS)
        if epmd.poll() is not None:
            epmd = _start_epmd(epmd_port)
    os.execv(server, [server])  # noqa: S606 - no shell is wanted


def _start_epmd(port: int) -> "subprocess.Popen[bytes]":
    libc = ctypes.CDLL(None, use_errno=True)
    return subprocess.Popen(
        ["epmd", "-address", LOOPBACK, "-port", str(port)],
        stdout=subprocess.DEVNULL,
        preexec_fn=lambda: libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM),  # noqa: PLW1509 - no threads here
    )


def _answers(port: int) -> bool:
    try:
        socket.create_connection((LOOPBACK, port), timeout=1).close()
    except OSError:
        return False
    return True


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
