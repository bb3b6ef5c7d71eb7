"""Unix sockets that belong to this user alone."""

import os
import socket
from pathlib import Path

_PRIVATE_UMASK = 0o177
_BACKLOG = 1024


def bind_stream(path: Path) -> socket.socket:
    """Bind and listen on a unix stream socket of mode 0600; a stale file is replaced.

    The caller must hold the stack's lock, which proves that nobody else serves on the path.
    """
    bound = _bind(path, socket.SOCK_STREAM)
    bound.listen(_BACKLOG)
    return bound


def bind_datagram(path: Path) -> socket.socket:
    """Bind a unix datagram socket of mode 0600; a stale file is replaced."""
    return _bind(path, socket.SOCK_DGRAM)


def _bind(path: Path, kind: socket.SocketKind) -> socket.socket:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    path.unlink(missing_ok=True)
    bound = socket.socket(socket.AF_UNIX, kind)
    bound.settimeout(0)
    previous = os.umask(_PRIVATE_UMASK)
    try:
        bound.bind(str(path))
    except OSError:
        bound.close()
        raise
    finally:
        os.umask(previous)
    return bound
