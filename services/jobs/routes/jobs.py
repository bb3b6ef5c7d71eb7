"""Jobs: `/v1/jobs`."""

from typing import NoReturn
from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from services.jobs import store
from services.jobs.access import (
    Right,
    is_of_an_application,
    may_see,
    require_administrator,
    require_right,
    require_sight,
)
from services.jobs.enqueueing import enqueue, require_enqueueable
from services.jobs.house_jobs import HouseJobs
from services.jobs.values import wrong_field
from shared.chassis.administration_routes import job_state
from shared.chassis.database import Database
from shared.chassis.errors import Problem
from shared.chassis.http import LARGE_JSON_LIMIT_BYTES, json_response, read_json
from shared.chassis.idempotency.answers import IdempotentAnswers, request_key
from shared.chassis.identity.tokens import Authenticator, Identity
from shared.chassis.jobs.administration.jobs import read_job
from shared.chassis.jobs.commands import JobQueue
from shared.chassis.paging import page_query
from shared.schemas.api.jobs import JobCreate
from shared.schemas.problems import ProblemCode

_ONE = "/v1/jobs/{job_id}"


class JobRoutes:
    """Queueing jobs, looking at them, and what becomes of them by hand."""

    def __init__(
        self,
        database: Database,
        authenticator: Authenticator,
        *,
        jobs: JobQueue,
        house: HouseJobs,
        answers: IdempotentAnswers,
    ) -> None:
        self._database = database
        self._authenticator = authenticator
        self._jobs = jobs
        self._house = house
        self._answers = answers

    def routes(self) -> list[Route]:
        """Return the routes of this resource."""
        return [
            Route("/v1/jobs", self.create, methods=["POST"]),
            Route("/v1/jobs", self.list, methods=["GET"]),
            Route(_ONE, self.read, methods=["GET"]),
            Route(_ONE, self.delete, methods=["DELETE"]),
            Route(f"{_ONE}/retry", self.retry, methods=["POST"]),
            Route(f"{_ONE}/cancel", self.cancel, methods=["POST"]),
            Route(f"{_ONE}/run", self.run, methods=["POST"]),
        ]

    async def create(self, request: Request) -> Response:
        """Queue a job and answer 202 with it, or with the one that holds its unique key."""
        identity = await self._authenticator.identify(request)
        body = await read_json(request, JobCreate, limit=LARGE_JSON_LIMIT_BYTES)
        require_enqueueable(identity, body)
        key = request_key(request, identity, body)
        async with self._database.transaction() as transaction:

            async def effect() -> Response:
                enqueued = await enqueue(transaction, self._jobs, body)
                job = await read_job(transaction, enqueued.job_id)
                return json_response(job, 202)

            return await self._answers.once(transaction, key, effect)

    async def list(self, request: Request) -> Response:
        """List jobs, newest first: an administrator's all, an API key's those of its queues."""
        identity = await self._authenticator.identify(request)
        queue = request.query_params.get("queue")
        if queue is not None:
            require_sight(identity, queue)
        elif not identity.is_administrator:
            _require_queue(identity)
        page = await self._house.page(
            page_query(request, "queue", "state"), queue=queue, state=job_state(request)
        )
        return json_response(page)

    async def read(self, request: Request) -> Response:
        """Answer with one job."""
        identity = await self._authenticator.identify(request)
        job_id = _id(request)
        if not identity.is_administrator:
            await self._visible_queue(identity, job_id)
        return json_response(await self._house.read(job_id))

    async def delete(self, request: Request) -> Response:
        """Forget a job."""
        require_administrator(await self._authenticator.identify(request))
        await self._house.delete(_id(request))
        return Response(status_code=204)

    async def retry(self, request: Request) -> Response:
        """Queue an ended job again."""
        require_administrator(await self._authenticator.identify(request))
        return json_response(await self._house.retry(_id(request)))

    async def run(self, request: Request) -> Response:
        """Run a scheduled job now."""
        require_administrator(await self._authenticator.identify(request))
        return json_response(await self._house.run(_id(request)))

    async def cancel(self, request: Request) -> Response:
        """End a job that has not ended; who may queue such a job may take it back."""
        identity = await self._authenticator.identify(request)
        job_id = _id(request)
        if not identity.is_administrator:
            queue = await self._visible_queue(identity, job_id)
            require_right(identity, Right.ENQUEUE, queue)
        return json_response(await self._house.cancel(job_id))

    async def _visible_queue(self, identity: Identity, job_id: UUID) -> str:
        if identity.scopes is None:
            require_administrator(identity)
        queue = await store.queue_of_job(self._database, job_id)
        if queue is None or not (is_of_an_application(queue) and may_see(identity, queue)):
            raise Problem(ProblemCode.JOB_NOT_FOUND)
        return queue


def _require_queue(identity: Identity) -> NoReturn:
    require_sight(identity, "<queue>")
    raise wrong_field("queue", "An API key lists one queue at a time; name it in the query.")


def _id(request: Request) -> UUID:
    try:
        return UUID(request.path_params["job_id"])
    except ValueError as error:
        raise Problem(ProblemCode.JOB_NOT_FOUND) from error
