"""The socket on which processes say that they are ready (the protocol of sd_notify)."""

import asyncio
import os
import socket
import struct
from collections.abc import Callable
from pathlib import Path

from deploy.local.supervisor.processes import read_stat
from deploy.local.supervisor.sockets import bind_datagram

_CREDENTIALS = struct.Struct("3i")
_LARGEST_MESSAGE = 4096

Listener = Callable[[dict[str, str]], None]


class NotifySocket:
    """Receives ``NAME=value`` lines and hands them to the listener of the sending process.

    The kernel vouches for the sender's pid. A message of a descendant counts for the process that
    was registered; messages of other users' and of unknown processes are dropped.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._listeners: dict[int, Listener] = {}
        self._socket: socket.socket | None = None

    def open(self) -> None:
        """Bind the socket and serve it on the running loop."""
        self._socket = bind_datagram(self.path)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        asyncio.get_running_loop().add_reader(self._socket, self._receive, self._socket)

    def close(self) -> None:
        """Stop serving and remove the socket's file."""
        if self._socket is not None:
            asyncio.get_running_loop().remove_reader(self._socket)
            self._socket.close()
            self._socket = None
            self.path.unlink(missing_ok=True)

    def register(self, pid: int, listener: Listener) -> None:
        """Hand messages of this process and its descendants to `listener`."""
        self._listeners[pid] = listener

    def forget(self, pid: int) -> None:
        """Drop the listener of a process that has ended."""
        self._listeners.pop(pid, None)

    def _receive(self, source: socket.socket) -> None:
        try:
            message, ancillary, _, _ = source.recvmsg(
                _LARGEST_MESSAGE, socket.CMSG_SPACE(_CREDENTIALS.size)
            )
        except (BlockingIOError, InterruptedError):
            return
        for level, kind, data in ancillary:
            if level == socket.SOL_SOCKET and kind == socket.SCM_CREDENTIALS:
                pid, user, _ = _CREDENTIALS.unpack(data[: _CREDENTIALS.size])
                listener = self._listener_of(pid)
                if user == os.getuid() and listener is not None:
                    listener(parse_message(message))

    def _listener_of(self, pid: int) -> Listener | None:
        while pid > 1:
            if pid in self._listeners:
                return self._listeners[pid]
            stat = read_stat(pid)
            pid = stat.parent if stat else 0
        return None


def parse_message(message: bytes) -> dict[str, str]:
    """Return the fields of a notification; lines without ``=`` are ignored."""
    lines = message.decode("utf-8", "replace").splitlines()
    return {name: value for name, mark, value in (line.partition("=") for line in lines) if mark}
