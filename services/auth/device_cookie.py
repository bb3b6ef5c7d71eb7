"""The cookie by which an account's owner is known to be back on the same browser."""

import re
from dataclasses import replace
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from services.auth.cookies import HostCookie
from services.auth.devices import device_of
from services.auth.protections.store import DEVICES_KEPT_FOR
from services.auth.records import Device

_TOKEN: Final = re.compile(r"[A-Za-z0-9_-]{43}")


class DeviceCookie:
    """Reads and writes the cookie.

    It opens nothing and holds nothing about anybody: 256 random bits, the same for every account
    that is used in the browser.
    """

    def __init__(self, public_url: str) -> None:
        self._cookie = HostCookie("freehold_device", public_url)

    def device_of(self, request: Request) -> Device:
        """Return where a request comes from, and what the browser's cookie says."""
        token = self._cookie.read(request) or ""
        device = device_of(request)
        return replace(device, token=token) if _TOKEN.fullmatch(token) else device

    def write(self, response: Response, token: str) -> None:
        """Have the browser keep its token, from now on as long as browsers do."""
        self._cookie.write(response, token, max_age=int(DEVICES_KEPT_FOR.total_seconds()))
