"""What people may do with jobs: look at them, and have them run again, now, or not at all.

A worker that runs a job which is cancelled or deleted finds its lease lost: nothing of its effect
is kept. Jobs that become due here are found by the workers' next look, within a second.
"""

from typing import Final
from uuid import UUID

from shared.chassis.database import ConstraintViolation, Database, Executor, Record
from shared.chassis.jobs import statements
from shared.chassis.jobs.administration.statements import SQL
from shared.schemas.api.jobs import Job, JobsRetried, JobState, JobSummary

RETRY_BATCH: Final = 500
UNIQUE_KEY_CONSTRAINT: Final = "jobs_unique_key"


class NoSuchJob(LookupError):  # noqa: N818 - what happened
    """There is no such job; it may have been dropped, as queues keep their newest ended jobs."""

    def __init__(self) -> None:
        super().__init__(
            "There is no such job; a queue keeps only the newest of those that have ended."
        )


class WrongJobState(ValueError):  # noqa: N818 - what happened
    """The job's state does not allow it; the message says which one would."""


class UniqueKeyTaken(ValueError):  # noqa: N818 - what happened
    """Another job with the same unique key waits or runs."""

    def __init__(self) -> None:
        super().__init__(
            "Another job of the queue with the same unique key waits or runs; retry when it has "
            "ended, or cancel it first."
        )


async def read_job(executor: Executor, job_id: UUID) -> Job:
    """Return all that is known of a job. Raises NoSuchJob."""
    row: Record | None = await executor.fetchrow(SQL["read_job"], job_id)
    if row is None:
        raise NoSuchJob
    return Job.model_validate(dict(row))


class JobAdministration:
    """Reads and steers the jobs of one schema. Each call is one transaction of its own.

    Every method raises Unavailable when PostgreSQL is away.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def jobs(
        self,
        *,
        queue: str | None = None,
        state: JobState | None = None,
        before: UUID | None = None,
        limit: int = 50,
    ) -> list[JobSummary]:
        """Return jobs, the newest first, before a job's id if one is given."""
        if queue is None:
            rows = await self._database.fetch(SQL["list_jobs"], state, before, limit)
        else:
            rows = await self._database.fetch(
                SQL["list_jobs_of_queue"], queue, state, before, limit
            )
        return [JobSummary.model_validate(dict(row)) for row in rows]

    async def job(self, job_id: UUID) -> Job:
        """Return all that is known of a job. Raises NoSuchJob."""
        return await read_job(self._database, job_id)

    async def retry(self, job_id: UUID) -> Job:
        """Queue an ended job again with all its attempts; its errors stay.

        Raises NoSuchJob, WrongJobState for one that has not ended, UniqueKeyTaken.
        """
        try:
            async with self._database.transaction() as transaction:
                row = await transaction.fetchrow(SQL["read_unique_key"], job_id)
                if row is None:
                    raise NoSuchJob
                key = (row["queue"], row["unique_key"])
                if row["unique_key"] is not None:
                    await transaction.execute(statements.SQL["lock_unique_key"], *key)
                    holder = await transaction.fetchval(SQL["unique_key_holder"], *key)
                    if holder not in {None, job_id}:
                        raise UniqueKeyTaken
                changed = _changed(await transaction.execute(SQL["retry_ended_job"], job_id))
        except ConstraintViolation as error:
            if error.constraint != UNIQUE_KEY_CONSTRAINT:
                raise
            raise UniqueKeyTaken from error
        job = await self.job(job_id)
        if not changed:
            raise WrongJobState(
                f"The job is {job.state}; only one that is completed, failed or cancelled can be "
                "retried."
            )
        return job

    async def retry_failed(self, queue: str) -> JobsRetried:
        """Queue every job of a queue that has failed until now again, in bounded batches.

        What was done stays done when a later batch fails; calling again does the rest.
        """
        until = await self._database.fetchval(SQL["current_instant"])
        retried = left = 0
        batch = RETRY_BATCH
        while batch == RETRY_BATCH:
            tag = await self._database.execute(SQL["retry_failed_jobs"], queue, until, RETRY_BATCH)
            batch = _changed(tag)
            retried += batch
        last: UUID | None = None
        while rows := await self._database.fetch(
            SQL["failed_jobs_with_keys"], queue, until, last, RETRY_BATCH
        ):
            last = rows[-1]["id"]
            for row in rows:
                try:
                    await self.retry(row["id"])
                    retried += 1
                except UniqueKeyTaken:
                    left += 1
                except (NoSuchJob, WrongJobState):
                    continue  # somebody else was faster
        return JobsRetried(retried=retried, left=left)

    async def run_now(self, job_id: UUID) -> Job:
        """Let a job that waits for its time run at once. Raises NoSuchJob, WrongJobState."""
        changed = _changed(await self._database.execute(SQL["run_job_now"], job_id))
        job = await self.job(job_id)
        if not changed:
            raise WrongJobState(f"The job is {job.state}; only a scheduled one can be run early.")
        return job

    async def cancel(self, job_id: UUID) -> Job:
        """End a job that has not ended. Raises NoSuchJob, WrongJobState."""
        changed = _changed(await self._database.execute(SQL["cancel_job"], job_id))
        job = await self.job(job_id)
        if not changed:
            raise WrongJobState(f"The job is {job.state} already; nothing is left to cancel.")
        return job

    async def delete(self, job_id: UUID) -> None:
        """Forget a job, whatever its state. Raises NoSuchJob."""
        if not _changed(await self._database.execute(SQL["delete_job"], job_id)):
            raise NoSuchJob


def _changed(tag: str) -> int:
    return int(tag.rsplit(maxsplit=1)[-1])
