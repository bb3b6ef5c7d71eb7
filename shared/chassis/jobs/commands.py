"""Jobs: commands that a service gives itself, as rows that commit with what caused them."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, ClassVar, NamedTuple
from uuid import UUID

from pydantic import BaseModel, ConfigDict
from uuid_utils.compat import uuid7

from shared.chassis.bus import Bus
from shared.chassis.database import Transaction
from shared.chassis.jobs.statements import SQL
from shared.chassis.payloads import require_payload
from shared.chassis.telemetry.tracing import traceparent

AT_ONCE = timedelta(0)


class Job(BaseModel):
    """What is to be done. Subclass it for each kind of job; fields are its arguments."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    kind: ClassVar[str]
    """Stable name; rows with it may outlive a release."""
    queue: ClassVar[str]
    attempts: ClassVar[int] = 3
    """Failures allowed, the last one included. A worker's death is none."""
    backoff_seconds: ClassVar[float] = 5.0
    """Wait after the first failure; it doubles with each further one, with jitter."""
    backoff_limit_seconds: ClassVar[float] = 3600.0
    timeout_seconds: ClassVar[float] = 60.0
    """Time for one attempt, after which it is cancelled and counts as failed."""
    priority: ClassVar[int] = 0
    """Smaller runs first, from -32768 to 32767."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RawJob:
    """A job whose kind this process need not know: from an application or a schedule."""

    queue: str
    kind: str
    payload: Any
    priority: int = 0
    max_attempts: int = 3
    run_at: datetime | None = None
    """Outranks `delay`; a time that has passed means at once."""
    delay: timedelta = AT_ONCE
    unique: str | None = None
    unique_for: timedelta | None = None
    schedule: str | None = None


class Enqueued(NamedTuple):
    """The job that is queued now, or the one that already held the unique key."""

    job_id: UUID
    inserted: bool


class JobQueue:
    """Enqueues jobs in the caller's transaction and wakes the workers after its commit."""

    def __init__(self, bus: Bus | None) -> None:
        """Take the bus that carries the wake-ups; without one, workers find jobs by polling."""
        self._bus = bus

    async def enqueue(
        self,
        transaction: Transaction,
        job: Job,
        *,
        delay: timedelta = AT_ONCE,
        run_at: datetime | None = None,
        priority: int | None = None,
        unique: str | None = None,
        unique_for: timedelta | None = None,
    ) -> Enqueued:
        """Queue a job, to run once the transaction has committed and its time has come.

        With a unique key nothing is queued while a job with the same key waits or runs in the
        same queue, nor, with `unique_for`, until that long after it was queued. Raises
        PayloadTooLarge.
        """
        return await self.enqueue_raw(
            transaction,
            RawJob(
                queue=job.queue,
                kind=job.kind,
                payload=job.model_dump(mode="json"),
                priority=job.priority if priority is None else priority,
                max_attempts=job.attempts,
                run_at=run_at,
                delay=delay,
                unique=unique,
                unique_for=unique_for,
            ),
        )

    async def enqueue_raw(self, transaction: Transaction, job: RawJob) -> Enqueued:
        """Queue a job by its parts. Raises PayloadTooLarge."""
        if job.unique is None:
            ids = await self._insert(transaction, job, [job.payload])
            return Enqueued(ids[0], inserted=True)
        require_payload(job.payload)
        await transaction.execute(SQL["lock_unique_key"], job.queue, job.unique)
        [row] = await transaction.fetch(
            SQL["insert_unique_job"],
            uuid7(),
            job.queue,
            job.kind,
            job.payload,
            job.priority,
            job.max_attempts,
            job.run_at,
            job.delay,
            traceparent.get(),
            job.unique,
            job.unique_for,
            job.schedule,
        )
        enqueued = Enqueued(row["id"], row["inserted"])
        if enqueued.inserted:
            self._wake_after(transaction, job.queue, job.run_at, job.delay)
        return enqueued

    async def enqueue_many(
        self,
        transaction: Transaction,
        jobs: Sequence[Job],
        *,
        delay: timedelta = AT_ONCE,
        run_at: datetime | None = None,
    ) -> list[UUID]:
        """Queue jobs of one kind by one statement and return their ids, in their order.

        Raises ValueError for kinds that differ, PayloadTooLarge.
        """
        if not jobs:
            return []
        first = jobs[0]
        if any(type(job) is not type(first) for job in jobs):
            raise ValueError("jobs that are queued together are of one kind")
        template = RawJob(
            queue=first.queue,
            kind=first.kind,
            payload=None,
            priority=first.priority,
            max_attempts=first.attempts,
            run_at=run_at,
            delay=delay,
        )
        return await self._insert(
            transaction, template, [job.model_dump(mode="json") for job in jobs]
        )

    async def _insert(
        self, transaction: Transaction, job: RawJob, payloads: Sequence[Any]
    ) -> list[UUID]:
        for payload in payloads:
            require_payload(payload)
        ids = [uuid7() for _ in payloads]
        await transaction.execute(
            SQL["insert_jobs"],
            ids,
            job.queue,
            job.kind,
            # As texts: a payload that is a list would be taken for a dimension of the array.
            [json.dumps(payload) for payload in payloads],
            job.priority,
            job.max_attempts,
            job.run_at,
            job.delay,
            traceparent.get(),
        )
        self._wake_after(transaction, job.queue, job.run_at, job.delay)
        return ids

    def _wake_after(
        self, transaction: Transaction, queue: str, run_at: datetime | None, delay: timedelta
    ) -> None:
        # Workers look up when the next job is due by themselves, at the latest in a second.
        if self._bus is not None and run_at is None and not delay:
            transaction.after_commit(_waker(self._bus, queue))


def _waker(bus: Bus, queue: str) -> Callable[[], None]:
    return lambda: bus.wake(queue)
