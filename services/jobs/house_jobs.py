"""Jobs of applications and of the house, as administrators see and steer them."""

from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

from services.jobs.house import Call, House
from services.jobs.queue_names import OWN_SERVICE, owner_of
from shared.chassis.administration_routes import job_problem
from shared.chassis.bus import Bus
from shared.chassis.database import Database
from shared.chassis.identity.service_calls import ServiceClient
from shared.chassis.jobs.administration.jobs import (
    JobAdministration,
    NoSuchJob,
    UniqueKeyTaken,
    WrongJobState,
)
from shared.chassis.paging import PageQuery
from shared.schemas.api.jobs import Job, JobState, JobSummary
from shared.schemas.api.pages import HousePage, Page


class HouseJobs:
    """Jobs by their ids, whichever service has them."""

    def __init__(self, database: Database, bus: Bus, house: House) -> None:
        self._own = JobAdministration(database)
        self._bus = bus
        self._house = house

    async def page(
        self, query: PageQuery, *, queue: str | None, state: JobState | None
    ) -> HousePage[JobSummary]:
        """Return a page of one queue's jobs, or of all in the house, newest first.

        Raises Problem `queue_invalid`.
        """
        owner = None if queue is None else owner_of(queue)
        jobs: list[JobSummary] = []
        if owner in {None, OWN_SERVICE}:
            jobs += await self._own.jobs(
                queue=queue, state=state, before=query.before, limit=query.rows_to_read
            )
        others = [service for service in self._house.services if owner in {None, service}]
        parts = await self._house.ask_for_parts(dict.fromkeys(others, _listed(query, queue, state)))
        is_more = False
        for part in parts.given.values():
            page = Page[JobSummary].model_validate(part)
            jobs += page.items
            is_more = is_more or page.next is not None
        jobs.sort(key=lambda job: job.id, reverse=True)
        items, cursor = query.cut(jobs, is_more=is_more)
        return HousePage(items=list(items), next=cursor, unreachable=parts.unreachable)

    async def read(self, job_id: UUID) -> Job:
        """Return a job. Raises Problem `job_not_found`."""
        return await self._steer(job_id, self._own.job, lambda path: lambda one: one.get(path))

    async def retry(self, job_id: UUID) -> Job:
        """Queue an ended job again. Raises Problem `job_not_found`, or one that says why not."""
        job = await self._steer(job_id, self._own.retry, _posted("retry"))
        self._bus.wake(job.queue)
        return job

    async def run(self, job_id: UUID) -> Job:
        """Run a scheduled job now. Raises Problem `job_not_found` or `job_state_conflict`."""
        job = await self._steer(job_id, self._own.run_now, _posted("run"))
        self._bus.wake(job.queue)
        return job

    async def cancel(self, job_id: UUID) -> Job:
        """End a job that has not ended. Raises Problem `job_not_found`, `job_state_conflict`."""
        return await self._steer(job_id, self._own.cancel, _posted("cancel"))

    async def delete(self, job_id: UUID) -> None:
        """Forget a job. Raises Problem `job_not_found`."""
        try:
            await self._own.delete(job_id)
        except NoSuchJob:
            await self._house.ask_owner(lambda one: one.delete(_path(job_id)))

    async def _steer(
        self,
        job_id: UUID,
        own: Callable[[UUID], Awaitable[Job]],
        other: Callable[[str], Call],
    ) -> Job:
        try:
            return await own(job_id)
        except NoSuchJob:
            return Job.model_validate(await self._house.ask_owner(other(_path(job_id))))
        except (WrongJobState, UniqueKeyTaken) as error:
            raise job_problem(error) from error


def _path(job_id: UUID) -> str:
    return f"/internal/jobs/{job_id}"


def _posted(verb: str) -> Callable[[str], Call]:
    return lambda path: lambda one: one.post(f"{path}/{verb}", {})


def _listed(query: PageQuery, queue: str | None, state: JobState | None) -> Call:
    filters = {"queue": queue, "state": state}
    parameters = query.parameters | {name: text for name, text in filters.items() if text}

    async def ask(one: ServiceClient) -> Any:
        return await one.get("/internal/jobs", **parameters)

    return ask
