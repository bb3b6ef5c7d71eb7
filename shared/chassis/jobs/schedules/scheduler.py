"""Queues the jobs of schedules when their ticks come."""

import asyncio
import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from shared.chassis.database import Database, Record, Transaction
from shared.chassis.errors import Unavailable
from shared.chassis.jobs.commands import JobQueue, RawJob
from shared.chassis.jobs.schedules.records import Schedule, declare
from shared.chassis.jobs.schedules.statements import SQL
from shared.chassis.jobs.schedules.ticks import InvalidSchedule, next_tick, tick_after_set_back
from shared.chassis.lifecycle import BackgroundTask, Lifecycle

logger = logging.getLogger(__name__)

POLL_SECONDS: Final = 1.0
SOONEST_SECONDS: Final = 0.05
SET_ASIDE: Final = timedelta(hours=1)
"""How long a schedule rests that cannot be read any more."""


class JobScheduler(BackgroundTask):
    """Queues each schedule's job once a tick, however many processes run one of these.

    A tick is passed over while the job before still waits or runs. Ticks that were missed while
    nothing ran become one. Instants are of the database's clock: set forward, it makes one tick of
    those it jumped over; set back, it has schedules go by the new time, save that one of a fixed
    time is not repeated for less than three hours.
    """

    name = "job scheduler"

    def __init__(
        self,
        database: Database,
        jobs: JobQueue,
        lifecycle: Lifecycle,
        schedules: Sequence[Schedule] = (),
    ) -> None:
        """Take what the code declares; declared schedules that are stored besides are dropped."""
        super().__init__(lifecycle)
        self._database = database
        self._jobs = jobs
        self._schedules = schedules

    async def run(self) -> None:
        """Schedule until cancelled; a database that is away is waited for.

        Raises InvalidCron, InvalidTimezone or PayloadTooLarge for what the code declares.
        """
        is_declared = False
        while True:
            try:
                if not is_declared:
                    await self._declare()
                    is_declared = True
                pause = await self._tick()
            except Unavailable:
                pause = POLL_SECONDS
            await asyncio.sleep(pause)

    async def _declare(self) -> None:
        async with self._database.transaction() as transaction:
            await transaction.execute(SQL["lock_schedules"])
            now = await transaction.fetchval(SQL["current_instant"])
            for schedule in self._schedules:
                await declare(transaction, schedule, now)
            names = [schedule.name for schedule in self._schedules]
            await transaction.execute(SQL["forget_undeclared_schedules"], names)

    async def _tick(self) -> float:
        """Do what is due and return the seconds until there may be more."""
        async with self._database.transaction() as transaction:
            for row in await transaction.fetch(SQL["take_due_schedules"]):
                await self._take(transaction, row)
        seconds: float | None = await self._database.fetchval(SQL["seconds_until_next_run"])
        if seconds is None:
            return POLL_SECONDS
        return min(max(seconds, SOONEST_SECONDS), POLL_SECONDS)

    async def _take(self, transaction: Transaction, row: Record) -> None:
        is_due = row["next_run_at"] <= row["now"]
        queued = is_due and await self._enqueue(transaction, row)
        await transaction.execute(
            SQL["set_next_run"], row["name"], _next_run(row), row["now"], queued
        )

    async def _enqueue(self, transaction: Transaction, row: Record) -> bool:
        enqueued = await self._jobs.enqueue_raw(
            transaction,
            RawJob(
                queue=row["queue"],
                kind=row["kind"],
                payload=row["payload"],
                priority=row["priority"],
                max_attempts=row["max_attempts"],
                unique=f"schedule:{row['name']}",
                schedule=row["name"],
            ),
        )
        if not enqueued.inserted:
            logger.warning(
                "a tick was passed over because the job before has not ended",
                extra={
                    "action": "tick_passed_over",
                    "schedule": row["name"],
                    "job_id": enqueued.job_id,
                },
            )
        return enqueued.inserted


def _next_run(row: Record) -> datetime:
    try:
        if row["next_run_at"] <= row["now"]:
            return next_tick(row["cron"], row["timezone"], row["now"])
        return tick_after_set_back(
            row["cron"],
            row["timezone"],
            planned=row["next_run_at"],
            reckoned_at=row["updated_at"],
            now=row["now"],
        )
    except InvalidSchedule:
        # It was good when it was stored: the machine's time zones changed. The others go on.
        logger.exception(
            "a schedule cannot be read any more; it rests for an hour",
            extra={"action": "schedule_unreadable", "schedule": row["name"]},
        )
        now: datetime = row["now"]
        return now + SET_ASIDE
