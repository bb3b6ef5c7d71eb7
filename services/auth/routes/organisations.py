"""Organisations and their members: `/v1/auth/organisations`."""

from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from services.auth.access import (
    require_administrator,
    require_own_session,
    require_recent,
    require_session,
)
from services.auth.creations import Creations
from services.auth.devices import device_of
from services.auth.organisations import store
from services.auth.organisations.members import Members
from services.auth.organisations.organisations import Organisations
from services.auth.organisations.records import MemberRow, OrganisationRow
from services.auth.routes.answers import NO_STORE
from shared.chassis.database import Database, Transaction
from shared.chassis.errors import Problem
from shared.chassis.http import json_response, read_json
from shared.chassis.identity.tokens import Authenticator, Identity
from shared.chassis.paging import optional_boolean, page_query
from shared.schemas.api.organisations import (
    Member,
    MemberUpdate,
    Organisation,
    OrganisationCreate,
    OrganisationUpdate,
)
from shared.schemas.api.pages import Page
from shared.schemas.problems import ProblemCode

_ALL = "/v1/auth/organisations"
_ONE = f"{_ALL}/{{organisation_id}}"
_MEMBERS = f"{_ONE}/members"


class OrganisationRoutes:
    """Organisations of the caller and who belongs to them, in a session only."""

    def __init__(
        self,
        database: Database,
        organisations: Organisations,
        members: Members,
        *,
        creations: Creations,
        authenticator: Authenticator,
    ) -> None:
        self._database = database
        self._organisations = organisations
        self._members = members
        self._creations = creations
        self._authenticator = authenticator

    def routes(self) -> list[Route]:
        """Return the routes of this resource."""
        return [
            Route(_ALL, self.create, methods=["POST"]),
            Route(_ALL, self.list, methods=["GET"]),
            Route(_ONE, self.read, methods=["GET"]),
            Route(_ONE, self.update, methods=["PATCH"]),
            Route(_ONE, self.delete, methods=["DELETE"]),
            Route(_MEMBERS, self.list_members, methods=["GET"]),
            Route(f"{_MEMBERS}/{{user_id}}", self.update_member, methods=["PATCH"]),
            Route(f"{_MEMBERS}/{{user_id}}", self.remove_member, methods=["DELETE"]),
        ]

    async def create(self, request: Request) -> Response:
        """Make an organisation that the caller owns."""
        identity = await self._authenticator.identify(request)
        user_id = require_own_session(identity)
        body = await read_json(request, OrganisationCreate)

        async def create(transaction: Transaction) -> Response:
            row = await self._organisations.create(transaction, user_id, body, device_of(request))
            return json_response(shown(row), 201, headers=NO_STORE)

        return await self._creations.make(request, identity, body, create)

    async def list(self, request: Request) -> Response:
        """List the caller's organisations, or for administrators all of them, newest first."""
        identity = await self._authenticator.identify(request)
        user_id = require_session(identity)
        query = page_query(request, "all")
        read = store.list_organisations_of
        if optional_boolean(request, "all"):
            require_administrator(identity)
            read = store.list_organisations
        rows, cursor = query.cut(
            await read(self._database, user_id, before=query.before, limit=query.rows_to_read)
        )
        items = [shown(row) for row in rows]
        return json_response(Page[Organisation](items=items, next=cursor), headers=NO_STORE)

    async def read(self, request: Request) -> Response:
        """Answer with an organisation of the caller's."""
        identity = await self._identify(request)
        row = await self._organisations.read(organisation_id(request), identity)
        return json_response(shown(row), headers=NO_STORE)

    async def update(self, request: Request) -> Response:
        """Change what the body names and leave the rest."""
        identity = await self._authenticator.identify(request)
        require_own_session(identity)
        body = await read_json(request, OrganisationUpdate)
        row = await self._organisations.change(
            organisation_id(request), body, identity, device_of(request)
        )
        return json_response(shown(row), headers=NO_STORE)

    async def delete(self, request: Request) -> Response:
        """Remove an organisation for good; it takes a fresh proof of who asks."""
        identity = await self._authenticator.identify(request)
        require_recent(identity)
        await self._organisations.delete(organisation_id(request), identity, device_of(request))
        return Response(status_code=204)

    async def list_members(self, request: Request) -> Response:
        """List who belongs to an organisation, newest first."""
        identity = await self._identify(request)
        query = page_query(request)
        members, with_addresses = await self._members.page(
            organisation_id(request), identity, before=query.before, limit=query.rows_to_read
        )
        rows, cursor = query.cut(members)
        items = [_member(row, with_address=with_addresses) for row in rows]
        return json_response(Page[Member](items=items, next=cursor), headers=NO_STORE)

    async def update_member(self, request: Request) -> Response:
        """Give a member another role; a higher one takes a fresh proof of who asks."""
        identity = await self._authenticator.identify(request)
        require_own_session(identity)
        body = await read_json(request, MemberUpdate)
        row = await self._members.change_role(
            organisation_id(request), _user_id(request), body.role, identity, device_of(request)
        )
        return json_response(_member(row, with_address=True), headers=NO_STORE)

    async def remove_member(self, request: Request) -> Response:
        """Remove a member, or leave by removing oneself."""
        identity = await self._authenticator.identify(request)
        require_own_session(identity)
        await self._members.remove(
            organisation_id(request), _user_id(request), identity, device_of(request)
        )
        return Response(status_code=204)

    async def _identify(self, request: Request) -> Identity:
        identity = await self._authenticator.identify(request)
        require_session(identity)
        return identity


def organisation_id(request: Request) -> UUID:
    """Return the id in the address. Raises a 404 problem for what is none."""
    try:
        return UUID(request.path_params["organisation_id"])
    except ValueError as error:
        raise Problem(ProblemCode.ORGANISATION_NOT_FOUND) from error


def shown(row: OrganisationRow) -> Organisation:
    """Return what the API shows of an organisation."""
    return Organisation(
        id=row.id, name=row.name, slug=row.slug, created_at=row.created_at, role=row.role
    )


def _user_id(request: Request) -> UUID:
    try:
        return UUID(request.path_params["user_id"])
    except ValueError as error:
        raise Problem(ProblemCode.MEMBER_NOT_FOUND) from error


def _member(row: MemberRow, *, with_address: bool) -> Member:
    return Member(
        user_id=row.user_id,
        name=row.name,
        email=row.email if with_address else None,
        role=row.role,
        joined_at=row.joined_at,
    )
