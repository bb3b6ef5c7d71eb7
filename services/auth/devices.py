"""Where a request comes from."""

import ipaddress

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
    try:
        address = ipaddress.ip_address(request.headers.get("x-real-ip", ""))
    except ValueError:
        address = None
    return Device(user_agent=printable[:_MAX_USER_AGENT] or None, address=address)
