"""How the jobs service looks at and steers the queues of another: its internal routes.

Every service with a database mounts them; none is in the public route table. Queues are named as
administrators know them, `<service>.<queue>`.
"""

from collections.abc import Awaitable, Callable
from typing import Final, TypeVar
from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from shared.chassis.database import Database
from shared.chassis.errors import Problem
from shared.chassis.http import json_response, read_json
from shared.chassis.identity.service_calls import require_service
from shared.chassis.jobs.administration.jobs import (
    JobAdministration,
    NoSuchJob,
    UniqueKeyTaken,
    WrongJobState,
)
from shared.chassis.jobs.administration.queues import QueueAdministration
from shared.chassis.jobs.schedules.records import list_schedules
from shared.chassis.paging import named_page_query, page_query
from shared.chassis.settings import Settings
from shared.schemas.api.jobs import (
    Job,
    JobState,
    JobSummary,
    QueueInfo,
    QueueSettingsUpdate,
    Schedule,
)
from shared.schemas.api.pages import Page
from shared.schemas.problems import FieldError, ProblemCode

ALLOWED: Final = frozenset({"jobs"})

ShownT = TypeVar("ShownT", Job, JobSummary, Schedule)


def job_problem(error: NoSuchJob | WrongJobState | UniqueKeyTaken) -> Problem:
    """Return what a client is told when a job could not be steered."""
    if isinstance(error, NoSuchJob):
        return Problem(ProblemCode.JOB_NOT_FOUND)
    if isinstance(error, UniqueKeyTaken):
        return Problem(ProblemCode.UNIQUE_KEY_TAKEN)
    return Problem(ProblemCode.JOB_STATE_CONFLICT, str(error))


class JobRoutes:
    """The queues, jobs and schedules of one service, for the jobs service alone."""

    def __init__(self, settings: Settings, database: Database, *, service: str) -> None:
        """Take the settings, the service's database and its name."""
        self._settings = settings
        self._service = service
        self._database = database
        self._jobs = JobAdministration(database)
        self._queues = QueueAdministration(database)

    def routes(self) -> list[Route]:
        """Return the internal routes."""
        return [
            Route("/internal/jobs", self.list_jobs, methods=["GET"]),
            Route("/internal/jobs/queues", self.list_queues, methods=["GET"]),
            Route("/internal/jobs/queues/{queue}", self.read_queue, methods=["GET"]),
            Route("/internal/jobs/queues/{queue}", self.configure_queue, methods=["PATCH"]),
            Route("/internal/jobs/queues/{queue}/pause", self.pause_queue, methods=["POST"]),
            Route("/internal/jobs/queues/{queue}/resume", self.resume_queue, methods=["POST"]),
            Route("/internal/jobs/queues/{queue}/retry", self.retry_failed, methods=["POST"]),
            Route("/internal/jobs/schedules", self.list_schedules, methods=["GET"]),
            Route("/internal/jobs/{job_id:uuid}", self.read_job, methods=["GET"]),
            Route("/internal/jobs/{job_id:uuid}", self.delete_job, methods=["DELETE"]),
            Route("/internal/jobs/{job_id:uuid}/retry", self.retry_job, methods=["POST"]),
            Route("/internal/jobs/{job_id:uuid}/run", self.run_job, methods=["POST"]),
            Route("/internal/jobs/{job_id:uuid}/cancel", self.cancel_job, methods=["POST"]),
        ]

    async def list_jobs(self, request: Request) -> Response:
        """Answer with a page of jobs; the query may name `queue` and `state`."""
        self._authorize(request)
        page = page_query(request, "queue", "state")
        queue = request.query_params.get("queue")
        jobs = await self._jobs.jobs(
            queue=None if queue is None else self._own(queue),
            state=job_state(request),
            before=page.before,
            limit=page.rows_to_read,
        )
        items, following = page.cut(jobs)
        return json_response(
            Page[JobSummary](items=[self._shown(job) for job in items], next=following)
        )

    async def read_job(self, request: Request) -> Response:
        """Answer with a job."""
        return await self._steered(request, self._jobs.job)

    async def retry_job(self, request: Request) -> Response:
        """Queue an ended job again."""
        return await self._steered(request, self._jobs.retry)

    async def run_job(self, request: Request) -> Response:
        """Run a scheduled job at once."""
        return await self._steered(request, self._jobs.run_now)

    async def cancel_job(self, request: Request) -> Response:
        """Cancel a job that has not ended."""
        return await self._steered(request, self._jobs.cancel)

    async def delete_job(self, request: Request) -> Response:
        """Forget a job."""
        self._authorize(request)
        try:
            await self._jobs.delete(request.path_params["job_id"])
        except NoSuchJob as error:
            raise job_problem(error) from error
        return Response(status_code=204)

    async def list_queues(self, request: Request) -> Response:
        """Answer with a page of queues."""
        self._authorize(request)
        page = named_page_query(request)
        # The page before may have ended with a queue of another service.
        prefix = f"{self._service}."
        after = page.after.removeprefix(prefix) if page.after.startswith(prefix) else ""
        queues = await self._queues.queues(after=after, limit=page.rows_to_read)
        shown = [self._shown_queue(queue) for queue in queues]
        items, following = page.cut([queue for queue in shown if queue.name > page.after])
        return json_response(Page[QueueInfo](items=list(items), next=following))

    async def read_queue(self, request: Request) -> Response:
        """Answer with a queue."""
        return json_response(self._shown_queue(await self._queues.queue(self._named(request))))

    async def configure_queue(self, request: Request) -> Response:
        """Change a queue's settings."""
        queue = self._named(request)
        update = await read_json(request, QueueSettingsUpdate)
        return json_response(self._shown_queue(await self._queues.configure(queue, update)))

    async def pause_queue(self, request: Request) -> Response:
        """Start no more of a queue's jobs."""
        return json_response(self._shown_queue(await self._queues.pause(self._named(request))))

    async def resume_queue(self, request: Request) -> Response:
        """Start a queue's jobs again."""
        return json_response(self._shown_queue(await self._queues.resume(self._named(request))))

    async def retry_failed(self, request: Request) -> Response:
        """Queue the failed jobs of a queue again."""
        return json_response(await self._jobs.retry_failed(self._named(request)))

    async def list_schedules(self, request: Request) -> Response:
        """Answer with a page of schedules."""
        self._authorize(request)
        page = named_page_query(request)
        schedules = await list_schedules(self._database, after=page.after, limit=page.rows_to_read)
        items, following = page.cut(schedules)
        return json_response(
            Page[Schedule](items=[self._shown(schedule) for schedule in items], next=following)
        )

    def _authorize(self, request: Request) -> None:
        require_service(request, self._settings, target=self._service, allowed=ALLOWED)

    async def _steered(self, request: Request, steer: Callable[[UUID], Awaitable[Job]]) -> Response:
        self._authorize(request)
        try:
            job = await steer(request.path_params["job_id"])
        except (NoSuchJob, WrongJobState, UniqueKeyTaken) as error:
            raise job_problem(error) from error
        return json_response(self._shown(job))

    def _named(self, request: Request) -> str:
        self._authorize(request)
        return self._own(request.path_params["queue"])

    def _own(self, name: str) -> str:
        service, dot, queue = name.partition(".")
        if not dot or service != self._service or "\x00" in queue:
            raise Problem(ProblemCode.NOT_FOUND, f"{self._service} has no such queue.")
        return queue

    def _shown(self, shown: ShownT) -> ShownT:
        return shown.model_copy(update={"queue": f"{self._service}.{shown.queue}"})

    def _shown_queue(self, queue: QueueInfo) -> QueueInfo:
        return queue.model_copy(update={"name": f"{self._service}.{queue.name}"})


def job_state(request: Request) -> JobState | None:
    """Read the query's `state`. Raises Problem `validation_failed` for one that does not exist."""
    state = request.query_params.get("state")
    try:
        return None if state is None else JobState(state)
    except ValueError as error:
        message = f"Give one of {', '.join(JobState)}."
        raise Problem(
            ProblemCode.VALIDATION_FAILED, errors=[FieldError(field="state", message=message)]
        ) from error
