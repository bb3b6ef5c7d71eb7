"""Dead letters, for administrators: `/v1/dead-letters`."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from services.jobs.access import require_administrator
from services.jobs.house_dead_letters import HouseDeadLetters
from shared.chassis.http import json_response, read_json
from shared.chassis.identity.tokens import Authenticator
from shared.chassis.paging import page_query
from shared.schemas.api.jobs import DeadLetterSelection

_ONE = "/v1/dead-letters/{dead_letter_id}"


class DeadLetterRoutes:
    """Events that consumers gave up on: reading, retrying and discarding them."""

    def __init__(self, letters: HouseDeadLetters, authenticator: Authenticator) -> None:
        self._letters = letters
        self._authenticator = authenticator

    def routes(self) -> list[Route]:
        """Return the routes of this resource."""
        return [
            Route("/v1/dead-letters", self.list, methods=["GET"]),
            Route("/v1/dead-letters/retry", self.retry_all, methods=["POST"]),
            Route("/v1/dead-letters/discard", self.discard_all, methods=["POST"]),
            Route(_ONE, self.read, methods=["GET"]),
            Route(_ONE, self.discard, methods=["DELETE"]),
            Route(f"{_ONE}/retry", self.retry, methods=["POST"]),
        ]

    async def list(self, request: Request) -> Response:
        """List dead letters, newest first; the query may name service, consumer and type."""
        await self._authorize(request)
        page = await self._letters.page(
            page_query(request, "service", "consumer", "type"),
            service=request.query_params.get("service"),
            consumer=request.query_params.get("consumer"),
            event_type=request.query_params.get("type"),
        )
        return json_response(page)

    async def read(self, request: Request) -> Response:
        """Answer with one dead letter."""
        return json_response(await self._letters.read(await self._named(request)))

    async def discard(self, request: Request) -> Response:
        """Delete a dead letter."""
        await self._letters.discard(await self._named(request))
        return Response(status_code=204)

    async def retry(self, request: Request) -> Response:
        """Give a dead letter to its consumer again."""
        return json_response(await self._letters.retry(await self._named(request)))

    async def retry_all(self, request: Request) -> Response:
        """Give a consumer's dead letters to it again."""
        await self._authorize(request)
        selection = await read_json(request, DeadLetterSelection)
        return json_response(await self._letters.retry_all(selection))

    async def discard_all(self, request: Request) -> Response:
        """Delete a consumer's dead letters."""
        await self._authorize(request)
        selection = await read_json(request, DeadLetterSelection)
        return json_response(await self._letters.discard_all(selection))

    async def _named(self, request: Request) -> str:
        await self._authorize(request)
        name: str = request.path_params["dead_letter_id"]
        return name

    async def _authorize(self, request: Request) -> None:
        require_administrator(await self._authenticator.identify(request))
