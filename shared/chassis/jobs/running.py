"""A job in a worker's hands."""

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Generic, TypeAlias, TypeVar
from uuid import UUID

from shared.chassis.database import SQL, Database, Transaction
from shared.chassis.jobs.commands import Job

JobT = TypeVar("JobT", bound=Job)


class LeaseLost(Exception):  # noqa: N818 - what happened; another worker has the job now
    """This worker no longer holds the job, so nothing of its effect is kept."""


class RunningJob(Generic[JobT]):
    """One attempt at a job."""

    def __init__(
        self, database: Database, *, job_id: UUID, command: JobT, attempt: int, worker: str
    ) -> None:
        self.id = job_id
        self.command = command
        self.attempt = attempt
        """1 for the first."""
        self.completed = False
        self._database = database
        self._worker = worker

    @contextlib.asynccontextmanager
    async def completion(self) -> AsyncIterator[Transaction]:
        """Open the transaction that holds the job's effect and marks the job as completed.

        Both commit or neither does, so the effect happens once however often the job runs. Raises
        LeaseLost before anything is written when the job was given to another worker.
        """
        async with self._database.transaction() as transaction:
            held = await transaction.fetchval(SQL["complete_job"], self.id, self._worker)
            if held is None:
                raise LeaseLost
            yield transaction
        self.completed = True


JobHandler: TypeAlias = Callable[[RunningJob[Any]], Awaitable[None]]
"""Does the work. Raise to be tried again later, PermanentFailure to fail at once."""
