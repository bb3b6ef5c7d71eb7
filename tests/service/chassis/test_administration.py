"""What administrators may do with jobs and queues."""

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from shared.chassis.database import Database
from shared.chassis.jobs import leases
from shared.chassis.jobs.administration.jobs import (
    JobAdministration,
    NoSuchJob,
    UniqueKeyTaken,
    WrongJobState,
)
from shared.chassis.jobs.administration.queues import QueueAdministration
from shared.chassis.jobs.commands import JobQueue, RawJob
from shared.schemas.api.jobs import COUNTED_AT_MOST, JobState, QueueSettingsUpdate

ENDED = {JobState.COMPLETED, JobState.FAILED, JobState.CANCELLED}
HOUR = timedelta(hours=1)
MANY = """
    INSERT INTO jobs (id, queue, kind, payload, state, max_attempts, run_at)
    SELECT gen_random_uuid(), $1, 'any', '{}', $2, 3, now() + number * interval '1 second'
      FROM generate_series(1, $3) AS number
"""


async def enqueue(database: Database, queue: str = "tests", **fields: Any) -> UUID:
    job = RawJob(**{"queue": queue, "kind": "any", "payload": {"n": 1}, **fields})
    async with database.transaction() as transaction:
        return (await JobQueue(None).enqueue_raw(transaction, job)).job_id


async def job_in(database: Database, state: JobState, **fields: Any) -> UUID:
    """Make a job in a state, with traces of an earlier life."""
    job_id = await enqueue(database, **fields)
    await database.execute(
        """UPDATE jobs SET state = $2, attempts = 2, deaths = 1, started_at = now(), result = '1',
                  progress = '2', errors = '[{"at": "2026-01-01T00:00:00Z", "error": "no"}]',
                  finished_at = CASE WHEN $3 THEN now() END,
                  worker = CASE WHEN $2 = 'running' THEN 'w' END,
                  lease_until = CASE WHEN $2 = 'running' THEN now() END
            WHERE id = $1""",
        job_id,
        state,
        state in ENDED,
    )
    return job_id


ACTIONS = {
    "retry": (ENDED, JobState.QUEUED),
    "run_now": ({JobState.SCHEDULED}, JobState.QUEUED),
    "cancel": ({JobState.SCHEDULED, JobState.QUEUED, JobState.RUNNING}, JobState.CANCELLED),
}


@pytest.mark.parametrize("state", list(JobState))
@pytest.mark.parametrize("action", list(ACTIONS))
async def test_actions_by_state(database: Database, action: str, state: JobState) -> None:
    jobs = JobAdministration(database)
    job_id = await job_in(database, state)
    before = await jobs.job(job_id)
    allowed, after = ACTIONS[action]
    if state not in allowed:
        with pytest.raises(WrongJobState, match=f"The job is {state}"):
            await getattr(jobs, action)(job_id)
        assert await jobs.job(job_id) == before
        return
    job = await getattr(jobs, action)(job_id)
    assert (job.state, job.errors) == (after, before.errors)
    assert (job.finished_at is None) == (after is not JobState.CANCELLED)
    if action == "retry":
        assert (job.attempts, job.result, job.progress, job.started_at) == (0, None, None, None)
    else:
        assert job.attempts == 2


@pytest.mark.parametrize("state", list(JobState))
async def test_a_job_in_any_state_is_deleted(database: Database, state: JobState) -> None:
    jobs = JobAdministration(database)
    job_id, other = await job_in(database, state), await job_in(database, state)
    await jobs.delete(job_id)
    assert [job.id for job in await jobs.jobs()] == [other]


@pytest.mark.parametrize("action", ["job", "retry", "run_now", "cancel", "delete"])
async def test_a_job_that_is_not_there(database: Database, action: str) -> None:
    with pytest.raises(NoSuchJob):
        await getattr(JobAdministration(database), action)(uuid4())


async def test_a_job_that_is_run_now_is_claimable_at_once(database: Database) -> None:
    job_id = await enqueue(database, delay=HOUR)
    await JobAdministration(database).run_now(job_id)
    rows = await leases.claim(database, "tests", 1, "worker", timedelta(seconds=15))
    assert [row["id"] for row in rows] == [job_id]


async def test_a_retry_respects_who_has_the_unique_key(database: Database) -> None:
    jobs = JobAdministration(database)
    failed = await job_in(database, JobState.FAILED, unique="key")
    holder = await enqueue(database, unique="key")
    with pytest.raises(UniqueKeyTaken, match="wait"):
        await jobs.retry(failed)
    await jobs.cancel(holder)
    assert (await jobs.retry(failed)).state is JobState.QUEUED
    with pytest.raises(UniqueKeyTaken):
        await jobs.retry(holder)


async def test_a_retry_and_an_enqueue_at_once_agree(database: Database) -> None:
    jobs = JobAdministration(database)
    for number in range(20):
        failed = await job_in(database, JobState.FAILED, unique=f"key{number}")
        retried, queued = await asyncio.gather(
            jobs.retry(failed), enqueue(database, unique=f"key{number}"), return_exceptions=True
        )
        if isinstance(retried, UniqueKeyTaken):
            assert isinstance(queued, UUID)
            assert queued != failed
        else:
            assert queued == failed


async def test_all_failed_of_a_queue_are_retried(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.chassis.jobs.administration.jobs.RETRY_BATCH", 4)
    jobs = JobAdministration(database)
    for number in range(10):
        await job_in(database, JobState.FAILED)
        await job_in(database, JobState.FAILED, unique=f"key{number}")
    held = await job_in(database, JobState.FAILED, unique="held")
    await enqueue(database, unique="held")
    twins = [await job_in(database, JobState.FAILED, unique="twin") for _ in range(2)]
    others = {
        await job_in(database, JobState.COMPLETED),
        await job_in(database, JobState.FAILED, queue="other"),
    }
    outcome = await jobs.retry_failed("tests")
    assert (outcome.retried, outcome.left) == (21, 2)
    left = {
        job.id
        for state in (JobState.FAILED, JobState.COMPLETED)
        for job in await jobs.jobs(state=state)
    }
    assert left == {*others, held, twins[1]}


async def test_lists_are_filtered_and_paged(database: Database) -> None:
    jobs = JobAdministration(database)
    made = [
        (await job_in(database, state, queue=queue), queue, state)
        for _ in range(2)
        for queue in ("one", "two")
        for state in JobState
    ]
    for queue in (None, "one", "none"):
        for state in (None, *JobState):
            expected = [
                job_id
                for job_id, its_queue, its_state in reversed(made)
                if queue in {None, its_queue} and state in {None, its_state}
            ]
            listed = await jobs.jobs(queue=queue, state=state)
            assert [job.id for job in listed] == expected
            if len(expected) > 2:
                page = await jobs.jobs(queue=queue, state=state, before=expected[0], limit=2)
                assert [job.id for job in page] == expected[1:3]
    assert listed == []
    [newest] = await jobs.jobs(limit=1)
    assert (newest.last_error, newest.attempts) == ("no", 2)


async def test_queues_show_what_is_in_them(database: Database) -> None:
    queues = QueueAdministration(database)
    for state in JobState:
        await job_in(database, state, queue="busy")
    await enqueue(database, queue="aged", priority=5)
    await database.execute("UPDATE jobs SET run_at = now() - interval '1 hour' WHERE priority = 5")
    await enqueue(database, queue="aged", priority=-5)
    await queues.pause("empty")
    aged, busy, empty = await queues.queues()
    assert busy.depths.model_dump() == dict.fromkeys(JobState, 1)
    assert 3600 <= aged.oldest_age_seconds < 3660
    assert empty.oldest_age_seconds == 0
    assert [queue.paused for queue in (aged, busy, empty)] == [False, False, True]
    assert [queue.name for queue in await queues.queues(after="aged", limit=1)] == ["busy"]
    assert (await queues.queue("nobody")).settings == empty.settings


async def test_settings_change_one_by_one(database: Database) -> None:
    queues = QueueAdministration(database)
    await queues.configure("q", QueueSettingsUpdate(concurrency=3, rate_limit=5))
    changed = await queues.configure(
        "q", QueueSettingsUpdate(rate_limit=None, rate_period_seconds=0.5, keep_failed=0)
    )
    assert changed.settings.model_dump() == {
        "concurrency": 3,
        "rate_limit": None,
        "rate_period_seconds": 0.5,
        "keep_completed": 100,
        "keep_failed": 0,
    }


async def test_counting_stops_somewhere(database: Database) -> None:
    await database.execute(MANY, "many", "scheduled", COUNTED_AT_MOST + 5)
    assert (await QueueAdministration(database).queue("many")).depths.scheduled == COUNTED_AT_MOST
