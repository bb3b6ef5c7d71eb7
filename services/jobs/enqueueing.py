"""Queueing jobs of applications."""

from datetime import timedelta

from services.jobs.access import Right, require_right
from services.jobs.values import require_storable
from shared.chassis.database import Transaction
from shared.chassis.identity.tokens import Identity
from shared.chassis.jobs.commands import Enqueued, JobQueue, RawJob
from shared.schemas.api.jobs import JobCreate


def require_enqueueable(identity: Identity, job: JobCreate, *, field: str = "") -> None:
    """Raise Problem unless the caller may queue the job and it can be stored.

    `field` is where the job stands in the body, with a dot behind it.
    """
    require_right(identity, Right.ENQUEUE, job.queue)
    require_storable(job.payload, field=f"{field}payload")


async def enqueue(transaction: Transaction, jobs: JobQueue, job: JobCreate) -> Enqueued:
    """Queue a job, or return the one that holds its unique key."""
    return await jobs.enqueue_raw(
        transaction,
        RawJob(
            queue=job.queue,
            kind=job.kind,
            payload=job.payload,
            priority=job.priority,
            max_attempts=job.attempts,
            run_at=job.run_at,
            delay=timedelta(seconds=job.delay_seconds or 0),
            unique=job.unique,
            unique_for=(
                None
                if job.unique_for_seconds is None
                else timedelta(seconds=job.unique_for_seconds)
            ),
        ),
    )
