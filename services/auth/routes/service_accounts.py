"""Accounts of programs, for administrators: `/v1/auth/service-accounts`."""

from typing import Final
from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from services.auth.access import require_administrator, require_recent_administrator
from services.auth.creations import Creations
from services.auth.devices import device_of
from services.auth.routes.answers import NO_STORE
from services.auth.service_accounts import store
from services.auth.service_accounts.service_accounts import ServiceAccounts
from services.auth.service_accounts.store import ServiceAccountRow
from shared.chassis.database import Database, Transaction
from shared.chassis.errors import Problem
from shared.chassis.http import json_response, read_json
from shared.chassis.identity.tokens import Authenticator
from shared.chassis.paging import page_query
from shared.schemas.api.pages import Page
from shared.schemas.api.service_accounts import ServiceAccount, ServiceAccountCreate
from shared.schemas.problems import ProblemCode

ALL: Final = "/v1/auth/service-accounts"
ONE: Final = f"{ALL}/{{account_id}}"


class ServiceAccountRoutes:
    """Making, listing, disabling and deleting service accounts."""

    def __init__(
        self,
        database: Database,
        accounts: ServiceAccounts,
        creations: Creations,
        authenticator: Authenticator,
    ) -> None:
        self._database = database
        self._accounts = accounts
        self._creations = creations
        self._authenticator = authenticator

    def routes(self) -> list[Route]:
        """Return the routes of this resource."""
        return [
            Route(ALL, self.create, methods=["POST"]),
            Route(ALL, self.list, methods=["GET"]),
            Route(ONE, self.read, methods=["GET"]),
            Route(ONE, self.delete, methods=["DELETE"]),
            Route(f"{ONE}/disable", self.disable, methods=["POST"]),
            Route(f"{ONE}/enable", self.enable, methods=["POST"]),
        ]

    async def create(self, request: Request) -> Response:
        """Make an account for a program after a fresh proof; keys are made for it next."""
        identity = await self._authenticator.identify(request)
        by = require_recent_administrator(identity)
        body = await read_json(request, ServiceAccountCreate)

        async def create(transaction: Transaction) -> Response:
            row = await self._accounts.create(transaction, body, by, device_of(request))
            return json_response(_shown(row), 201, headers=NO_STORE)

        return await self._creations.make(request, identity, body, create)

    async def list(self, request: Request) -> Response:
        """List the service accounts, newest first."""
        await self._administrator(request)
        query = page_query(request)
        rows, cursor = query.cut(
            await store.list_service_accounts(
                self._database, before=query.before, limit=query.rows_to_read
            )
        )
        items = [_shown(row) for row in rows]
        return json_response(Page[ServiceAccount](items=items, next=cursor), headers=NO_STORE)

    async def read(self, request: Request) -> Response:
        """Answer with one service account."""
        await self._administrator(request)
        row = await self._accounts.read(account_id(request))
        return json_response(_shown(row), headers=NO_STORE)

    async def disable(self, request: Request) -> Response:
        """Let none of its keys work; doing it twice is no error."""
        by = await self._administrator(request)
        row = await self._accounts.disable(account_id(request), by, device_of(request))
        return json_response(_shown(row), headers=NO_STORE)

    async def enable(self, request: Request) -> Response:
        """Let its keys work again; doing it twice is no error."""
        by = await self._administrator(request)
        row = await self._accounts.enable(account_id(request), by, device_of(request))
        return json_response(_shown(row), headers=NO_STORE)

    async def delete(self, request: Request) -> Response:
        """Remove a service account with all that it holds, after a fresh proof of who asks."""
        by = require_recent_administrator(await self._authenticator.identify(request))
        await self._accounts.delete(account_id(request), by, device_of(request))
        return Response(status_code=204)

    async def _administrator(self, request: Request) -> UUID:
        return require_administrator(await self._authenticator.identify(request))


def account_id(request: Request) -> UUID:
    """Return the id in the address. Raises a 404 problem for what is none."""
    try:
        return UUID(request.path_params["account_id"])
    except ValueError as error:
        raise Problem(ProblemCode.SERVICE_ACCOUNT_NOT_FOUND) from error


def _shown(row: ServiceAccountRow) -> ServiceAccount:
    return ServiceAccount.model_validate(row, from_attributes=True)
