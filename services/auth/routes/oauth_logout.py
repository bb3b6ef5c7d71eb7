"""Logging out on behalf of an application: `/oauth2/logout`."""

from urllib.parse import urlencode, urlsplit, urlunsplit
from uuid import UUID

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from services.auth.origins import OriginPolicy
from services.auth.provider import store
from services.auth.provider.authorization import Authorization
from services.auth.provider.tokens import ProviderTokens
from services.auth.refresh_cookie import RefreshCookie
from services.auth.routes.answers import NO_STORE
from services.auth.sessions import Sessions
from shared.chassis.database import Database
from shared.chassis.http import json_response
from shared.schemas.api.provider import Destination

LOGGED_OUT_PAGE = "/oauth2/logged-out"
LOGOUT_PAGE = "/oauth2/sign-out"


class OAuthLogoutRoutes:
    """Ends the browser's session when an application proves that it was about that session.

    Without an ID token of ours, for this very session, a person is asked first: a page elsewhere
    could otherwise log anybody out.
    """

    def __init__(
        self,
        database: Database,
        authorization: Authorization,
        tokens: ProviderTokens,
        sessions: Sessions,
        *,
        cookie: RefreshCookie,
        origins: OriginPolicy,
    ) -> None:
        self._database = database
        self._authorization = authorization
        self._tokens = tokens
        self._sessions = sessions
        self._cookie = cookie
        self._origins = origins

    def routes(self) -> list[Route]:
        """Return the routes of this resource."""
        return [
            Route("/oauth2/logout", self.log_out, methods=["GET"]),
            Route("/oauth2/logout", self.confirm, methods=["POST"]),
        ]

    async def log_out(self, request: Request) -> Response:
        """End the session, or send the browser to the page that asks."""
        query = request.query_params
        claims = await self._tokens.hinted(query.get("id_token_hint", ""))
        session = await self._authorization.session(self._cookie.read(request))
        is_about_it = (
            claims is not None
            and query.get("client_id", claims["azp"]) == claims["azp"]
            and (session is None or claims.get("sid") == str(session.id))
        )
        if claims is None or not is_about_it:
            return _see_other(f"{LOGOUT_PAGE}?{urlencode(query)}")
        if session is not None:
            await self._end(session.id, session.user_id)
        answer = _see_other(await self._destination(request, claims["azp"]))
        answer.headers.append("Set-Cookie", self._cookie.clear_header())
        return answer

    async def confirm(self, request: Request) -> Response:
        """End the session of somebody who said so on our page."""
        self._origins.require_allowed(request)
        session = await self._authorization.session(self._cookie.read(request))
        if session is not None:
            await self._end(session.id, session.user_id)
        answer = json_response(Destination(location=LOGGED_OUT_PAGE), headers=NO_STORE)
        answer.headers.append("Set-Cookie", self._cookie.clear_header())
        return answer

    async def _end(self, session_id: UUID, user_id: UUID) -> None:
        async with self._database.transaction() as transaction:
            await self._sessions.end(transaction, session_id, user_id=user_id)

    async def _destination(self, request: Request, client_id: str) -> str:
        wanted = request.query_params.get("post_logout_redirect_uri")
        client = await store.find_client(self._database, client_id)
        if wanted is None or client is None or wanted not in client.post_logout_redirect_uris:
            return LOGGED_OUT_PAGE
        state = request.query_params.get("state")
        if state is None:
            return wanted
        parts = urlsplit(wanted)
        query = "&".join(text for text in (parts.query, urlencode({"state": state})) if text)
        return urlunsplit(parts._replace(query=query))


def _see_other(location: str) -> Response:
    return RedirectResponse(location, 303, headers=NO_STORE | {"Referrer-Policy": "no-referrer"})
