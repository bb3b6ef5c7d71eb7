"""Queues, for administrators: `/v1/jobs/queues`."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from services.jobs.access import require_administrator
from services.jobs.house_queues import HouseQueues
from shared.chassis.http import json_response, read_json
from shared.chassis.identity.tokens import Authenticator
from shared.chassis.paging import named_page_query
from shared.schemas.api.jobs import QueueSettingsUpdate

_ONE = "/v1/jobs/queues/{queue}"


class QueueRoutes:
    """Depths and settings of queues, pausing and resuming them."""

    def __init__(self, queues: HouseQueues, authenticator: Authenticator) -> None:
        self._queues = queues
        self._authenticator = authenticator

    def routes(self) -> list[Route]:
        """Return the routes of this resource."""
        return [
            Route("/v1/jobs/queues", self.list, methods=["GET"]),
            Route(_ONE, self.read, methods=["GET"]),
            Route(_ONE, self.configure, methods=["PATCH"]),
            Route(f"{_ONE}/pause", self.pause, methods=["POST"]),
            Route(f"{_ONE}/resume", self.resume, methods=["POST"]),
            Route(f"{_ONE}/retry", self.retry_failed, methods=["POST"]),
        ]

    async def list(self, request: Request) -> Response:
        """List queues by name."""
        await self._authorize(request)
        return json_response(await self._queues.page(named_page_query(request)))

    async def read(self, request: Request) -> Response:
        """Answer with one queue."""
        return json_response(await self._queues.read(await self._named(request)))

    async def configure(self, request: Request) -> Response:
        """Change the settings that the body names."""
        name = await self._named(request)
        body = await read_json(request, QueueSettingsUpdate)
        return json_response(await self._queues.configure(name, body))

    async def pause(self, request: Request) -> Response:
        """Start no more jobs of a queue."""
        return json_response(await self._queues.pause(await self._named(request)))

    async def resume(self, request: Request) -> Response:
        """Let the jobs of a queue start again."""
        return json_response(await self._queues.resume(await self._named(request)))

    async def retry_failed(self, request: Request) -> Response:
        """Queue all failed jobs of a queue again."""
        return json_response(await self._queues.retry_failed(await self._named(request)))

    async def _named(self, request: Request) -> str:
        await self._authorize(request)
        name: str = request.path_params["queue"]
        return name

    async def _authorize(self, request: Request) -> None:
        require_administrator(await self._authenticator.identify(request))
