"""Forgotten and changed passwords: `/v1/auth/password/…`."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from services.auth.access import require_own_session
from services.auth.device_cookie import DeviceCookie
from services.auth.origins import OriginPolicy
from services.auth.password_resets import PasswordResets
from services.auth.protections.captcha import Captcha
from services.auth.routes.answers import NO_STORE
from shared.chassis.http import json_response, read_json
from shared.chassis.identity.tokens import Authenticator
from shared.schemas.api.passwords import (
    ForgottenPassword,
    PasswordChange,
    PasswordReset,
    ResetAccepted,
)


class PasswordRoutes:
    """Asking for a link, redeeming it, and changing a password that is known."""

    def __init__(
        self,
        resets: PasswordResets,
        authenticator: Authenticator,
        origins: OriginPolicy,
        *,
        device_cookie: DeviceCookie,
        captcha: Captcha,
    ) -> None:
        self._resets = resets
        self._authenticator = authenticator
        self._origins = origins
        self._device_cookie = device_cookie
        self._captcha = captcha

    def routes(self) -> list[Route]:
        """Return the routes of this resource."""
        return [
            Route("/v1/auth/password/forgot", self.forgot, methods=["POST"]),
            Route("/v1/auth/password/reset", self.reset, methods=["POST"]),
            Route("/v1/auth/password/change", self.change, methods=["POST"]),
        ]

    async def forgot(self, request: Request) -> Response:
        """Answer 202 for every address, known or not."""
        self._origins.require_allowed(request)
        body = await read_json(request, ForgottenPassword)
        device = self._device_cookie.device_of(request)
        await self._captcha.require(body.captcha_token, device, opens_without=True)
        await self._resets.request(body.email)
        return json_response(ResetAccepted(), 202, headers=NO_STORE)

    async def reset(self, request: Request) -> Response:
        """Redeem a mailed link, once; nobody is logged in by it."""
        self._origins.require_allowed(request)
        body = await read_json(request, PasswordReset)
        await self._resets.reset(body.token, body.password, self._device_cookie.device_of(request))
        return Response(status_code=204)

    async def change(self, request: Request) -> Response:
        """Replace the caller's password and end their other sessions."""
        identity = await self._authenticator.identify(request)
        user_id = require_own_session(identity)
        body = await read_json(request, PasswordChange)
        await self._resets.change(
            user_id,
            identity.session_id,
            body.current_password,
            body.password,
            self._device_cookie.device_of(request),
        )
        return Response(status_code=204)
