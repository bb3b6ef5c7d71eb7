"""Runs the jobs of one queue."""

import asyncio
import contextlib
import functools
import logging
import os
import random
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from pydantic import ValidationError
from uuid_utils.compat import uuid7

from shared.chassis.bus import BUS_ERRORS, WAKE_EXCHANGE, Bus, close_quietly, open_channel
from shared.chassis.database import SQL, Database, Record
from shared.chassis.errors import PermanentFailure, Unavailable
from shared.chassis.jobs.commands import Job
from shared.chassis.jobs.running import JobHandler, LeaseLost, RunningJob
from shared.chassis.lifecycle import BackgroundTask, Lifecycle, end
from shared.chassis.telemetry import metrics
from shared.chassis.telemetry.tracing import traceparent

logger = logging.getLogger(__name__)

LEASE = timedelta(seconds=15)
RENEW_SECONDS = 5.0
POSTPONE = timedelta(seconds=3)
POLL_SECONDS = 1.0
RETRY_SECONDS = 1.0
DRAIN_SECONDS = 10.0
HOUSEKEEPING_SECONDS = 10.0


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
        bus: Bus,
        lifecycle: Lifecycle,
        *,
        queue: str,
        handlers: Mapping[type[Job], JobHandler],
        concurrency: int = 5,
    ) -> None:
        super().__init__(lifecycle)
        self._database = database
        self._bus = bus
        self._queue = queue
        self._handlers = {job.kind: (job, run) for job, run in handlers.items()}
        self._concurrency = concurrency
        self._worker = f"{queue}:{os.getpid()}:{uuid7()}"
        self._running: dict[UUID, asyncio.Task[None]] = {}
        self._woken = asyncio.Event()
        self._draining = False

    async def run(self) -> None:
        """Work until cancelled; a lost server is waited for."""
        aides = [
            asyncio.create_task(self._listen(), name="job wake-ups"),
            asyncio.create_task(self._renew(), name="job leases"),
            asyncio.create_task(self._keep_house(), name="job housekeeping"),
        ]
        try:
            while not self._draining:
                self._woken.clear()
                free = self._concurrency - len(self._running)
                claimed = await self._claim(free) if free > 0 else 0
                if claimed < free or free <= 0:
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(POLL_SECONDS):
                            await self._woken.wait()
            await asyncio.Event().wait()  # leases are renewed until the drain is over
        finally:
            await end(*aides)

    async def drain(self) -> None:
        """Claim no more, let running jobs finish, and give back what does not in time."""
        self._draining = True
        self._woken.set()
        tasks = dict(self._running)
        if not tasks:
            return
        _, unfinished = await asyncio.wait(tasks.values(), timeout=DRAIN_SECONDS)
        for task in unfinished:
            task.cancel()
        await asyncio.gather(*unfinished, return_exceptions=True)
        left = [job_id for job_id, task in tasks.items() if task in unfinished]
        if left:
            with contextlib.suppress(Unavailable):
                await self._database.execute(SQL["give_back_jobs"], self._worker, left)

    async def _claim(self, limit: int) -> int:
        try:
            rows = await self._database.fetch(
                SQL["claim_jobs"], self._queue, limit, self._worker, LEASE
            )
        except Unavailable:
            await asyncio.sleep(RETRY_SECONDS)
            return 0
        for row in rows:
            task = asyncio.create_task(self._attempt(row), name=f"job {row['id']}")
            self._running[row["id"]] = task
            task.add_done_callback(functools.partial(self._ended, row["id"]))
        return len(rows)

    def _ended(self, job_id: UUID, _: asyncio.Task[None]) -> None:
        self._running.pop(job_id, None)
        self._woken.set()

    async def _attempt(self, row: Record) -> None:
        started = time.monotonic()
        trace = traceparent.set(row["traceparent"])
        kind = row["kind"]
        try:
            outcome = await self._outcome(row)
        except Unavailable:
            # The result could not be recorded: the lease runs out and the job runs again, and
            # its effect has not been committed either.
            outcome = "lost"
        finally:
            traceparent.reset(trace)
        metrics.JOBS_FINISHED.labels(self._queue, kind, outcome).inc()
        metrics.JOB_DURATION.labels(self._queue, kind).observe(time.monotonic() - started)

    async def _outcome(self, row: Record) -> str:
        try:
            command, handler = self._decode(row)
            job = RunningJob(
                self._database,
                job_id=row["id"],
                command=command,
                attempt=row["attempts"],
                worker=self._worker,
            )
            async with asyncio.timeout(command.timeout_seconds):
                await handler(job)
            if not job.completed:
                async with job.completion():
                    pass
        except LeaseLost:
            return "lost"
        except PermanentFailure as error:
            return await self._fail(row, str(error))
        except Unavailable as error:
            return await self._postpone(row, error)
        except Exception as error:
            logger.exception(
                "a job's attempt failed",
                extra={"action": "job_failed", "kind": row["kind"], "job_id": row["id"]},
            )
            if row["attempts"] >= row["max_attempts"]:
                return await self._fail(row, repr(error))
            return await self._retry(row, repr(error))
        return "completed"

    def _decode(self, row: Record) -> tuple[Job, JobHandler]:
        try:
            job, handler = self._handlers[row["kind"]]
            return job.model_validate(row["payload"]), handler
        except (LookupError, ValidationError) as error:
            raise PermanentFailure(f"the job could not be read: {error!r}") from error

    async def _postpone(self, row: Record, error: Unavailable) -> str:
        # A part of the house that is down is not the job's failure, so no attempt is used up.
        if error.dependency == "postgres":
            raise error
        logger.warning(
            "a job waits for a part to come back",
            extra={"action": "job_waits", "kind": row["kind"], "dependency": error.dependency},
        )
        await self._database.execute(SQL["postpone_job"], row["id"], self._worker, POSTPONE)
        return "postponed"

    async def _retry(self, row: Record, cause: str) -> str:
        job, _ = self._handlers[row["kind"]]
        delay = min(job.backoff_seconds * 2 ** (row["attempts"] - 1), job.backoff_limit_seconds)
        delay *= random.uniform(0.8, 1.2)  # noqa: S311 - jitter needs no cryptography
        await self._database.execute(
            SQL["retry_job"], row["id"], self._worker, _error(cause), timedelta(seconds=delay)
        )
        return "retried"

    async def _fail(self, row: Record, cause: str) -> str:
        logger.error(
            "a job failed for good",
            extra={"action": "job_gave_up", "kind": row["kind"], "cause": cause},
        )
        await self._database.execute(SQL["fail_job"], row["id"], self._worker, _error(cause))
        return "failed"

    async def _renew(self) -> None:
        while True:
            await asyncio.sleep(RENEW_SECONDS)
            held = list(self._running)
            if not held:
                continue
            with contextlib.suppress(Unavailable):
                rows = await self._database.fetch(SQL["renew_leases"], self._worker, held, LEASE)
                for job_id in set(held) - {row["id"] for row in rows}:
                    if (task := self._running.get(job_id)) and not task.done():
                        self._cancel_if_lost(job_id, task)

    def _cancel_if_lost(self, job_id: UUID, task: asyncio.Task[None]) -> None:
        # A job that has just completed is no longer running either; its task ends by itself.
        asyncio.get_running_loop().call_later(RENEW_SECONDS, task.cancel)
        logger.warning("a job's lease is gone", extra={"action": "lease_gone", "job_id": job_id})

    async def _listen(self) -> None:
        while True:
            with contextlib.suppress(Unavailable, *BUS_ERRORS):
                connection = await self._bus.connect(f"wake {self._queue}")
                try:
                    channel = await open_channel(connection, confirms=False)
                    queue = await channel.declare_queue(
                        f"{self._bus.service}.wake.{self._queue}.{uuid7()}",
                        exclusive=True,
                        auto_delete=True,
                        arguments={"x-max-length": 1},
                    )
                    await queue.bind(WAKE_EXCHANGE, f"{self._bus.service}.{self._queue}")
                    async with queue.iterator(no_ack=True) as wakes:
                        async for _ in wakes:
                            self._woken.set()
                finally:
                    await close_quietly(connection)
            await asyncio.sleep(RETRY_SECONDS)

    async def _keep_house(self) -> None:
        while True:
            with contextlib.suppress(Unavailable):
                await self._database.fetch(SQL["fail_deadly_jobs"], self._queue)
                await self._database.execute(SQL["prune_jobs"], self._queue)
                self._measure(await self._database.fetch(SQL["job_depths"], self._queue))
            await asyncio.sleep(HOUSEKEEPING_SECONDS)

    def _measure(self, rows: list[Record]) -> None:
        by_state = {row["state"]: row for row in rows}
        for state in ("queued", "running", "failed"):
            depth = by_state[state]["depth"] if state in by_state else 0
            metrics.JOBS_DEPTH.labels(self._queue, state).set(depth)
        oldest = by_state["queued"]["oldest_age_seconds"] if "queued" in by_state else 0.0
        metrics.JOBS_AGE.labels(self._queue).set(oldest)


def _error(cause: str) -> list[dict[str, Any]]:
    return [{"at": datetime.now(UTC).isoformat(), "error": cause[:2000]}]
