"""Signing up: `POST /v1/auth/signup` and `POST /v1/auth/verify`."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from services.auth.origins import OriginPolicy
from services.auth.protections.captcha import Captcha
from services.auth.routes.answers import NO_STORE, SessionAnswers
from services.auth.signups import Signups
from shared.chassis.http import json_response, read_json
from shared.schemas.api.auth import SignupAccepted, SignupRequest, VerifyRequest


class SignupRoutes:
    """Asking for an account and confirming its address."""

    def __init__(
        self, signups: Signups, origins: OriginPolicy, answers: SessionAnswers, captcha: Captcha
    ) -> None:
        self._signups = signups
        self._origins = origins
        self._answers = answers
        self._captcha = captcha

    def routes(self) -> list[Route]:
        """Return the routes of this resource."""
        return [
            Route("/v1/auth/signup", self.sign_up, methods=["POST"]),
            Route("/v1/auth/verify", self.verify, methods=["POST"]),
        ]

    async def sign_up(self, request: Request) -> Response:
        """Answer 202 for every address, known or not."""
        self._origins.require_allowed(request)
        body = await read_json(request, SignupRequest)
        device = self._answers.device_of(request)
        await self._captcha.require(body.captcha_token, device, opens_without=False)
        await self._signups.request(body, device)
        return json_response(SignupAccepted(), 202, headers=NO_STORE)

    async def verify(self, request: Request) -> Response:
        """Redeem a mailed link, once, and answer with a session."""
        self._origins.require_allowed(request)
        body = await read_json(request, VerifyRequest)
        grant = await self._signups.verify(
            body.token, token_delivery=body.token_delivery, device=self._answers.device_of(request)
        )
        return self._answers.answer(grant)
