"""Attempts at jobs: what a handler did, and what becomes of the job."""

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from pydantic import ValidationError

from shared.chassis.database import Database, Record
from shared.chassis.errors import PermanentFailure, Unavailable
from shared.chassis.jobs import leases
from shared.chassis.jobs.commands import Job
from shared.chassis.jobs.leases import Outcome
from shared.chassis.jobs.running import (
    Batched,
    JobHandler,
    LeaseLost,
    RunningBatch,
    RunningJob,
)
from shared.chassis.jobs.statements import SQL
from shared.chassis.outbox import Outbox
from shared.chassis.payloads import PayloadTooLarge
from shared.chassis.telemetry import metrics
from shared.chassis.telemetry.tracing import traceparent

logger = logging.getLogger(__name__)

POSTPONE = timedelta(seconds=3)


class Attempts:
    """Runs claimed jobs by their handlers and records how each attempt ended."""

    def __init__(
        self,
        database: Database,
        handlers: Mapping[type[Job], JobHandler | Batched],
        *,
        worker: str,
    ) -> None:
        self._database = database
        self._handlers = {job.kind: (job, handler) for job, handler in handlers.items()}
        self._worker = worker
        self._outbox = Outbox(database.schema)
        self._held: set[UUID] = set()
        self._in_hand: dict[UUID, RunningJob[Any]] = {}
        self._scopes: dict[UUID, asyncio.Timeout] = {}

    def batch_size(self, kind: str) -> int:
        """Return how many jobs of a kind one call of `run` takes."""
        handler = self._handlers[kind][1] if kind in self._handlers else None
        return handler.size if isinstance(handler, Batched) else 1

    def abandon(self, job_id: UUID) -> bool:
        """Stop an attempt at a job that is not held any more; return whether there was one.

        The others of its batch are tried each by itself.
        """
        job = self._in_hand.get(job_id)
        if job_id not in self._held or (job is not None and job.completed):
            return False
        self._held.discard(job_id)
        scope = self._scopes.get(job_id)
        if scope is not None and not scope.expired():
            scope.reschedule(asyncio.get_running_loop().time())
        return True

    async def run(self, rows: list[Record]) -> None:
        """Attempt jobs of one kind, together if there are several; raises only when cancelled.

        A cancelled attempt records nothing: the jobs are given back by who cancels.
        """
        ids = {row["id"] for row in rows}
        self._held |= ids
        try:
            if len(rows) > 1 and await self._run_together(rows):
                return
            for row in rows:
                if row["id"] in self._held:
                    await self._run_alone(row)
        finally:
            self._held -= ids

    @contextlib.asynccontextmanager
    async def _in_time(self, jobs: Sequence[RunningJob[Any]]) -> AsyncIterator[None]:
        async with asyncio.timeout(jobs[0].command.timeout_seconds) as scope:
            self._scopes.update((job.id, scope) for job in jobs)
            try:
                yield
            finally:
                for job in jobs:
                    del self._scopes[job.id]

    async def _run_together(self, rows: list[Record]) -> bool:
        started = time.monotonic()
        kind, queue = rows[0]["kind"], rows[0]["queue"]
        try:
            jobs = [self._decode(row) for row in rows]
            handler = self._handlers[kind][1]
            if not isinstance(handler, Batched):
                return False
            batch = RunningBatch(self._database, jobs, self._worker)
            async with self._in_time(jobs):
                await handler.run(batch)
            if not all(job.completed for job in jobs):
                async with batch.completion():
                    pass
        except Exception:
            logger.warning(
                "a batch of jobs failed; each is tried by itself",
                exc_info=True,
                extra={"action": "batch_failed", "kind": kind, "jobs": len(rows)},
            )
            return False
        finally:
            for row in rows:
                self._in_hand.pop(row["id"], None)
        seconds = (time.monotonic() - started) / len(rows)
        finished = metrics.JOBS_FINISHED.labels(queue, kind, Outcome.COMPLETED)
        finished.inc(len(rows))
        duration = metrics.JOB_DURATION.labels(queue, kind)
        for row in rows:
            duration.observe(seconds)
            self._observe_wait(row)
        return True

    async def _run_alone(self, row: Record) -> None:
        started = time.monotonic()
        trace = traceparent.set(row["traceparent"])
        queue, kind = row["queue"], row["kind"]
        self._observe_wait(row)
        try:
            outcome = await self._outcome(row)
        except Unavailable:
            # The result could not be recorded: the lease runs out and the job runs again, and
            # its effect has not been committed either.
            outcome = Outcome.LOST
        finally:
            self._held.discard(row["id"])
            self._in_hand.pop(row["id"], None)
            traceparent.reset(trace)
        metrics.JOBS_FINISHED.labels(queue, kind, outcome).inc()
        metrics.JOB_DURATION.labels(queue, kind).observe(time.monotonic() - started)

    async def _outcome(self, row: Record) -> Outcome:
        try:
            job = self._decode(row)
            handler = self._handlers[row["kind"]][1]
            async with self._in_time([job]):
                if isinstance(handler, Batched):
                    await handler.run(RunningBatch(self._database, [job], self._worker))
                else:
                    await handler(job)
            if not job.completed:
                async with job.completion():
                    pass
        except LeaseLost:
            return Outcome.LOST
        except (PermanentFailure, PayloadTooLarge) as error:
            return await self._fail(row, str(error))
        except Unavailable as error:
            return await self._postpone(row, error)
        except Exception as error:  # noqa: BLE001 - whatever a handler raises fails its attempt
            return await self._fail_attempt(row, error)
        return Outcome.COMPLETED

    def _decode(self, row: Record) -> RunningJob[Any]:
        try:
            command = self._handlers[row["kind"]][0].model_validate(row["payload"])
        except (LookupError, ValidationError) as error:
            raise PermanentFailure(f"the job could not be read: {error!r}") from error
        job: RunningJob[Any] = RunningJob(
            self._database,
            job_id=row["id"],
            command=command,
            attempt=row["attempts"],
            worker=self._worker,
        )
        self._in_hand[job.id] = job
        return job

    async def _postpone(self, row: Record, error: Unavailable) -> Outcome:
        # A part of the house that is down is not the job's failure, so no attempt is used up.
        if error.dependency == "postgres":
            raise error
        logger.warning(
            "a job waits for a part to come back",
            extra={"action": "job_waits", "kind": row["kind"], "dependency": error.dependency},
        )
        await self._database.execute(SQL["postpone_job"], row["id"], self._worker, POSTPONE)
        return Outcome.POSTPONED

    async def _fail_attempt(self, row: Record, error: Exception) -> Outcome:
        if row["id"] not in self._held:
            return Outcome.LOST
        logger.error(
            "a job's attempt failed",
            exc_info=error,
            extra={"action": "job_failed", "kind": row["kind"], "job_id": row["id"]},
        )
        if row["attempts"] >= row["max_attempts"]:
            return await self._fail(row, _cause(error))
        return await self._retry(row, _cause(error))

    async def _retry(self, row: Record, cause: str) -> Outcome:
        job, _ = self._handlers[row["kind"]]
        delay = leases.backoff(
            row["attempts"],
            first_seconds=job.backoff_seconds,
            limit_seconds=job.backoff_limit_seconds,
        )
        return await leases.retry(self._database, row["id"], self._worker, cause=cause, delay=delay)

    async def _fail(self, row: Record, cause: str) -> Outcome:
        logger.error(
            "a job failed for good",
            extra={"action": "job_gave_up", "kind": row["kind"], "cause": cause},
        )
        async with self._database.transaction() as transaction:
            return await leases.fail(
                transaction, self._outbox, row["id"], self._worker, cause=cause
            )

    def _observe_wait(self, row: Record) -> None:
        wait = (row["started_at"] - row["run_at"]).total_seconds()
        metrics.JOB_WAIT.labels(row["queue"]).observe(max(wait, 0.0))


def _cause(error: Exception) -> str:
    if isinstance(error, TimeoutError) and not error.args:
        return "the attempt took longer than its kind may"
    return repr(error)
