"""The caller's own session: log in, refresh, log out."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from services.auth.access import require_session
from services.auth.devices import device_of
from services.auth.logins import Logins
from services.auth.origins import OriginPolicy
from services.auth.refresh_cookie import RefreshCookie
from services.auth.routes.answers import SessionAnswers
from services.auth.sessions import Sessions
from shared.chassis.database import Database
from shared.chassis.errors import Problem
from shared.chassis.http import read_json
from shared.chassis.identity.tokens import Authenticator
from shared.schemas.api.auth import LoginRequest, LogoutRequest, RefreshRequest
from shared.schemas.problems import ProblemCode

_UNAUTHORIZED = 401
_NO_PROOF = frozenset({ProblemCode.AUTHENTICATION_REQUIRED, ProblemCode.TOKEN_EXPIRED})
"""Why an access token counts for nothing, without being wrong."""


class SessionRoutes:
    """`/v1/auth/login`, `/v1/auth/refresh` and `/v1/auth/logout`."""

    def __init__(
        self,
        database: Database,
        *,
        logins: Logins,
        sessions: Sessions,
        origins: OriginPolicy,
        cookie: RefreshCookie,
        answers: SessionAnswers,
        authenticator: Authenticator,
    ) -> None:
        self._database = database
        self._logins = logins
        self._sessions = sessions
        self._origins = origins
        self._cookie = cookie
        self._answers = answers
        self._authenticator = authenticator

    def routes(self) -> list[Route]:
        """Return the routes of this resource."""
        return [
            Route("/v1/auth/login", self.log_in, methods=["POST"]),
            Route("/v1/auth/refresh", self.refresh, methods=["POST"]),
            Route("/v1/auth/logout", self.log_out, methods=["POST"]),
        ]

    async def log_in(self, request: Request) -> Response:
        """Open a session with a password."""
        self._origins.require_allowed(request)
        body = await read_json(request, LoginRequest)
        return self._answers.answer(
            await self._logins.log_in(body, self._answers.device_of(request))
        )

    async def refresh(self, request: Request) -> Response:
        """Renew a session; a token in the body outranks the cookie."""
        self._origins.require_allowed(request)
        body = await read_json(request, RefreshRequest) if _has_body(request) else RefreshRequest()
        if body.refresh_token is not None:
            return self._answers.answer(
                await self._sessions.refresh(body.refresh_token, device_of(request))
            )
        token = self._cookie.read(request)
        if not token:
            raise Problem(
                ProblemCode.REFRESH_TOKEN_INVALID,
                "There is neither a refresh cookie nor a `refresh_token`; log in again.",
            )
        try:
            grant = await self._sessions.refresh(token, device_of(request))
        except Problem as problem:
            if problem.kind.status == _UNAUTHORIZED:
                problem.headers["Set-Cookie"] = self._cookie.clear_header()
            raise
        return self._answers.answer(grant)

    async def log_out(self, request: Request) -> Response:
        """End the caller's session; doing it twice is no error.

        An access token names it. Who has none, or one that ran out, is known by a refresh token:
        in the body, or else in the cookie, which other sites must not be able to use.
        """
        try:
            identity = await self._authenticator.identify(request)
        except Problem as problem:
            if problem.code not in _NO_PROOF:
                raise
            token = await self._presented(request)
            if token is None:
                raise
            async with self._database.transaction() as transaction:
                await self._sessions.log_out_presented(transaction, token, device_of(request))
        else:
            user_id = require_session(identity)
            async with self._database.transaction() as transaction:
                await self._sessions.log_out(
                    transaction,
                    identity.session_id,
                    user_id=user_id,
                    actor_id=identity.impersonator_id,
                    device=device_of(request),
                )
        return Response(status_code=204, headers={"Set-Cookie": self._cookie.clear_header()})

    async def _presented(self, request: Request) -> str | None:
        has_body, cookie = _has_body(request), self._cookie.read(request)
        if not has_body and not cookie:
            return None
        self._origins.require_allowed(request)
        body = await read_json(request, LogoutRequest) if has_body else LogoutRequest()
        return body.refresh_token or cookie or None


def _has_body(request: Request) -> bool:
    headers = request.headers
    return headers.get("content-length", "0") != "0" or "transfer-encoding" in headers
