"""What keeps a queue's rows few, its statistics fresh and its figures visible."""

import asyncio
import contextlib
import logging

from shared.chassis.database import Database
from shared.chassis.errors import Unavailable
from shared.chassis.jobs import leases
from shared.chassis.jobs.statements import SQL
from shared.chassis.lifecycle import Lifecycle
from shared.chassis.outbox import Outbox
from shared.chassis.telemetry import metrics

logger = logging.getLogger(__name__)

ROUND_SECONDS = 2.0
MEASURE_ROUNDS = 5
PRUNE_BATCH = 5000
LONGEST_TOLD_CAUSE = 200
ANALYZE_CHANGES = 5000
"""Rows that may change before the planner looks again, if they are a tenth of the table."""


class JobHousekeeping:
    """Tidies queues every few seconds, in each process that works on them.

    Doing it twice at once is harmless: every statement looks for what is left to do.
    """

    def __init__(self, database: Database, lifecycle: Lifecycle) -> None:
        self._database = database
        self._conditions = lifecycle.conditions
        self._outbox = Outbox(database.schema)

    async def run(self, queue: str) -> None:
        """Tidy one queue until cancelled; a database that is away is waited for."""
        rounds = 0
        while True:
            with contextlib.suppress(Unavailable):
                await self.prune(queue)
                await self.analyze()
                if rounds % MEASURE_ROUNDS == 0:
                    await self.fail_deadly(queue)
                    await self.measure(queue)
            rounds += 1
            await asyncio.sleep(ROUND_SECONDS)

    async def prune(self, queue: str) -> None:
        """Drop the ended jobs that the queue does not keep."""
        while True:
            tag = await self._database.execute(SQL["prune_jobs"], queue)
            if int(tag.split()[-1]) < PRUNE_BATCH:
                return

    async def analyze(self) -> None:
        """Refresh the planner's statistics if the table has changed much."""
        row = await self._database.fetchrow(SQL["jobs_changed_since_analyze"])
        if row is not None and row["changed"] > max(ANALYZE_CHANGES, row["live"] // 10):
            await self._database.execute(SQL["analyze_jobs"])

    async def fail_deadly(self, queue: str) -> None:
        """End the jobs that kill their workers."""
        async with self._database.transaction() as transaction:
            given_up = await leases.fail_deadly(transaction, self._outbox, queue)
        if given_up:
            logger.error(
                "jobs were given up because their workers died",
                extra={"action": "jobs_deadly", "queue": queue, "jobs": given_up},
            )

    async def measure(self, queue: str) -> None:
        """Set the queue's gauges, and tell of failed jobs."""
        [row] = await self._database.fetch(SQL["queue_depths"], queue)
        for state in ("scheduled", "queued", "running", "failed"):
            metrics.JOBS_DEPTH.labels(queue, state).set(row[state])
        metrics.JOBS_AGE.labels(queue).set(row["oldest_age_seconds"])
        condition = f"failed_jobs:{queue}"
        if not row["failed"]:
            self._conditions.clear(condition)
            return
        self._conditions.raise_condition(
            condition,
            f"{row['failed']} jobs of {self._database.schema}'s queue {queue} have failed for "
            f"good, the last because: {(row['last_cause'] or 'unknown')[:LONGEST_TOLD_CAUSE]}",
            "read all with GET /v1/jobs?state=failed and the queue's name, then retry or delete",
            failing=False,
        )
