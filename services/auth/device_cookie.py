"""The cookie by which an account's owner is known to be back on the same browser."""

import re
from dataclasses import replace
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from services.auth.devices import device_of
from services.auth.protections.store import DEVICES_KEPT_FOR
from services.auth.records import Device

_TOKEN: Final = re.compile(r"[A-Za-z0-9_-]{43}")


class DeviceCookie:
    """Reads and writes the cookie; over https it is bound to this host (`__Host-`).

    It opens nothing and holds nothing about anybody: 256 random bits, the same for every account
    that is used in the browser.
    """

    def __init__(self, public_url: str) -> None:
        self._secure = public_url.startswith("https://")
        self.name = "__Host-freehold_device" if self._secure else "freehold_device"

    def device_of(self, request: Request) -> Device:
        """Return where a request comes from, and what the browser's cookie says."""
        token = request.cookies.get(self.name, "")
        device = device_of(request)
        return replace(device, token=token) if _TOKEN.fullmatch(token) else device

    def write(self, response: Response, token: str) -> None:
        """Have the browser keep its token, from now on as long as browsers do."""
        response.set_cookie(
            self.name,
            token,
            max_age=int(DEVICES_KEPT_FOR.total_seconds()),
            path="/",
            secure=self._secure,
            httponly=True,
            samesite="lax",
        )
