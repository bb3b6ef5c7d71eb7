"""A user's sessions: `/v1/auth/sessions`."""

from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from services.auth import store
from services.auth.access import lock_own_account, require_recent, require_session
from services.auth.audit.log import Action, record
from services.auth.devices import device_of
from services.auth.routes.answers import NO_STORE, session_info
from services.auth.sessions import Sessions
from shared.chassis.database import Database
from shared.chassis.errors import Problem
from shared.chassis.http import json_response
from shared.chassis.identity.tokens import Authenticator
from shared.chassis.paging import page_query, require_known_query
from shared.schemas.api.auth import SessionInfo
from shared.schemas.api.pages import Page
from shared.schemas.problems import ProblemCode


class SessionsRoutes:
    """Listing and ending sessions, one's own only."""

    def __init__(
        self, database: Database, sessions: Sessions, authenticator: Authenticator
    ) -> None:
        self._database = database
        self._sessions = sessions
        self._authenticator = authenticator

    def routes(self) -> list[Route]:
        """Return the routes of this resource."""
        return [
            Route("/v1/auth/sessions", self.list, methods=["GET"]),
            Route("/v1/auth/sessions", self.end_others, methods=["DELETE"]),
            Route("/v1/auth/sessions/{session_id}", self.end, methods=["DELETE"]),
        ]

    async def list(self, request: Request) -> Response:
        """List the live sessions, newest first."""
        identity = await self._authenticator.identify(request)
        user_id = require_session(identity)
        query = page_query(request)
        rows, cursor = query.cut(
            await store.list_sessions(
                self._database, user_id, before=query.before, limit=query.rows_to_read
            )
        )
        items = [session_info(row, current=row.id == identity.session_id) for row in rows]
        return json_response(Page[SessionInfo](items=items, next=cursor), headers=NO_STORE)

    async def end(self, request: Request) -> Response:
        """End one session: the caller's own at any time, another after a recent proof."""
        identity = await self._authenticator.identify(request)
        try:
            session_id = UUID(request.path_params["session_id"])
        except ValueError as error:
            raise Problem(ProblemCode.SESSION_NOT_FOUND) from error
        is_own = session_id == identity.session_id
        user_id = require_session(identity) if is_own else require_recent(identity)
        async with self._database.transaction() as transaction:
            if not await self._sessions.end(transaction, session_id, user_id=user_id):
                raise Problem(ProblemCode.SESSION_NOT_FOUND)
            await record(
                transaction,
                Action.SESSION_ENDED,
                user_id=user_id,
                actor_id=identity.impersonator_id,
                session_id=session_id,
                device=device_of(request),
            )
        return Response(status_code=204)

    async def end_others(self, request: Request) -> Response:
        """End all sessions but the caller's, who has to have proved lately who they are."""
        identity = await self._authenticator.identify(request)
        user_id = require_recent(identity)
        require_known_query(request)
        async with self._database.transaction() as transaction:
            await lock_own_account(transaction, user_id)
            await self._sessions.end_others(transaction, user_id=user_id, keep=identity.session_id)
            await record(
                transaction, Action.SESSIONS_ENDED, user_id=user_id, device=device_of(request)
            )
        return Response(status_code=204)
