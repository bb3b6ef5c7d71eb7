"""What a URL must look like that requests are sent to."""

from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

import httpx2

from shared.chassis.outgoing.addresses import AddressGuard, literal_address

_DEFAULT_PORTS: Final = {"http": 80, "https": 443}
_LOWEST_FREE_PORT: Final = 1024
"""Below it lie the ports of system services: mail, names, remote log-in."""
_HIGHEST_PORT: Final = 65535


@dataclass(frozen=True, slots=True)
class Target:
    """Where a request is sent, taken from a URL."""

    scheme: str
    host: str
    """As it is asked of the resolver and of the certificate; without brackets."""
    port: int
    path: str
    """With the query, percent-encoded."""
    host_header: str

    @property
    def encrypted(self) -> bool:
        """Whether TLS is spoken."""
        return self.scheme == "https"


def parse_target(url: str) -> Target:
    """Take a URL apart. Raises ValueError that says what to write instead."""
    if not url.isprintable() or " " in url or "\\" in url:
        raise ValueError("A URL has no spaces, backslashes or control characters.")
    try:
        parsed = httpx2.URL(url)
        written = urlsplit(url)
        host, port = parsed.raw_host.decode("ascii"), parsed.port
    except (httpx2.InvalidURL, ValueError) as error:
        raise ValueError("This is no URL; write https://host/path.") from error
    if parsed.scheme not in _DEFAULT_PORTS or not host:
        raise ValueError("Write https://host/path.")
    if parsed.userinfo or "@" in written.netloc:
        raise ValueError("Leave user and password out of the URL.")
    if "#" in url:
        raise ValueError("Leave out the part from # on; it is never sent.")
    if host.endswith(".") or "%" in host:
        raise ValueError("Write the host as a plain name or address, without a dot at the end.")
    number = _DEFAULT_PORTS[parsed.scheme] if port is None else port
    if number not in _DEFAULT_PORTS.values() and not _LOWEST_FREE_PORT <= number <= _HIGHEST_PORT:
        raise ValueError("The port is 443, 80, or one from 1024 on.")
    return Target(
        scheme=parsed.scheme,
        host=host,
        port=number,
        path=parsed.raw_path.decode("ascii"),
        host_header=parsed.netloc.decode("ascii"),
    )


def check_url(url: str, guard: AddressGuard) -> None:
    """Refuse a URL that can never be reached. Raises ValueError that says why.

    What a name resolves to is checked at each attempt, because it may change after this.
    """
    target = parse_target(url)
    if not target.encrypted and not guard.allows_own_network:
        raise ValueError("Use https; nothing is sent unencrypted.")
    address = literal_address(target.host)
    if address is not None:
        refusal = guard.refusal(address, encrypted=target.encrypted)
        if refusal is not None:
            raise ValueError(
                f"Nothing is sent there: {refusal}. A receiver in the own network has to be "
                f"allowed by {guard.setting}."
            )
    elif not guard.allows_own_network and target.host.rpartition(".")[2] == "localhost":
        raise ValueError(
            f"Nothing is sent to this host itself; allow it by {guard.setting} if the receiver "
            "is there."
        )
