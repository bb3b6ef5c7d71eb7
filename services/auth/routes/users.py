"""Other people's accounts, for administrators: `/v1/auth/users` and `/v1/auth/audit`."""

from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from services.auth import store as accounts
from services.auth.access import (
    require_administrator,
    require_recent,
    require_recent_administrator,
)
from services.auth.accounts.deletions import Deletions
from services.auth.administration import store
from services.auth.administration.users import Users
from services.auth.devices import device_of
from services.auth.records import Account
from services.auth.routes.answers import NO_STORE
from services.auth.routes.answers import session_info as shown_session
from services.auth.routes.answers import user as shown
from shared.chassis.database import Database
from shared.chassis.errors import Problem
from shared.chassis.http import json_response, read_json
from shared.chassis.identity.tokens import Authenticator
from shared.chassis.paging import optional_boolean, page_query, require_known_query
from shared.schemas.api.auth import SessionInfo
from shared.schemas.api.pages import Page
from shared.schemas.api.users import (
    AuditEntry,
    DisableUser,
    ManagedUser,
    ManagedUserDetail,
    ManagedUserUpdate,
)
from shared.schemas.problems import FieldError, ProblemCode

_ONE = "/v1/auth/users/{user_id}"


class UserRoutes:
    """Listing, reading, changing, shutting and deleting accounts, and reading the audit log."""

    def __init__(
        self,
        database: Database,
        users: Users,
        deletions: Deletions,
        authenticator: Authenticator,
    ) -> None:
        self._database = database
        self._users = users
        self._deletions = deletions
        self._authenticator = authenticator

    def routes(self) -> list[Route]:
        """Return the routes of this resource."""
        return [
            Route("/v1/auth/users", self.list, methods=["GET"]),
            Route(_ONE, self.read, methods=["GET"]),
            Route(_ONE, self.update, methods=["PATCH"]),
            Route(_ONE, self.delete, methods=["DELETE"]),
            Route(f"{_ONE}/disable", self.disable, methods=["POST"]),
            Route(f"{_ONE}/enable", self.enable, methods=["POST"]),
            Route(f"{_ONE}/sessions", self.list_sessions, methods=["GET"]),
            Route(f"{_ONE}/sessions", self.end_sessions, methods=["DELETE"]),
            Route(f"{_ONE}/sessions/{{session_id}}", self.end_sessions, methods=["DELETE"]),
            Route("/v1/auth/audit", self.audit, methods=["GET"]),
        ]

    async def list(self, request: Request) -> Response:
        """List accounts, newest first, by what their address or name begins with."""
        await self._administrator(request)
        page, query = page_query(request, "query", "role", "disabled"), request.query_params
        chosen = store.UserFilter(
            query=query.get("query") or None,
            role=query.get("role") or None,
            disabled=optional_boolean(request, "disabled"),
        )
        rows, cursor = page.cut(
            await store.list_users(
                self._database, chosen, before=page.before, limit=page.rows_to_read
            )
        )
        items = [_managed(row) for row in rows]
        return json_response(Page[ManagedUser](items=items, next=cursor), headers=NO_STORE)

    async def read(self, request: Request) -> Response:
        """Answer with one account and what hangs on it."""
        await self._administrator(request)
        return await self._answer(_user_id(request))

    async def update(self, request: Request) -> Response:
        """Change what the body names and leave the rest; roles take a fresh proof of who asks."""
        identity = await self._authenticator.identify(request)
        by, user_id = require_administrator(identity), _user_id(request)
        body = await read_json(request, ManagedUserUpdate)
        if body.roles is not None:
            require_recent(identity)
        await self._users.change(user_id, body, by, device_of(request))
        return await self._answer(user_id)

    async def disable(self, request: Request) -> Response:
        """Shut an account and end its sessions; doing it twice is no error."""
        by, user_id = await self._administrator(request), _user_id(request)
        body = await read_json(request, DisableUser)
        await self._users.disable(user_id, body.reason, by, device_of(request))
        return await self._answer(user_id)

    async def enable(self, request: Request) -> Response:
        """Open an account again; doing it twice is no error."""
        by, user_id = await self._administrator(request), _user_id(request)
        await self._users.enable(user_id, by, device_of(request))
        return await self._answer(user_id)

    async def delete(self, request: Request) -> Response:
        """Remove an account for good; it takes a fresh proof of who asks."""
        identity = await self._authenticator.identify(request)
        by, user_id = require_recent_administrator(identity), _user_id(request)
        await self._deletions.delete(user_id, by, device_of(request))
        return Response(status_code=204)

    async def list_sessions(self, request: Request) -> Response:
        """List a user's open sessions, newest first."""
        await self._administrator(request)
        page = page_query(request)
        rows, cursor = page.cut(
            await accounts.list_sessions(
                self._database, _user_id(request), before=page.before, limit=page.rows_to_read
            )
        )
        items = [shown_session(row, current=False) for row in rows]
        return json_response(Page[SessionInfo](items=items, next=cursor), headers=NO_STORE)

    async def end_sessions(self, request: Request) -> Response:
        """End one session of a user, or all of them."""
        by, user_id = await self._administrator(request), _user_id(request)
        named = request.path_params.get("session_id")
        require_known_query(request)
        session_id = None if named is None else _id(named, ProblemCode.SESSION_NOT_FOUND)
        await self._users.end_sessions(user_id, session_id, by, device_of(request))
        return Response(status_code=204)

    async def audit(self, request: Request) -> Response:
        """List acts, newest first, by user, actor or action."""
        await self._administrator(request)
        page = page_query(request, "user_id", "actor_id", "action")
        query = request.query_params
        rows, cursor = page.cut(
            await store.list_audit_entries(
                self._database,
                before=page.before,
                limit=page.rows_to_read,
                user_id=_optional_id(query.get("user_id"), "user_id"),
                actor_id=_optional_id(query.get("actor_id"), "actor_id"),
                action=query.get("action") or None,
            )
        )
        items = [AuditEntry.model_validate(row, from_attributes=True) for row in rows]
        return json_response(Page[AuditEntry](items=items, next=cursor), headers=NO_STORE)

    async def _administrator(self, request: Request) -> UUID:
        return require_administrator(await self._authenticator.identify(request))

    async def _answer(self, user_id: UUID) -> Response:
        account = await accounts.find_user(self._database, user_id)
        summary = await store.summarise(self._database, user_id)
        if account is None or summary is None:
            raise Problem(ProblemCode.USER_NOT_FOUND)
        detail = ManagedUserDetail(
            **_managed(account).model_dump(),
            disabled_reason=summary.disabled_reason,
            has_password=summary.has_password,
            sessions=summary.sessions,
            api_keys=summary.api_keys,
        )
        return json_response(detail, headers=NO_STORE)


def _managed(account: Account) -> ManagedUser:
    return ManagedUser(**shown(account).model_dump(), disabled_at=account.disabled_at)


def _user_id(request: Request) -> UUID:
    return _id(request.path_params["user_id"], ProblemCode.USER_NOT_FOUND)


def _id(text: str, missing: ProblemCode) -> UUID:
    try:
        return UUID(text)
    except ValueError as error:
        raise Problem(missing) from error


def _optional_id(text: str | None, field: str) -> UUID | None:
    if not text:
        return None
    try:
        return UUID(text)
    except ValueError as error:
        raise _wrong(field, "This is no id.") from error


def _wrong(field: str, message: str) -> Problem:
    return Problem(ProblemCode.VALIDATION_FAILED, errors=[FieldError(field=field, message=message)])
