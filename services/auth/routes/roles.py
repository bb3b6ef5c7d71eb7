"""Roles and their permissions, for administrators: `/v1/auth/roles`."""

import re
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from services.auth.access import require_administrator, require_recent_administrator
from services.auth.devices import device_of
from services.auth.roles import store
from services.auth.roles.roles import Roles
from services.auth.routes.answers import NO_STORE
from shared.chassis.database import Database
from shared.chassis.errors import Problem
from shared.chassis.http import json_response, read_json
from shared.chassis.identity.tokens import Authenticator
from shared.chassis.paging import named_page_query
from shared.schemas.api.pages import Page
from shared.schemas.api.roles import Role, RolePut
from shared.schemas.problems import FieldError, ProblemCode

_ALL: Final = "/v1/auth/roles"
_ONE: Final = f"{_ALL}/{{name}}"
_NAME: Final = re.compile(r"[a-z][a-z0-9_-]{0,49}")


class RoleRoutes:
    """Listing, reading, making, changing and deleting roles."""

    def __init__(self, database: Database, roles: Roles, authenticator: Authenticator) -> None:
        self._database = database
        self._roles = roles
        self._authenticator = authenticator

    def routes(self) -> list[Route]:
        """Return the routes of this resource."""
        return [
            Route(_ALL, self.list, methods=["GET"]),
            Route(_ONE, self.read, methods=["GET"]),
            Route(_ONE, self.put, methods=["PUT"]),
            Route(_ONE, self.delete, methods=["DELETE"]),
        ]

    async def list(self, request: Request) -> Response:
        """List the roles by name."""
        require_administrator(await self._authenticator.identify(request))
        query = named_page_query(request)
        rows, cursor = query.cut(
            await store.list_roles(self._database, after=query.after, limit=query.rows_to_read)
        )
        items = [Role.model_validate(row, from_attributes=True) for row in rows]
        return json_response(Page[Role](items=items, next=cursor), headers=NO_STORE)

    async def read(self, request: Request) -> Response:
        """Answer with one role."""
        require_administrator(await self._authenticator.identify(request))
        row = await store.find_role(self._database, _known(request))
        if row is None:
            raise Problem(ProblemCode.ROLE_NOT_FOUND)
        return json_response(Role.model_validate(row, from_attributes=True), headers=NO_STORE)

    async def put(self, request: Request) -> Response:
        """Make a role, or replace what it allows, after a fresh proof of who asks."""
        by = require_recent_administrator(await self._authenticator.identify(request))
        name = request.path_params["name"]
        if _NAME.fullmatch(name) is None:
            message = "A role is named by 1 to 50 of a-z, 0-9, `_` and `-`, a letter first."
            raise Problem(
                ProblemCode.VALIDATION_FAILED, errors=[FieldError(field="name", message=message)]
            )
        body = await read_json(request, RolePut)
        row = await self._roles.put(name, body, by, device_of(request))
        return json_response(Role.model_validate(row, from_attributes=True), headers=NO_STORE)

    async def delete(self, request: Request) -> Response:
        """Remove a role that nobody has."""
        by = require_administrator(await self._authenticator.identify(request))
        await self._roles.delete(_known(request), by, device_of(request))
        return Response(status_code=204)


def _known(request: Request) -> str:
    name: str = request.path_params["name"]
    if _NAME.fullmatch(name) is None:
        raise Problem(ProblemCode.ROLE_NOT_FOUND)
    return name
