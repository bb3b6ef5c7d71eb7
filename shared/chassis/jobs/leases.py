"""What whoever works on jobs may do with them: our workers, and those of applications over HTTP.

A claimed job belongs to its claimant until the lease runs out; each function here changes a job
only for the one who holds it.
"""

import random
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, Final, NamedTuple
from uuid import UUID

from shared.chassis.database import Executor, Record, Transaction
from shared.chassis.jobs.statements import SQL
from shared.chassis.outbox import Outbox
from shared.chassis.payloads import MAXIMUM_RESULT_BYTES, require_payload
from shared.schemas.events.jobs import JobFailed

CLOCK_TOLERANCE_SECONDS: Final = 5.0
LONGEST_CAUSE: Final = 2000
DEATHS_CAUSE: Final = "ten workers died while they ran this job"


class Outcome(StrEnum):
    """How an attempt ended."""

    COMPLETED = "completed"
    RETRIED = "retried"
    POSTPONED = "postponed"
    FAILED = "failed"
    LOST = "lost"


class ClockGuard:
    """Knows where the database's clock should be, by this process' steady one.

    After a jump nobody's lease is judged for a while, so that the living can renew theirs: a
    clock set forward by an hour would otherwise give every running job to a second worker.
    """

    def __init__(self, hold_seconds: float) -> None:
        """Take for how long leases go unjudged after a jump: longer than one lasts."""
        self._hold_seconds = hold_seconds
        self._seen: tuple[datetime, float] | None = None
        self._held_until = 0.0
        self.jump_seconds = 0.0
        """How far the last look was off; positive when the clock was set forward."""

    def expected(self) -> datetime | None:
        """Return what the database's clock should say now, or None while leases go unjudged."""
        steady = time.monotonic()
        if self._seen is None or steady < self._held_until:
            return None
        now, at = self._seen
        return now + timedelta(seconds=steady - at)

    def look(self, now: datetime) -> bool:
        """Take what the database's clock said just now; return whether it has jumped."""
        steady = time.monotonic()
        seen, self._seen = self._seen, (now, steady)
        if seen is None:
            return False
        self.jump_seconds = (now - seen[0]).total_seconds() - (steady - seen[1])
        jumped = abs(self.jump_seconds) > CLOCK_TOLERANCE_SECONDS
        if jumped:
            self._held_until = steady + self._hold_seconds
        return jumped


async def claim(
    executor: Executor, queue: str, limit: int, worker: str, lease: timedelta
) -> list[Record]:
    """Take up to `limit` due jobs under a lease, in their order; the queue's limits hold."""
    return await executor.fetch(SQL["claim_jobs"], queue, limit, worker, lease)


class Advance(NamedTuple):
    """What a look at a queue brought."""

    claimable: int
    """Jobs that have just become so."""
    next_due_seconds: float | None
    """Until the next job is due; None if none waits for its time."""


async def advance(executor: Executor, queue: str, clock: ClockGuard) -> Advance:
    """Make due jobs claimable and give those of dead workers back."""
    [row] = await executor.fetch(
        SQL["advance_queue"], queue, clock.expected(), CLOCK_TOLERANCE_SECONDS
    )
    clock.look(row["now"])
    return Advance(row["due"] + row["rescued"], row["next_due_seconds"])


async def renew(
    executor: Executor,
    job_id: UUID,
    worker: str,
    *,
    lease: timedelta | None = None,
    progress: Any = None,
) -> datetime | None:
    """Keep a job for another lease and return its end, None when it is no longer held."""
    require_payload(progress, MAXIMUM_RESULT_BYTES)
    until: datetime | None = await executor.fetchval(
        SQL["renew_lease"], job_id, worker, lease, progress
    )
    return until


async def report_progress(executor: Executor, job_id: UUID, worker: str, progress: Any) -> bool:
    """Store how far a job got; return whether it is still held."""
    require_payload(progress, MAXIMUM_RESULT_BYTES)
    held = await executor.fetchval(SQL["report_progress"], job_id, worker, progress)
    return held is not None


async def complete(
    transaction: Transaction, job_ids: Sequence[UUID], worker: str, result: Any
) -> bool:
    """Mark jobs as completed; return whether all were held. If not, roll back."""
    require_payload(result, MAXIMUM_RESULT_BYTES)
    rows = await transaction.fetch(SQL["complete_jobs"], job_ids, worker, result)
    return len(rows) == len(job_ids)


async def give_back(executor: Executor, job_ids: Sequence[UUID], worker: str) -> None:
    """Return jobs that are still held to their queue; that is no failed attempt."""
    await executor.execute(SQL["give_back_jobs"], worker, job_ids)


async def retry(
    executor: Executor, job_id: UUID, worker: str, *, cause: str, delay: timedelta
) -> Outcome:
    """Record a failed attempt; the job runs again after the delay."""
    held = await executor.fetchval(SQL["retry_job"], job_id, worker, _errors(cause), delay)
    return Outcome.LOST if held is None else Outcome.RETRIED


async def fail(
    transaction: Transaction, outbox: Outbox, job_id: UUID, worker: str, *, cause: str
) -> Outcome:
    """End a job that cannot be done and tell of it by `job.failed`."""
    row = await transaction.fetchrow(SQL["fail_job"], job_id, worker, _errors(cause))
    if row is None:
        return Outcome.LOST
    await _tell(transaction, outbox, [row], cause)
    return Outcome.FAILED


async def fail_deadly(transaction: Transaction, outbox: Outbox, queue: str) -> int:
    """End the jobs that took ten workers with them; return how many there were."""
    rows = await transaction.fetch(SQL["fail_deadly_jobs"], queue, _errors(DEATHS_CAUSE))
    await _tell(transaction, outbox, rows, DEATHS_CAUSE)
    return len(rows)


def backoff(attempt: int, *, first_seconds: float, limit_seconds: float) -> timedelta:
    """Return how long to wait after an attempt failed, 1 for the first: doubling, with jitter."""
    seconds = min(first_seconds * 2 ** min(attempt - 1, 32), limit_seconds)
    return timedelta(seconds=seconds * random.uniform(0.8, 1.2))  # noqa: S311 - jitter needs no cryptography


async def _tell(
    transaction: Transaction, outbox: Outbox, rows: Sequence[Record], cause: str
) -> None:
    failures = [
        JobFailed(
            job_id=row["id"],
            queue=row["queue"],
            kind=row["kind"],
            attempts=row["attempts"],
            cause=cause[:LONGEST_CAUSE],
        )
        for row in rows
    ]
    await outbox.emit_all(transaction, [(failed, str(failed.job_id)) for failed in failures])


def _errors(cause: str) -> list[dict[str, Any]]:
    text = cause[:LONGEST_CAUSE].replace("\x00", "�").encode("utf-8", "replace").decode()
    return [{"at": datetime.now(UTC).isoformat(), "error": text}]
