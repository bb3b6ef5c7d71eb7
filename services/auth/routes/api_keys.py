"""A user's API keys: `/v1/auth/api-keys`."""

from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from services.auth.access import (
    require_grantable,
    require_own_session,
    require_recent,
    require_session,
)
from services.auth.api_keys import store
from services.auth.api_keys.api_keys import ApiKeys, KeyOwner
from services.auth.creations import Creations
from services.auth.devices import device_of
from services.auth.records import ApiKeyRow
from services.auth.routes.answers import NO_STORE
from shared.chassis.database import Database, Transaction
from shared.chassis.errors import Problem
from shared.chassis.http import json_response, read_json
from shared.chassis.identity.tokens import Authenticator
from shared.chassis.paging import page_query
from shared.schemas.api.auth import ApiKey, ApiKeyCreate, ApiKeyUpdate, CreatedApiKey
from shared.schemas.api.pages import Page
from shared.schemas.problems import ProblemCode


class ApiKeyRoutes:
    """Making, listing and deleting keys, one's own only, in a session only."""

    def __init__(
        self,
        database: Database,
        keys: ApiKeys,
        creations: Creations,
        authenticator: Authenticator,
    ) -> None:
        self._database = database
        self._keys = keys
        self._creations = creations
        self._authenticator = authenticator

    def routes(self) -> list[Route]:
        """Return the routes of this resource."""
        return [
            Route("/v1/auth/api-keys", self.create, methods=["POST"]),
            Route("/v1/auth/api-keys", self.list, methods=["GET"]),
            Route("/v1/auth/api-keys/{key_id}", self.update, methods=["PATCH"]),
            Route("/v1/auth/api-keys/{key_id}", self.delete, methods=["DELETE"]),
        ]

    async def create(self, request: Request) -> Response:
        """Make a key after a fresh proof; its secret is in this answer and nowhere else."""
        identity = await self._authenticator.identify(request)
        user_id = require_recent(identity)
        body = await read_json(request, ApiKeyCreate)
        require_grantable(identity, body.scopes)
        owner = KeyOwner(user_id=user_id, by=user_id, device=device_of(request))

        async def create(transaction: Transaction) -> Response:
            row, secret = await self._keys.create(transaction, owner, body)
            return json_response(created(row, secret), 201, headers=NO_STORE)

        return await self._creations.make(request, identity, body, create)

    async def list(self, request: Request) -> Response:
        """List the keys without their secrets, newest first."""
        user_id = require_session(await self._authenticator.identify(request))
        query = page_query(request)
        rows, cursor = query.cut(
            await store.list_api_keys(
                self._database, user_id, before=query.before, limit=query.rows_to_read
            )
        )
        items = [shown(row) for row in rows]
        return json_response(Page[ApiKey](items=items, next=cursor), headers=NO_STORE)

    async def update(self, request: Request) -> Response:
        """Give a key another name."""
        user_id = require_own_session(await self._authenticator.identify(request))
        body = await read_json(request, ApiKeyUpdate)
        owner = KeyOwner(user_id=user_id, by=user_id, device=device_of(request))
        row = await self._keys.rename(owner, key_id(request), body.name)
        return json_response(shown(row), headers=NO_STORE)

    async def delete(self, request: Request) -> Response:
        """End a key; tokens minted for it stop working within a second."""
        identity = await self._authenticator.identify(request)
        user_id = require_session(identity)
        owner = KeyOwner(
            user_id=user_id, by=identity.impersonator_id or user_id, device=device_of(request)
        )
        await self._keys.delete(owner, key_id(request))
        return Response(status_code=204)


def key_id(request: Request) -> UUID:
    """Return the id in the address. Raises a 404 problem for what is none."""
    try:
        return UUID(request.path_params["key_id"])
    except ValueError as error:
        raise Problem(ProblemCode.API_KEY_NOT_FOUND) from error


def created(row: ApiKeyRow, secret: str) -> CreatedApiKey:
    """Return what the API shows of a new key, once."""
    return CreatedApiKey(**shown(row).model_dump(), key=secret)


def shown(row: ApiKeyRow) -> ApiKey:
    """Return what the API shows of a key."""
    return ApiKey.model_validate(row, from_attributes=True)
