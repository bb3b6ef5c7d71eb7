"""Jobs: commands that a service gives itself, as rows that commit with what caused them."""

from collections.abc import Callable
from datetime import timedelta
from typing import ClassVar
from uuid import UUID

from pydantic import BaseModel, ConfigDict
from uuid_utils.compat import uuid7

from shared.chassis.bus import Bus
from shared.chassis.database import SQL, Transaction
from shared.chassis.telemetry.tracing import traceparent


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
        delay: timedelta = timedelta(0),
        unique: str | None = None,
    ) -> UUID | None:
        """Queue a job, to run once the transaction has committed and the delay is over.

        With a unique key, nothing is queued while a job with the same key waits or runs in the
        same queue; None is returned then.
        """
        job_id: UUID | None = await transaction.fetchval(
            SQL["insert_job"],
            uuid7(),
            job.queue,
            job.kind,
            job.model_dump(mode="json"),
            job.attempts,
            delay,
            unique,
            traceparent.get(),
        )
        if job_id is not None and self._bus is not None and not delay:
            transaction.after_commit(_waker(self._bus, job.queue))
        return job_id


def _waker(bus: Bus, queue: str) -> Callable[[], None]:
    return lambda: bus.wake(queue)
