"""Connections to other providers, for administrators: `/v1/auth/connections`."""

from dataclasses import dataclass
from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from services.auth.access import require_administrator, require_recent_administrator
from services.auth.creations import Creations
from services.auth.devices import device_of
from services.auth.federation import records, store
from services.auth.federation.connections import Connections
from services.auth.federation.sign_ins import SignIns
from services.auth.routes.answers import NO_STORE
from shared.chassis.database import Database, Transaction
from shared.chassis.http import json_response, read_json
from shared.chassis.identity.tokens import Authenticator
from shared.chassis.paging import named_page_query
from shared.schemas.api.connections import Connection, ConnectionCreate, ConnectionUpdate
from shared.schemas.api.pages import Page


@dataclass(frozen=True, slots=True)
class _Id:
    """What pages of connections are cut by."""

    name: str


class ConnectionRoutes:
    """Setting connections up, changing and removing them.

    A connection says whose accounts people enter, so changing one takes a fresh proof.
    """

    def __init__(
        self,
        database: Database,
        connections: Connections,
        sign_ins: SignIns,
        *,
        creations: Creations,
        authenticator: Authenticator,
    ) -> None:
        self._database = database
        self._connections = connections
        self._sign_ins = sign_ins
        self._creations = creations
        self._authenticator = authenticator

    def routes(self) -> list[Route]:
        """Return the routes of this resource."""
        one = "/v1/auth/connections/{connection_id}"
        return [
            Route("/v1/auth/connections", self.create, methods=["POST"]),
            Route("/v1/auth/connections", self.list, methods=["GET"]),
            Route(one, self.update, methods=["PATCH"]),
            Route(one, self.delete, methods=["DELETE"]),
        ]

    async def create(self, request: Request) -> Response:
        """Add a connection."""
        identity = await self._authenticator.identify(request)
        by = require_recent_administrator(identity)
        body = await read_json(request, ConnectionCreate)
        kept = await self._creations.kept(request, identity, body)
        if kept is not None:
            return kept
        prepared = await self._connections.prepare(body)

        async def create(transaction: Transaction) -> Response:
            connection = await self._connections.create(
                transaction, prepared, by, device_of(request)
            )
            return json_response(self._shown(connection), 201, headers=NO_STORE)

        return await self._creations.make(request, identity, body, create)

    async def list(self, request: Request) -> Response:
        """List the connections by their ids."""
        require_administrator(await self._authenticator.identify(request))
        page = named_page_query(request)
        rows = await store.list_connections(
            self._database, after=page.after, limit=page.rows_to_read
        )
        ids, cursor = page.cut([_Id(connection.id) for connection in rows])
        shown = [self._shown(connection) for connection in rows[: len(ids)]]
        return json_response(Page[Connection](items=shown, next=cursor), headers=NO_STORE)

    async def update(self, request: Request) -> Response:
        """Change what the body names and leave the rest."""
        by = await self._administrator(request)
        body = await read_json(request, ConnectionUpdate)
        connection_id = request.path_params["connection_id"]
        connection = await self._connections.update(connection_id, body, by, device_of(request))
        return json_response(self._shown(connection), headers=NO_STORE)

    async def delete(self, request: Request) -> Response:
        """Remove a connection."""
        by = await self._administrator(request)
        await self._connections.delete(request.path_params["connection_id"], by, device_of(request))
        return Response(status_code=204)

    async def _administrator(self, request: Request) -> UUID:
        return require_recent_administrator(await self._authenticator.identify(request))

    def _shown(self, connection: records.Connection) -> Connection:
        return Connection(
            id=connection.id,
            name=connection.name,
            kind=connection.kind,
            issuer=connection.issuer,
            client_id=connection.client_id,
            scopes=list(connection.scopes),
            team_id=connection.team_id,
            key_id=connection.key_id,
            is_enabled=connection.is_enabled,
            callback_url=self._sign_ins.callback_url(connection.id),
            created_at=connection.created_at,
        )
