"""Keeps the queues whose workers are elsewhere: applications that claim jobs over HTTP."""

import asyncio
import logging

from shared.chassis.bus import Bus
from shared.chassis.database import Database
from shared.chassis.errors import Unavailable
from shared.chassis.jobs import leases
from shared.chassis.jobs.housekeeping import JobHousekeeping
from shared.chassis.jobs.statements import SQL
from shared.chassis.lifecycle import BackgroundTask, Lifecycle, end

logger = logging.getLogger(__name__)

POLL_SECONDS = 0.5
RETRY_SECONDS = 1.0
TIDY_SECONDS = 10.0
HOLD_SECONDS = 20.0
"""For how long leases go unjudged after a jump of the clock."""


class QueueKeeper(BackgroundTask):
    """Does for every queue of a schema what a JobWorker does for its own.

    Jobs become claimable when their time has come, those of dead workers are given back, ended
    ones are pruned, and figures are kept. Several at once do no harm.
    """

    name = "queue keeper"

    def __init__(self, database: Database, bus: Bus, lifecycle: Lifecycle) -> None:
        super().__init__(lifecycle)
        self._database = database
        self._bus = bus
        self._clock = leases.ClockGuard(HOLD_SECONDS)
        self._housekeeping = JobHousekeeping(database, lifecycle)

    async def run(self) -> None:
        """Keep until cancelled; a database that is away is waited for."""
        tidying = self.aide(self._tidy(), "queues' housekeeping")
        try:
            while True:
                try:
                    await self._advance()
                    await asyncio.sleep(POLL_SECONDS)
                except Unavailable:
                    await asyncio.sleep(RETRY_SECONDS)
        finally:
            await end(tidying)

    async def _advance(self) -> None:
        for row in await self._database.fetch(SQL["queues_to_advance"]):
            claimable, _ = await leases.advance(self._database, row["queue"], self._clock)
            if claimable:
                self._bus.wake(row["queue"])

    async def _tidy(self) -> None:
        while True:
            try:
                await self._housekeeping.analyze()
                for row in await self._database.fetch(SQL["queues_with_ended_jobs"]):
                    await self._housekeeping.prune(row["queue"])
                    await self._housekeeping.fail_deadly(row["queue"])
                    await self._housekeeping.measure(row["queue"])
            except Unavailable:
                logger.info("housekeeping waits for PostgreSQL", extra={"action": "tidy_waits"})
            await asyncio.sleep(TIDY_SECONDS)
