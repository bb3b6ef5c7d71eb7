"""Why a server could not be reached, in words for the operator who named it."""

import socket
import ssl
from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

_WHY: tuple[tuple[type[BaseException], str], ...] = (
    (socket.gaierror, "is unknown here: no host of that name is found"),
    (ssl.SSLCertVerificationError, "shows a certificate that is not trusted here"),
    (ssl.SSLError, "does not speak TLS as it is asked to"),
    (ConnectionRefusedError, "refuses connections"),
    (TimeoutError, "does not answer"),
    (ConnectionResetError, "closes the connection"),
    (ConnectionAbortedError, "closes the connection"),
    (BrokenPipeError, "closes the connection"),
    (FileNotFoundError, "is not there"),
)
"""The first that an error comes from counts: libraries wrap them in errors of their own."""


def why_unreachable(error: BaseException) -> str | None:
    """Return what the server does, as the end of a sentence; None if it was reached."""
    causes = list(_causes(error))
    for kind, said in _WHY:
        if any(isinstance(cause, kind) for cause in causes):
            return said
    first = next((cause for cause in causes if isinstance(cause, OSError)), None)
    return None if first is None else f"cannot be used: {first}"


def server_of(url: str, default_port: int) -> str:
    """Return host and port of an address, several if it names several, and nothing else of it."""
    parts = urlsplit(url)
    hosts = parts.netloc.rpartition("@")[2]
    if not hosts:
        # A server on this machine, by the folder of its socket.
        return parse_qs(parts.query).get("host", ["localhost"])[0]
    return ",".join(
        host if urlsplit(f"//{host}").port else f"{host.rstrip(':')}:{default_port}"
        for host in hosts.split(",")
    )


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and what it comes from; some libraries make rings of them."""
    seen: set[int] = set()
    cause: BaseException | None = error
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        yield cause
        cause = cause.__cause__ or cause.__context__
