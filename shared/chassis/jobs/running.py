"""Jobs in a worker's hands."""

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeAlias, TypeVar
from uuid import UUID

from shared.chassis.database import Database, Transaction
from shared.chassis.jobs import leases
from shared.chassis.jobs.commands import Job

JobT = TypeVar("JobT", bound=Job)


class LeaseLost(Exception):  # noqa: N818 - what happened; another worker has the job now
    """This worker no longer holds the job, so nothing of its effect is kept.

    The job was given to another worker, was cancelled, or was deleted.
    """


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
    async def completion(self, result: Any = None) -> AsyncIterator[Transaction]:
        """Open the transaction that holds the job's effect and marks the job as completed.

        Both commit or neither does, so the effect happens once however often the job runs. What
        follows the job is enqueued in here too. Raises LeaseLost before anything is written when
        this worker does not hold the job any more, PayloadTooLarge for a result over 64 KiB.
        """
        async with self._database.transaction() as transaction:
            if not await leases.complete(transaction, [self.id], self._worker, result):
                raise LeaseLost
            yield transaction
        self.completed = True

    async def report_progress(self, progress: Any) -> None:
        """Let people see how far the job got: any small JSON value. Raises LeaseLost."""
        if not await leases.report_progress(self._database, self.id, self._worker, progress):
            raise LeaseLost


class RunningBatch(Generic[JobT]):
    """Attempts at several jobs of one kind, whose effects commit together."""

    def __init__(self, database: Database, jobs: Sequence[RunningJob[JobT]], worker: str) -> None:
        self.jobs = jobs
        self._database = database
        self._worker = worker

    @contextlib.asynccontextmanager
    async def completion(self) -> AsyncIterator[Transaction]:
        """Open the transaction that holds the effects and marks all the jobs as completed.

        Raises LeaseLost before anything is written when one of them is not held any more.
        """
        ids = [job.id for job in self.jobs]
        async with self._database.transaction() as transaction:
            if not await leases.complete(transaction, ids, self._worker, None):
                raise LeaseLost
            yield transaction
        for job in self.jobs:
            job.completed = True


JobHandler: TypeAlias = Callable[[RunningJob[Any]], Awaitable[None]]
"""Does the work. Raise to be tried again later, PermanentFailure to fail at once."""


@dataclass(frozen=True, slots=True)
class Batched:
    """Does the work of up to `size` jobs at once.

    When it raises, each of the jobs is tried in a batch of its own, so one that cannot be done
    does not take the others with it.
    """

    run: Callable[[RunningBatch[Any]], Awaitable[None]]
    size: int
