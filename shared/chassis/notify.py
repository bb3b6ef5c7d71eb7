"""Tells the supervisor, systemd or the local one, how far this process is."""

import contextlib
import socket


class Supervisor:
    """The sender's side of sd_notify; without an address it does nothing."""

    def __init__(self, address: str | None) -> None:
        self._address = address

    def ready(self) -> None:
        """Say that the process serves."""
        self._send(b"READY=1")

    def stopping(self) -> None:
        """Say that the process drains."""
        self._send(b"STOPPING=1")

    def _send(self, message: bytes) -> None:
        if self._address is None:
            return
        address = self._address
        if address.startswith("@"):
            address = "\0" + address[1:]
        # A supervisor that is gone learns it from our death or its successor.
        with (
            contextlib.suppress(OSError),
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel,
        ):
            channel.sendto(message, address)
