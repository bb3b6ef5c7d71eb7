"""Schedules, for administrators: `/v1/jobs/schedules`."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from services.jobs.access import require_administrator
from services.jobs.house_schedules import HouseSchedules
from shared.chassis.http import LARGE_JSON_LIMIT_BYTES, json_response, read_json, validated
from shared.chassis.identity.tokens import Authenticator
from shared.chassis.paging import named_page_query
from shared.schemas.api.jobs import ScheduleCreate, ScheduleDefinition

_ONE = "/v1/jobs/schedules/{name}"


class ScheduleRoutes:
    """Jobs that are queued again and again."""

    def __init__(self, schedules: HouseSchedules, authenticator: Authenticator) -> None:
        self._schedules = schedules
        self._authenticator = authenticator

    def routes(self) -> list[Route]:
        """Return the routes of this resource."""
        return [
            Route("/v1/jobs/schedules", self.list, methods=["GET"]),
            Route(_ONE, self.put, methods=["PUT"]),
            Route(_ONE, self.read, methods=["GET"]),
            Route(_ONE, self.delete, methods=["DELETE"]),
        ]

    async def list(self, request: Request) -> Response:
        """List schedules by name."""
        await self._authorize(request)
        return json_response(await self._schedules.page(named_page_query(request)))

    async def put(self, request: Request) -> Response:
        """Store a schedule in place of one with its name."""
        name = await self._named(request)
        body = await read_json(request, ScheduleDefinition, limit=LARGE_JSON_LIMIT_BYTES)
        schedule = validated(ScheduleCreate, {**body.model_dump(), "name": name})
        return json_response(await self._schedules.put(schedule))

    async def read(self, request: Request) -> Response:
        """Answer with one schedule."""
        return json_response(await self._schedules.read(await self._named(request)))

    async def delete(self, request: Request) -> Response:
        """Drop a schedule."""
        await self._schedules.delete(await self._named(request))
        return Response(status_code=204)

    async def _named(self, request: Request) -> str:
        await self._authorize(request)
        name: str = request.path_params["name"]
        return name

    async def _authorize(self, request: Request) -> None:
        require_administrator(await self._authenticator.identify(request))
