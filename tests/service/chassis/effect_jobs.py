"""Jobs whose effect is a row, and workers for them."""

from typing import Any, ClassVar

from shared.chassis.jobs.commands import Enqueued, Job, JobQueue
from shared.chassis.jobs.running import RunningJob
from shared.chassis.jobs.worker import JobWorker
from tests.service.chassis.conftest import Messaging
from tests.service.chassis.effects import INSERT


class Effect(Job):
    kind: ClassVar[str] = "effect"
    queue: ClassVar[str] = "tests"
    backoff_seconds: ClassVar[float] = 0.05
    key: str


async def enqueue(messaging: Messaging, key: str, **options: Any) -> Enqueued:
    async with messaging.database.transaction() as transaction:
        return await JobQueue(messaging.bus).enqueue(transaction, Effect(key=key), **options)


async def record(job: RunningJob[Effect]) -> None:
    async with job.completion() as transaction:
        await transaction.execute(INSERT, job.command.key)


async def work(messaging: Messaging, handler: Any = record, **options: Any) -> JobWorker:
    """Start a worker; it stops with the test."""
    return await messaging.lifecycle.start(worker(messaging, {Effect: handler}, **options))


def worker(messaging: Messaging, handlers: Any, **options: Any) -> JobWorker:
    return JobWorker(
        messaging.database,
        messaging.wakeups,
        messaging.lifecycle,
        queue="tests",
        handlers=handlers,
        **options,
    )


async def states(messaging: Messaging) -> list[tuple[str, int]]:
    rows = await messaging.database.fetch(
        "SELECT state, attempts FROM jobs ORDER BY created_at, id"
    )
    return [(row["state"], row["attempts"]) for row in rows]


async def failures(messaging: Messaging) -> list[tuple[str, str]]:
    """Return the job and the cause of each `job.failed` that waits to be told."""
    rows = await messaging.database.fetch(
        "SELECT body FROM outbox WHERE routing_key = 'job.failed' ORDER BY id"
    )
    return [(row["body"]["data"]["job_id"], row["body"]["data"]["cause"]) for row in rows]
