"""What the addresses of servers, and the origins of web pages, must look like in settings.

No message repeats an address: it may hold a password, and not only where one belongs.
"""

import re
from collections.abc import Sequence
from typing import Final
from urllib.parse import SplitResult, parse_qs, urlsplit

_POSTGRES_EXAMPLE: Final = "postgresql://USER:PASSWORD@db.example.com:5432/DATABASE"
_AMQP_EXAMPLE: Final = "amqps://USER:PASSWORD@mq.example.com:5671/VHOST"
_ORIGINS_RULE: Final = (
    "origins are named one by one, by scheme, host and port alone and as browsers send them, "
    "like https://app.example.com"
)
_ORIGIN: Final = re.compile(
    r"(?P<scheme>[a-z][a-z0-9+.-]*)://([a-z0-9._-]+|\[[0-9a-f:.]+\])(:(?P<port>[0-9]{1,5}))?"
)
_LEFT_OUT: Final = {"http": 80, "https": 443}
_HIGHEST_PORT: Final = 65535


def split_server_url(url: str, schemes: Sequence[str], example: str) -> SplitResult:
    """Take an address apart whose scheme is one of the given and whose ports are numbers.

    Raises ValueError that says what is wrong and shows the example.
    """
    beginnings = " or ".join(f"{scheme}://" for scheme in schemes)
    try:
        parts = urlsplit(url)
    except ValueError:
        raise _wrong("cannot be read as an address", example) from None
    if parts.scheme not in schemes or not url.lower().startswith(f"{parts.scheme}://"):
        raise _wrong(f"must begin with {beginnings}", example)
    if parts.fragment:
        raise _wrong(
            "has a # in it; in user and password, characters such as # / ? @ are written as "
            "%23 %2F %3F %40",
            example,
        )
    if not all(_has_good_port(host) for host in parts.netloc.rpartition("@")[2].split(",")):
        raise _wrong(
            "has no number from 1 to 65535 as its port (in user and password, characters such as "
            "# / ? @ are written as %23 %2F %3F %40)",
            example,
        )
    return parts


def check_postgres_url(url: str) -> str:
    """Return the address of a database. Raises ValueError that says what is wrong."""
    parts = split_server_url(url, ("postgresql", "postgres"), _POSTGRES_EXAMPLE)
    if not parts.path.strip("/") and not parse_qs(parts.query).get("dbname"):
        raise _wrong("names no database", _POSTGRES_EXAMPLE)
    return url


def check_amqp_url(url: str) -> str:
    """Return the address of a broker. Raises ValueError that says what is wrong."""
    parts = split_server_url(url, ("amqp", "amqps"), _AMQP_EXAMPLE)
    if not parts.hostname or "," in parts.hostname:
        raise _wrong("names no host", _AMQP_EXAMPLE)
    return url


def check_origin(origin: str) -> str:
    """Return an origin as browsers send it. Raises ValueError for anything else."""
    match = _ORIGIN.fullmatch(origin)
    port = match and match["port"]
    if match is None or (port and not 0 < int(port) <= _HIGHEST_PORT):
        # Not what stands before an @: it may be a password.
        raise ValueError(f"{origin.rpartition('@')[2]} is no origin; {_ORIGINS_RULE}")
    if port and int(port) == _LEFT_OUT.get(match["scheme"]):
        raise ValueError(f"browsers leave out the port of {origin}; {_ORIGINS_RULE}")
    return origin


def _has_good_port(host: str) -> bool:
    try:
        return urlsplit(f"//{host}").port != 0
    except ValueError:
        return False


def _wrong(what: str, example: str) -> ValueError:
    return ValueError(f"{what}; write it like {example}")
