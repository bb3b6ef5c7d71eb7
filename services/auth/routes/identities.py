"""Who the caller is at other providers: `/v1/auth/me/identities`."""

from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from services.auth.access import require_own_session, require_recent
from services.auth.devices import device_of
from services.auth.federation import store
from services.auth.federation.attempts import AttemptCookie
from services.auth.federation.identities import Identities
from services.auth.federation.sign_ins import SignIns
from services.auth.origins import OriginPolicy
from services.auth.routes.answers import NO_STORE
from shared.chassis.database import Database
from shared.chassis.errors import Problem
from shared.chassis.http import json_response, read_json
from shared.chassis.identity.tokens import Authenticator
from shared.chassis.paging import page_query
from shared.schemas.api.auth import LinkedIdentity
from shared.schemas.api.connections import IdentityLink
from shared.schemas.api.pages import Page
from shared.schemas.api.provider import Destination
from shared.schemas.problems import ProblemCode


class IdentityRoutes:
    """Listing, linking and unlinking one's own identities."""

    def __init__(
        self,
        database: Database,
        sign_ins: SignIns,
        identities: Identities,
        *,
        origins: OriginPolicy,
        cookie: AttemptCookie,
        authenticator: Authenticator,
    ) -> None:
        self._database = database
        self._sign_ins = sign_ins
        self._identities = identities
        self._origins = origins
        self._cookie = cookie
        self._authenticator = authenticator

    def routes(self) -> list[Route]:
        """Return the routes of this resource."""
        return [
            Route("/v1/auth/me/identities", self.list, methods=["GET"]),
            Route("/v1/auth/me/identities", self.link, methods=["POST"]),
            Route("/v1/auth/me/identities/{identity_id}", self.unlink, methods=["DELETE"]),
        ]

    async def list(self, request: Request) -> Response:
        """List the caller's identities, newest first."""
        user_id = require_own_session(await self._authenticator.identify(request))
        query = page_query(request)
        rows, cursor = query.cut(
            await store.list_identities(
                self._database, user_id, before=query.before, limit=query.rows_to_read
            )
        )
        items = [LinkedIdentity.model_validate(row, from_attributes=True) for row in rows]
        return json_response(Page[LinkedIdentity](items=items, next=cursor), headers=NO_STORE)

    async def link(self, request: Request) -> Response:
        """Answer with where the browser goes to link an identity."""
        self._origins.require_allowed(request)
        identity = await self._authenticator.identify(request)
        require_recent(identity)
        body = await read_json(request, IdentityLink)
        return_to = self._origins.require_destination(body.return_to)
        browser = self._cookie.read_or_make(request)
        departure = await self._sign_ins.begin(
            body.connection,
            browser=browser,
            return_to=return_to,
            session_id=identity.session_id,
        )
        response = json_response(Destination(location=departure.location), headers=NO_STORE)
        self._cookie.write(response, browser, posted=departure.posted)
        return response

    async def unlink(self, request: Request) -> Response:
        """Remove one identity."""
        identity = await self._authenticator.identify(request)
        try:
            identity_id = UUID(request.path_params["identity_id"])
        except ValueError as error:
            raise Problem(ProblemCode.IDENTITY_NOT_FOUND) from error
        await self._identities.unlink(identity, identity_id, device_of(request))
        return Response(status_code=204)
