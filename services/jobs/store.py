"""The statements of the jobs service, by name, besides those of the chassis and of webhooks.

All raise Unavailable when PostgreSQL cannot be reached.
"""

from datetime import timedelta
from typing import Any, NamedTuple
from uuid import UUID

from shared.chassis.database import Executor, Record, Transaction
from shared.chassis.queries import load_queries
from shared.schemas.api.events import EventType

SQL = load_queries(__file__)


class ClaimedAttempts(NamedTuple):
    """How far a claimed job is with its attempts."""

    queue: str
    attempts: int
    max_attempts: int


async def claim_jobs(
    executor: Executor, queue: str, limit: int, worker: str, lease: timedelta
) -> list[Record]:
    """Take up to `limit` due jobs under a lease, in their order; the queue's limits hold."""
    return await executor.fetch(SQL["claim_jobs"], queue, limit, worker, lease)


async def find_claim(executor: Executor, job_id: UUID, prefix: str) -> str | None:
    """Return the claim that a caller holds on a job, whichever of its workers made it."""
    claim: str | None = await executor.fetchval(SQL["find_claim"], job_id, prefix)
    return claim


async def lock_claimed_job(
    transaction: Transaction, job_id: UUID, claim: str
) -> ClaimedAttempts | None:
    """Return the attempts of a job that is claimed so, and let nobody else change it meanwhile."""
    row = await transaction.fetchrow(SQL["lock_claimed_job"], job_id, claim)
    return None if row is None else ClaimedAttempts(*row)


async def queue_of_job(executor: Executor, job_id: UUID) -> str | None:
    """Return which queue a job is in."""
    queue: str | None = await executor.fetchval(SQL["read_queue_of_job"], job_id)
    return queue


async def put_event_type(
    executor: Executor, name: str, schema: dict[str, Any], description: str | None
) -> EventType:
    """Register an event type, or change it; a changed schema is a new version."""
    return _event_type(await executor.fetchrow(SQL["put_event_type"], name, schema, description))


async def find_event_type(executor: Executor, name: str) -> EventType | None:
    """Return an event type that can be emitted."""
    row = await executor.fetchrow(SQL["find_event_type"], name)
    return None if row is None else _event_type(row)


async def list_event_types(executor: Executor, *, after: str, limit: int) -> list[EventType]:
    """Return event types by name, after a name."""
    return [_event_type(row) for row in await executor.fetch(SQL["list_event_types"], after, limit)]


async def delete_event_type(executor: Executor, name: str) -> bool:
    """Let nobody emit the type any more; return whether there was one."""
    return await executor.fetchval(SQL["delete_event_type"], name) is not None


def _event_type(row: Record) -> EventType:
    return EventType(
        type=row["name"],
        version=row["version"],
        schema=row["schema"],
        description=row["description"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
    )
