"""A user's API keys: `/v1/auth/api-keys`."""

from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from services.auth import store
from services.auth.access import require_own_session, require_session
from services.auth.api_keys import ApiKeys
from services.auth.records import ApiKeyRow
from services.auth.routes.answers import NO_STORE
from shared.chassis.database import Database
from shared.chassis.errors import Problem
from shared.chassis.http import json_response, read_json
from shared.chassis.identity.tokens import Authenticator
from shared.chassis.paging import page_query
from shared.schemas.api.auth import ApiKey, ApiKeyCreate, CreatedApiKey
from shared.schemas.api.pages import Page
from shared.schemas.problems import ProblemCode


class ApiKeyRoutes:
    """Making, listing and deleting keys, one's own only, in a session only."""

    def __init__(self, database: Database, keys: ApiKeys, authenticator: Authenticator) -> None:
        self._database = database
        self._keys = keys
        self._authenticator = authenticator

    def routes(self) -> list[Route]:
        """Return the routes of this resource."""
        return [
            Route("/v1/auth/api-keys", self.create, methods=["POST"]),
            Route("/v1/auth/api-keys", self.list, methods=["GET"]),
            Route("/v1/auth/api-keys/{key_id}", self.delete, methods=["DELETE"]),
        ]

    async def create(self, request: Request) -> Response:
        """Make a key; its secret is in this answer and nowhere else."""
        identity = await self._authenticator.identify(request)
        user_id = require_own_session(identity)
        body = await read_json(request, ApiKeyCreate)
        row, secret = await self._keys.create(
            user_id, body, by_administrator=identity.is_administrator
        )
        created = CreatedApiKey(**_shown(row).model_dump(), key=secret)
        return json_response(created, 201, headers=NO_STORE)

    async def list(self, request: Request) -> Response:
        """List the keys without their secrets, newest first."""
        user_id = require_session(await self._authenticator.identify(request))
        query = page_query(request)
        rows, cursor = query.cut(
            await store.list_api_keys(
                self._database, user_id, before=query.before, limit=query.rows_to_read
            )
        )
        items = [_shown(row) for row in rows]
        return json_response(Page[ApiKey](items=items, next=cursor), headers=NO_STORE)

    async def delete(self, request: Request) -> Response:
        """End a key; tokens minted for it stop working within a second."""
        user_id = require_session(await self._authenticator.identify(request))
        try:
            key_id = UUID(request.path_params["key_id"])
        except ValueError as error:
            raise Problem(ProblemCode.API_KEY_NOT_FOUND) from error
        await self._keys.delete(user_id, key_id)
        return Response(status_code=204)


def _shown(row: ApiKeyRow) -> ApiKey:
    return ApiKey(
        id=row.id,
        name=row.name,
        scopes=list(row.scopes),
        created_at=row.created_at,
        expires_at=row.expires_at,
        last_used_at=row.last_used_at,
    )
