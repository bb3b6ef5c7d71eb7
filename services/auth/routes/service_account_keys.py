"""API keys of programs, for administrators: `/v1/auth/service-accounts/{account_id}/api-keys`."""

from typing import Final
from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from services.auth.access import (
    require_administrator,
    require_grantable,
    require_recent_administrator,
)
from services.auth.api_keys import store
from services.auth.api_keys.api_keys import ApiKeys, KeyOwner
from services.auth.creations import Creations
from services.auth.devices import device_of
from services.auth.routes.answers import NO_STORE
from services.auth.routes.api_keys import created, key_id, shown
from services.auth.routes.service_accounts import ONE, account_id
from services.auth.service_accounts.service_accounts import ServiceAccounts
from shared.chassis.database import Database, Transaction
from shared.chassis.http import json_response, read_json
from shared.chassis.identity.tokens import Authenticator
from shared.chassis.paging import page_query
from shared.schemas.api.auth import ApiKey, ApiKeyCreate, ApiKeyUpdate
from shared.schemas.api.pages import Page

_KEYS: Final = f"{ONE}/api-keys"
_KEY: Final = f"{_KEYS}/{{key_id}}"


class ServiceAccountKeyRoutes:
    """Making, listing, renaming and deleting keys of service accounts."""

    def __init__(
        self,
        database: Database,
        accounts: ServiceAccounts,
        keys: ApiKeys,
        *,
        creations: Creations,
        authenticator: Authenticator,
    ) -> None:
        self._database = database
        self._accounts = accounts
        self._keys = keys
        self._creations = creations
        self._authenticator = authenticator

    def routes(self) -> list[Route]:
        """Return the routes of this resource."""
        return [
            Route(_KEYS, self.create, methods=["POST"]),
            Route(_KEYS, self.list, methods=["GET"]),
            Route(_KEY, self.update, methods=["PATCH"]),
            Route(_KEY, self.delete, methods=["DELETE"]),
        ]

    async def create(self, request: Request) -> Response:
        """Make a key after a fresh proof; its secret is in this answer and nowhere else."""
        identity = await self._authenticator.identify(request)
        owner = await self._owner(request, by=require_recent_administrator(identity))
        body = await read_json(request, ApiKeyCreate)
        require_grantable(identity, body.scopes)

        async def create(transaction: Transaction) -> Response:
            row, secret = await self._keys.create(transaction, owner, body)
            return json_response(created(row, secret), 201, headers=NO_STORE)

        return await self._creations.make(request, identity, body, create)

    async def list(self, request: Request) -> Response:
        """List the keys of a service account without their secrets, newest first."""
        owner = await self._owner(request, by=await self._administrator(request))
        query = page_query(request)
        rows, cursor = query.cut(
            await store.list_api_keys(
                self._database, owner.id, before=query.before, limit=query.rows_to_read
            )
        )
        items = [shown(row) for row in rows]
        return json_response(Page[ApiKey](items=items, next=cursor), headers=NO_STORE)

    async def update(self, request: Request) -> Response:
        """Give a key another name."""
        owner = await self._owner(request, by=await self._administrator(request))
        body = await read_json(request, ApiKeyUpdate)
        row = await self._keys.rename(owner, key_id(request), body.name)
        return json_response(shown(row), headers=NO_STORE)

    async def delete(self, request: Request) -> Response:
        """End a key; tokens minted for it stop working within a second."""
        owner = await self._owner(request, by=await self._administrator(request))
        await self._keys.delete(owner, key_id(request))
        return Response(status_code=204)

    async def _administrator(self, request: Request) -> UUID:
        return require_administrator(await self._authenticator.identify(request))

    async def _owner(self, request: Request, *, by: UUID) -> KeyOwner:
        account = await self._accounts.read(account_id(request))
        return KeyOwner(service_account_id=account.id, by=by, device=device_of(request))
