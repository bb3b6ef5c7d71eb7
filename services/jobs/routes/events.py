"""Events of applications and their types: `/v1/events`."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from services.jobs import store
from services.jobs.access import require_administrator
from services.jobs.emission import emit, require_emittable
from services.jobs.event_types import EventTypes
from shared.chassis.database import Database
from shared.chassis.http import LARGE_JSON_LIMIT_BYTES, json_response, read_json
from shared.chassis.idempotency.answers import IdempotentAnswers, request_key
from shared.chassis.identity.tokens import Authenticator
from shared.chassis.outbox import Outbox
from shared.chassis.paging import named_page_query
from shared.schemas.api.events import EventCreate, EventType, EventTypeDefinition
from shared.schemas.api.pages import Page

_TYPE = "/v1/events/types/{type}"


class EventRoutes:
    """Emitting events, and registering what may be emitted."""

    def __init__(
        self,
        database: Database,
        authenticator: Authenticator,
        *,
        outbox: Outbox,
        types: EventTypes,
        answers: IdempotentAnswers,
    ) -> None:
        self._database = database
        self._authenticator = authenticator
        self._outbox = outbox
        self._types = types
        self._answers = answers

    def routes(self) -> list[Route]:
        """Return the routes of this resource."""
        return [
            Route("/v1/events", self.emit, methods=["POST"]),
            Route("/v1/events/types", self.list_types, methods=["GET"]),
            Route(_TYPE, self.put_type, methods=["PUT"]),
            Route(_TYPE, self.read_type, methods=["GET"]),
            Route(_TYPE, self.delete_type, methods=["DELETE"]),
        ]

    async def emit(self, request: Request) -> Response:
        """Store an event and answer 202 with its id."""
        identity = await self._authenticator.identify(request)
        body = await read_json(request, EventCreate, limit=LARGE_JSON_LIMIT_BYTES)
        require_emittable(identity, body)
        key = request_key(request, identity, body)
        async with self._database.transaction() as transaction:

            async def effect() -> Response:
                accepted = await emit(transaction, self._outbox, identity, body)
                return json_response(accepted, 202)

            return await self._answers.once(transaction, key, effect)

    async def list_types(self, request: Request) -> Response:
        """List the registered types by name."""
        await self._authorize(request)
        query = named_page_query(request)
        types, cursor = query.cut(
            await store.list_event_types(
                self._database, after=query.after, limit=query.rows_to_read
            )
        )
        return json_response(Page[EventType](items=list(types), next=cursor))

    async def put_type(self, request: Request) -> Response:
        """Register a type, or change its schema."""
        name = await self._named(request)
        body = await read_json(request, EventTypeDefinition, limit=LARGE_JSON_LIMIT_BYTES)
        return json_response(await self._types.put(name, body))

    async def read_type(self, request: Request) -> Response:
        """Answer with one type."""
        return json_response(await self._types.read(await self._named(request)))

    async def delete_type(self, request: Request) -> Response:
        """Let nobody emit a type any more."""
        await self._types.delete(await self._named(request))
        return Response(status_code=204)

    async def _named(self, request: Request) -> str:
        await self._authorize(request)
        name: str = request.path_params["type"]
        return name

    async def _authorize(self, request: Request) -> None:
        require_administrator(await self._authenticator.identify(request))
