"""Working jobs over HTTP: a claim is a lease, and only its holder changes the job."""

import asyncio
import secrets
from datetime import timedelta
from typing import Final
from uuid import UUID

from services.jobs import store
from services.jobs.access import Right, require_right, require_worker
from services.jobs.claiming import Claim, JobDoors
from services.jobs.enqueueing import enqueue, require_enqueueable
from services.jobs.values import require_storable
from shared.chassis.database import Database, Executor
from shared.chassis.errors import Problem
from shared.chassis.identity.tokens import Identity
from shared.chassis.jobs import leases
from shared.chassis.jobs.commands import JobQueue
from shared.chassis.outbox import Outbox
from shared.chassis.payloads import MAXIMUM_RESULT_BYTES
from shared.schemas.api.jobs import (
    ClaimedJob,
    ClaimedJobs,
    ClaimRequest,
    CompleteRequest,
    FailRequest,
    HeartbeatRequest,
    JobAccepted,
    JobCompleted,
    JobFailedAttempt,
    JobState,
    Lease,
)
from shared.schemas.problems import ProblemCode

FIRST_RETRY_SECONDS: Final = 5.0
LONGEST_RETRY_SECONDS: Final = 3600.0
TOKEN_BYTES: Final = 16


class Working:
    """Claims, renews and ends jobs for callers, each by its claim.

    The claim stands in the job's row as `key:<session>:<token>`: the session is the API key's id,
    so what one key claimed no other can end, and the token tells apart the workers of one key.
    """

    def __init__(self, database: Database, outbox: Outbox, jobs: JobQueue, doors: JobDoors) -> None:
        self._database = database
        self._outbox = outbox
        self._jobs = jobs
        self._doors = doors

    async def claim(
        self, identity: Identity, request: ClaimRequest, leaving: asyncio.Event
    ) -> ClaimedJobs:
        """Take due jobs under a lease, waiting for one for as long as was asked for.

        Returns none as soon as `leaving` is set or this process drains. Raises Problem.
        """
        require_right(identity, Right.WORK, request.queue)
        token = secrets.token_urlsafe(TOKEN_BYTES)
        rows = await self._doors.claim(
            Claim(
                queue=request.queue,
                limit=request.limit,
                worker=_claims_of(identity) + token,
                lease=timedelta(seconds=request.lease_seconds),
                wait_seconds=request.wait_seconds,
            ),
            leaving,
        )
        return ClaimedJobs(
            items=[ClaimedJob.model_validate({**row, "lease_token": token}) for row in rows]
        )

    async def heartbeat(self, identity: Identity, job_id: UUID, request: HeartbeatRequest) -> Lease:
        """Keep a job for another lease. Raises Problem `lease_lost`."""
        require_storable(request.progress, field="progress", maximum=MAXIMUM_RESULT_BYTES)
        claim = await self._claim(self._database, identity, job_id, request.lease_token)
        lease = None if request.lease_seconds is None else timedelta(seconds=request.lease_seconds)
        until = await leases.renew(
            self._database, job_id, claim, lease=lease, progress=request.progress
        )
        if until is None:
            raise Problem(ProblemCode.LEASE_LOST)
        return Lease(lease_until=until)

    async def complete(
        self, identity: Identity, job_id: UUID, request: CompleteRequest
    ) -> JobCompleted:
        """End a job with its result and queue what follows, all in one transaction.

        Raises Problem `lease_lost`, and then nothing is kept.
        """
        require_storable(request.result, field="result", maximum=MAXIMUM_RESULT_BYTES)
        for position, successor in enumerate(request.then):
            require_enqueueable(identity, successor, field=f"then.{position}.")
        async with self._database.transaction() as transaction:
            claim = await self._claim(transaction, identity, job_id, request.lease_token)
            if not await leases.complete(transaction, [job_id], claim, request.result):
                raise Problem(ProblemCode.LEASE_LOST)
            enqueued = [
                await enqueue(transaction, self._jobs, successor) for successor in request.then
            ]
        return JobCompleted(
            then=[JobAccepted(id=job_id, inserted=inserted) for job_id, inserted in enqueued]
        )

    async def fail(
        self, identity: Identity, job_id: UUID, request: FailRequest
    ) -> JobFailedAttempt:
        """Record a failed attempt: the job is tried again, or has failed for good.

        Raises Problem `lease_lost`.
        """
        async with self._database.transaction() as transaction:
            claim = await self._claim(transaction, identity, job_id, request.lease_token)
            job = await store.lock_claimed_job(transaction, job_id, claim)
            if job is None:
                raise Problem(ProblemCode.LEASE_LOST)
            if request.permanent or job.attempts >= job.max_attempts:
                await leases.fail(transaction, self._outbox, job_id, claim, cause=request.error)
                return JobFailedAttempt(state=JobState.FAILED)
            delay = _pause(job.attempts, request.retry_in_seconds)
            await leases.retry(transaction, job_id, claim, cause=request.error, delay=delay)
            return JobFailedAttempt(state=JobState.SCHEDULED)

    async def _claim(
        self, executor: Executor, identity: Identity, job_id: UUID, token: str | None
    ) -> str:
        require_worker(identity)
        prefix = _claims_of(identity)
        if token is not None:
            return prefix + token
        claim = await store.find_claim(executor, job_id, prefix)
        if claim is None:
            raise Problem(ProblemCode.LEASE_LOST)
        return claim


def _claims_of(identity: Identity) -> str:
    return f"key:{identity.session_id}:"


def _pause(attempt: int, wish_seconds: float | None) -> timedelta:
    if wish_seconds is not None:
        return timedelta(seconds=wish_seconds)
    return leases.backoff(
        attempt, first_seconds=FIRST_RETRY_SECONDS, limit_seconds=LONGEST_RETRY_SECONDS
    )
