"""Logging out on behalf of an application: `/oauth2/logout`."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode, urlsplit, urlunsplit
from uuid import UUID

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from services.auth.devices import device_of
from services.auth.origins import OriginPolicy
from services.auth.provider import store
from services.auth.provider.authorization import Authorization
from services.auth.provider.errors import OAuthError
from services.auth.provider.forms import FORM, read_form
from services.auth.provider.store import BrowserSession
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
            Route("/oauth2/logout", self.post, methods=["POST"]),
        ]

    async def log_out(self, request: Request) -> Response:
        """End the session, or send the browser to the page that asks."""
        query = {name: text for name, text in request.query_params.items() if text}
        claims = await self._tokens.hinted(query.get("id_token_hint", ""))
        session = await self._authorization.session(self._cookie.read(request))
        if claims is None or query.get("client_id", claims["azp"]) != claims["azp"]:
            return _asked(query)
        if session is not None and not await self._is_about(claims, session):
            return _asked(query)
        after = await self._after(query, claims["azp"])
        if after is None and "post_logout_redirect_uri" in query:
            return _asked(query)
        if session is not None:
            await self._end(request, session, client_id=claims["azp"])
        answer = _see_other(after or LOGGED_OUT_PAGE)
        answer.headers.append("Set-Cookie", self._cookie.clear_header())
        return answer

    async def post(self, request: Request) -> Response:
        """Take a form of an application, or the word of somebody on our page.

        What another site posts comes without the cookie (SameSite); the way that follows has it.
        """
        media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if media_type != FORM:
            return await self.confirm(request)
        try:
            form = await read_form(request)
        except OAuthError:
            return _see_other(LOGOUT_PAGE)
        return _see_other(f"/oauth2/logout?{urlencode(form)}")

    async def confirm(self, request: Request) -> Response:
        """End the session of somebody who said so on our page."""
        self._origins.require_allowed(request)
        session = await self._authorization.session(self._cookie.read(request))
        if session is not None:
            await self._end(request, session)
        answer = json_response(Destination(location=LOGGED_OUT_PAGE), headers=NO_STORE)
        answer.headers.append("Set-Cookie", self._cookie.clear_header())
        return answer

    async def _end(self, request: Request, session: BrowserSession, **details: Any) -> None:
        async with self._database.transaction() as transaction:
            await self._sessions.log_out(
                transaction,
                session.id,
                user_id=session.user_id,
                device=device_of(request),
                **details,
            )

    async def _is_about(self, claims: dict[str, Any], session: BrowserSession) -> bool:
        # The sid of an application stays what it was when a step-up replaces the session.
        sid = claims.get("sid")
        return sid is not None and (
            sid == str(session.id)
            or await store.is_participant(self._database, session.id, claims["azp"], UUID(sid))
        )

    async def _after(self, query: Mapping[str, str], client_id: str) -> str | None:
        """Return where the application wants its user next, or None if it has not said so.

        None as well for an address that it has not registered.
        """
        wanted = query.get("post_logout_redirect_uri")
        client = await store.find_client(self._database, client_id)
        if wanted is None or client is None or wanted not in client.post_logout_redirect_uris:
            return None
        state = query.get("state")
        if state is None:
            return wanted
        parts = urlsplit(wanted)
        longer = "&".join(text for text in (parts.query, urlencode({"state": state})) if text)
        return urlunsplit(parts._replace(query=longer))


def _asked(query: Mapping[str, str]) -> Response:
    return _see_other(f"{LOGOUT_PAGE}?{urlencode(query)}")


def _see_other(location: str) -> Response:
    return RedirectResponse(location, 303, headers=NO_STORE | {"Referrer-Policy": "no-referrer"})
