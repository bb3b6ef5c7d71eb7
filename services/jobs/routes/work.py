"""Working jobs: claim, heartbeat, complete and fail under `/v1/jobs`."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from services.jobs.working import Working
from shared.chassis.errors import Problem
from shared.chassis.http import LARGE_JSON_LIMIT_BYTES, json_response, read_json
from shared.chassis.identity.tokens import Authenticator
from shared.chassis.lifecycle import end
from shared.schemas.api.jobs import (
    ClaimRequest,
    CompleteRequest,
    FailRequest,
    HeartbeatRequest,
)
from shared.schemas.problems import ProblemCode

_NO_STORE = {"Cache-Control": "no-store"}


class WorkRoutes:
    """What a worker of an application asks for."""

    def __init__(self, working: Working, authenticator: Authenticator) -> None:
        self._working = working
        self._authenticator = authenticator

    def routes(self) -> list[Route]:
        """Return the routes of this resource."""
        return [
            Route("/v1/jobs/claim", self.claim, methods=["POST"]),
            Route("/v1/jobs/{job_id}/heartbeat", self.heartbeat, methods=["POST"]),
            Route("/v1/jobs/{job_id}/complete", self.complete, methods=["POST"]),
            Route("/v1/jobs/{job_id}/fail", self.fail, methods=["POST"]),
        ]

    async def claim(self, request: Request) -> Response:
        """Answer with jobs under a lease, as soon as there is one or the wait is over."""
        identity = await self._authenticator.identify(request)
        body = await read_json(request, ClaimRequest)
        async with _leaving(request) as leaving:
            claimed = await self._working.claim(identity, body, leaving)
        return json_response(claimed, headers=_NO_STORE)

    async def heartbeat(self, request: Request) -> Response:
        """Keep a claimed job."""
        identity = await self._authenticator.identify(request)
        body = await read_json(request, HeartbeatRequest, limit=LARGE_JSON_LIMIT_BYTES)
        return json_response(await self._working.heartbeat(identity, _id(request), body))

    async def complete(self, request: Request) -> Response:
        """End a claimed job and queue what follows it."""
        identity = await self._authenticator.identify(request)
        body = await read_json(request, CompleteRequest, limit=LARGE_JSON_LIMIT_BYTES)
        return json_response(await self._working.complete(identity, _id(request), body))

    async def fail(self, request: Request) -> Response:
        """Record that an attempt failed."""
        identity = await self._authenticator.identify(request)
        body = await read_json(request, FailRequest, limit=LARGE_JSON_LIMIT_BYTES)
        return json_response(await self._working.fail(identity, _id(request), body))


@contextlib.asynccontextmanager
async def _leaving(request: Request) -> AsyncIterator[asyncio.Event]:
    """Give an event that is set when the client hangs up; the body has to be read before."""
    leaving = asyncio.Event()

    async def watch() -> None:
        while (await request.receive())["type"] != "http.disconnect":
            pass
        leaving.set()

    watching = asyncio.create_task(watch(), name="client of a long poll")
    try:
        yield leaving
    finally:
        await end(watching)


def _id(request: Request) -> UUID:
    try:
        return UUID(request.path_params["job_id"])
    except ValueError as error:
        # Nobody can hold a job whose id is none.
        raise Problem(ProblemCode.LEASE_LOST) from error
