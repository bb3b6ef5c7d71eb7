"""Logging in by mail: `/v1/auth/magic-link`."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from services.auth.magic_links.magic_links import MagicLinks
from services.auth.origins import OriginPolicy
from services.auth.protections.captcha import Captcha
from services.auth.routes.answers import NO_STORE, SessionAnswers
from shared.chassis.http import json_response, read_json
from shared.schemas.api.factors import (
    MagicLinkAccepted,
    MagicLinkRequest,
    MagicLinkVerifyRequest,
)


class MagicLinkRoutes:
    """Asking for a link or code, and redeeming it."""

    def __init__(
        self,
        magic_links: MagicLinks,
        origins: OriginPolicy,
        answers: SessionAnswers,
        captcha: Captcha,
    ) -> None:
        self._magic_links = magic_links
        self._origins = origins
        self._answers = answers
        self._captcha = captcha

    def routes(self) -> list[Route]:
        """Return the routes of this resource."""
        return [
            Route("/v1/auth/magic-link", self.request, methods=["POST"]),
            Route("/v1/auth/magic-link/verify", self.verify, methods=["POST"]),
        ]

    async def request(self, request: Request) -> Response:
        """Answer 202 for every address, known or not."""
        self._origins.require_allowed(request)
        body = await read_json(request, MagicLinkRequest)
        device = self._answers.device_of(request)
        await self._captcha.require(body.captcha_token, device, opens_without=True)
        request_id = await self._magic_links.request(body.email, device)
        return json_response(MagicLinkAccepted(request_id=request_id), 202, headers=NO_STORE)

    async def verify(self, request: Request) -> Response:
        """Redeem a link, or the code of the request, once."""
        self._origins.require_allowed(request)
        body = await read_json(request, MagicLinkVerifyRequest)
        device = self._answers.device_of(request)
        if body.token is not None:
            entered = await self._magic_links.redeem_link(
                body.token, token_delivery=body.token_delivery, device=device
            )
        else:
            entered = await self._magic_links.redeem_code(
                body.request_id or "",
                body.code or "",
                token_delivery=body.token_delivery,
                device=device,
            )
        return self._answers.answer(entered)
