"""Where a request comes from."""

import ipaddress
from ipaddress import IPv4Address, IPv6Address

from starlette.requests import Request

from services.auth.records import Device

_MAX_USER_AGENT = 256


def device_of(request: Request) -> Device:
    """Return the client's address and user agent.

    The address is the one nginx puts into `X-Real-IP` in place of whatever the client sent;
    nothing but nginx can open this service's socket, so it is taken as it is.
    """
    user_agent = request.headers.get("user-agent", "")
    printable = "".join(character for character in user_agent if character.isprintable())
    address = address_from(request.headers.get("x-real-ip", ""))
    return Device(user_agent=printable[:_MAX_USER_AGENT] or None, address=address)


def address_from(text: str) -> IPv4Address | IPv6Address | None:
    """Return the address that nginx names; None where it names none, as for a Unix socket."""
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None
