"""Runs the jobs of one queue."""

import asyncio
import contextlib
import functools
import logging
import os
import time
from collections import defaultdict
from collections.abc import Mapping
from datetime import timedelta
from uuid import UUID

from uuid_utils.compat import uuid7

from shared.chassis.database import Database, Record
from shared.chassis.errors import Unavailable
from shared.chassis.jobs import leases
from shared.chassis.jobs.attempts import Attempts
from shared.chassis.jobs.commands import Job
from shared.chassis.jobs.housekeeping import JobHousekeeping
from shared.chassis.jobs.running import Batched, JobHandler
from shared.chassis.jobs.statements import SQL
from shared.chassis.jobs.wakeups import Wakeups
from shared.chassis.lifecycle import BackgroundTask, Lifecycle, end

logger = logging.getLogger(__name__)

LEASE = timedelta(seconds=15)
RENEW_SECONDS = 5.0
POLL_SECONDS = 1.0
RETRY_SECONDS = 1.0
DRAIN_SECONDS = 10.0
SHORTEST_WAIT_SECONDS = 0.01


class JobWorker(BackgroundTask):
    """Claims due jobs under a lease and runs up to `concurrency` of them at once.

    Postgres holds the jobs; the bus only wakes, and what a lost wake-up costs is the poll of one
    second. A dead worker's lease runs out and another takes the job. At `stop` running jobs get
    ten seconds to finish; the rest is given back without using up an attempt.
    """

    name = "job worker"

    def __init__(
        self,
        database: Database,
        wakeups: Wakeups,
        lifecycle: Lifecycle,
        *,
        queue: str,
        handlers: Mapping[type[Job], JobHandler | Batched],
        concurrency: int = 5,
    ) -> None:
        super().__init__(lifecycle)
        self._database = database
        self._wakeups = wakeups
        self._queue = queue
        self._concurrency = concurrency
        self._worker = f"{queue}:{os.getpid()}:{uuid7()}"
        self._attempts = Attempts(database, handlers, worker=self._worker)
        self._clock = leases.ClockGuard(hold_seconds=LEASE.total_seconds() + RENEW_SECONDS)
        self._housekeeping = JobHousekeeping(database, lifecycle)
        self._running: dict[UUID, asyncio.Task[None]] = {}
        self._advance_at = 0.0
        self._woken = asyncio.Event()
        self._claiming = asyncio.Lock()
        self._draining = asyncio.Event()

    async def run(self) -> None:
        """Work until cancelled; a lost server is waited for."""
        aides = [
            self.aide(self._renew(), "job leases"),
            self.aide(self._housekeeping.run(self._queue), "job housekeeping"),
        ]
        try:
            with self._wakeups.of(self._queue, self._woken):
                while not self._draining.is_set():
                    self._woken.clear()
                    try:
                        async with self._claiming:
                            may_be_more = await self._round()
                        if not may_be_more:
                            await self._wait()
                    except Unavailable:
                        await asyncio.sleep(RETRY_SECONDS)
            await asyncio.Event().wait()  # leases are renewed until the drain is over
        finally:
            await end(*aides)

    async def drain(self) -> None:
        """Claim no more, let running jobs finish, and give back what does not in time."""
        self._draining.set()
        self._woken.set()
        async with self._claiming:  # what is being claimed now has to be given back too
            tasks = dict(self._running)
        if not tasks:
            return
        _, unfinished = await asyncio.wait(set(tasks.values()), timeout=DRAIN_SECONDS)
        for task in unfinished:
            task.cancel()
        await asyncio.gather(*unfinished, return_exceptions=True)
        left = [job_id for job_id, task in tasks.items() if task in unfinished]
        if left:
            with contextlib.suppress(Unavailable):
                await self._database.execute(SQL["give_back_jobs"], self._worker, left)

    async def _round(self) -> bool:
        """Claim what fits and start it; return whether there may be more."""
        if time.monotonic() >= self._advance_at:
            _, next_due = await leases.advance(self._database, self._queue, self._clock)
            wait = POLL_SECONDS if next_due is None else min(next_due, POLL_SECONDS)
            self._advance_at = time.monotonic() + max(wait, SHORTEST_WAIT_SECONDS)
        free = self._concurrency - len(self._running)
        if free <= 0 or self._draining.is_set():
            return False
        rows = await leases.claim(self._database, self._queue, free, self._worker, LEASE)
        by_kind = defaultdict(list)
        for row in rows:
            by_kind[row["kind"]].append(row)
        for kind, of_kind in by_kind.items():
            size = self._attempts.batch_size(kind)
            for first in range(0, len(of_kind), size):
                self._begin(of_kind[first : first + size])
        return len(rows) == free

    def _begin(self, rows: list[Record]) -> None:
        task = asyncio.create_task(self._attempts.run(rows), name=f"job {rows[0]['id']}")
        ids = [row["id"] for row in rows]
        self._running.update(dict.fromkeys(ids, task))
        task.add_done_callback(functools.partial(self._ended, ids))

    def _ended(self, job_ids: list[UUID], _: asyncio.Task[None]) -> None:
        for job_id in job_ids:
            self._running.pop(job_id, None)
        self._woken.set()

    async def _wait(self) -> None:
        left = self._advance_at - time.monotonic()
        if left <= 0:
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(left):
                await self._woken.wait()

    async def _renew(self) -> None:
        while True:
            await asyncio.sleep(RENEW_SECONDS)
            held = list(self._running)
            if not held:
                continue
            with contextlib.suppress(Unavailable):
                rows = await self._database.fetch(SQL["renew_leases"], self._worker, held)
                for job_id in set(held) - {row["id"] for row in rows}:
                    # A job that has just completed is no longer running either.
                    if self._attempts.abandon(job_id):
                        logger.warning(
                            "a job was cancelled, or its lease is gone",
                            extra={"action": "lease_gone", "job_id": job_id},
                        )
