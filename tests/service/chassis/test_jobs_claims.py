"""Which job is claimed when: priorities, chains, time limits, and claimants that die."""

import asyncio
from datetime import timedelta
from typing import Any, ClassVar

import pytest

from shared.chassis.jobs import leases
from shared.chassis.jobs.commands import Job, JobQueue, RawJob
from shared.chassis.jobs.housekeeping import JobHousekeeping
from shared.chassis.jobs.leases import ClockGuard
from shared.chassis.jobs.running import LeaseLost, RunningJob
from shared.chassis.payloads import MAXIMUM_PAYLOAD_BYTES, MAXIMUM_RESULT_BYTES, PayloadTooLarge
from tests.parts.waiting import PATIENCE_SECONDS, eventually
from tests.service.chassis.conftest import Messaging
from tests.service.chassis.effect_jobs import (
    Effect,
    enqueue,
    failures,
    record,
    states,
    work,
    worker,
)
from tests.service.chassis.effects import effects

LEASE = timedelta(seconds=15)
STALE = "UPDATE jobs SET lease_until = now() - interval '1 second'"


async def test_smaller_priorities_run_first_and_equal_ones_in_their_order(
    messaging: Messaging,
) -> None:
    for key, priority in [("c", 0), ("d", 0), ("e", 9), ("a", -5), ("b", -5)]:
        await enqueue(messaging, key, priority=priority)
    await work(messaging, concurrency=1)
    await eventually(lambda: effects(messaging), ["a", "b", "c", "d", "e"])


async def test_a_chain_is_queued_only_if_its_job_completes(messaging: Messaging) -> None:
    jobs = JobQueue(messaging.bus)
    attempts: list[str] = []

    async def follow(job: RunningJob[Effect]) -> None:
        attempts.append(job.command.key)
        async with job.completion(result={"next": 2}) as transaction:
            if job.command.key == "one":
                await jobs.enqueue(transaction, Effect(key="two"))
                if job.attempt == 1:
                    raise RuntimeError("after the successor was queued")

    await work(messaging, follow)
    await enqueue(messaging, "one")
    await eventually(lambda: states(messaging), [("completed", 2), ("completed", 1)])
    assert attempts == ["one", "one", "two"]


async def test_progress_and_result_are_stored(messaging: Messaging) -> None:
    reported = asyncio.Event()
    go_on = asyncio.Event()

    async def report(job: RunningJob[Effect]) -> None:
        await job.report_progress({"percent": 50})
        reported.set()
        await go_on.wait()
        async with job.completion(result=[1, "two"]):
            pass

    await work(messaging, report)
    await enqueue(messaging, "a")
    await asyncio.wait_for(reported.wait(), PATIENCE_SECONDS)
    assert await messaging.database.fetchval("SELECT progress FROM jobs") == {"percent": 50}
    go_on.set()
    await eventually(lambda: states(messaging), [("completed", 1)])
    assert await messaging.database.fetchval("SELECT result FROM jobs") == [1, "two"]


class Hasty(Job):
    kind: ClassVar[str] = "hasty"
    queue: ClassVar[str] = "tests"
    attempts: ClassVar[int] = 2
    backoff_seconds: ClassVar[float] = 0.05
    timeout_seconds: ClassVar[float] = 0.05


async def test_an_attempt_that_takes_too_long_is_a_failure(messaging: Messaging) -> None:
    async def never(_: RunningJob[Hasty]) -> None:
        await asyncio.Event().wait()

    await messaging.lifecycle.start(worker(messaging, {Hasty: never}))
    async with messaging.database.transaction() as transaction:
        await JobQueue(messaging.bus).enqueue(transaction, Hasty())
    await eventually(lambda: states(messaging), [("failed", 2)])
    errors = await messaging.database.fetchval("SELECT errors FROM jobs")
    assert [error["error"] for error in errors] == ["the attempt took longer than its kind may"] * 2


async def test_a_failed_job_is_told_once(messaging: Messaging) -> None:
    async def fail(_: RunningJob[Effect]) -> None:
        raise RuntimeError("no")

    await work(messaging, fail)
    job_id, _ = await enqueue(messaging, "a")
    await eventually(lambda: states(messaging), [("failed", 3)])
    assert await failures(messaging) == [(str(job_id), "RuntimeError('no')")]
    claimant = await messaging.database.fetchval("SELECT worker FROM jobs")
    async with messaging.database.transaction() as transaction:
        outcome = await leases.fail(
            transaction, messaging.outbox, job_id, str(claimant), cause="again"
        )
    assert outcome is leases.Outcome.LOST
    assert len(await failures(messaging)) == 1


async def test_a_job_that_kills_ten_workers_is_given_up_and_told(messaging: Messaging) -> None:
    job_id, _ = await enqueue(messaging, "deadly")
    guard = ClockGuard(0)
    for _ in range(9):
        assert await leases.claim(messaging.database, "tests", 1, "dies", LEASE)
        await messaging.database.execute(STALE)
        await leases.advance(messaging.database, "tests", guard)
        await leases.advance(messaging.database, "tests", guard)
    assert await states(messaging) == [("queued", 0)]
    assert await leases.claim(messaging.database, "tests", 1, "dies", LEASE)
    await messaging.database.execute(STALE)
    await leases.advance(messaging.database, "tests", guard)
    for _ in range(2):
        async with messaging.database.transaction() as transaction:
            await leases.fail_deadly(transaction, messaging.outbox, "tests")
    assert await states(messaging) == [("failed", 1)]
    assert await failures(messaging) == [(str(job_id), leases.DEATHS_CAUSE)]


@pytest.mark.parametrize(
    ("shift", "expected_by"),
    [("-2 hours", timedelta(hours=-2)), ("2 hours", timedelta(hours=2))],
    ids=["the clock was set forward", "the clock was set back"],
)
async def test_leases_are_not_judged_just_after_a_jump_of_the_clock(
    messaging: Messaging, shift: str, expected_by: timedelta
) -> None:
    # A clock that jumps is one that is not where the guard expects it, while leases written
    # before stand the other way round.
    await enqueue(messaging, "a")
    assert await leases.claim(messaging.database, "tests", 1, "alive", LEASE)
    guard = ClockGuard(hold_seconds=60)
    await leases.advance(messaging.database, "tests", guard)
    assert guard._seen is not None
    now, at = guard._seen
    guard._seen = (now + expected_by, at)
    await messaging.database.execute(
        f"UPDATE jobs SET lease_until = lease_until + interval '{shift}'"
    )
    for _ in range(3):
        await leases.advance(messaging.database, "tests", guard)
        assert await states(messaging) == [("running", 1)]
    assert abs(guard.jump_seconds) < leases.CLOCK_TOLERANCE_SECONDS
    job_id = await messaging.database.fetchval("SELECT id FROM jobs")
    assert await leases.renew(messaging.database, job_id, "alive") is not None
    assert await states(messaging) == [("running", 1)]


async def test_a_dead_worker_is_noticed_though_the_clock_was_set_back(
    messaging: Messaging,
) -> None:
    await enqueue(messaging, "a")
    assert await leases.claim(messaging.database, "tests", 1, "dead", LEASE)
    await messaging.database.execute("UPDATE jobs SET lease_until = now() + interval '2 hours'")
    guard = ClockGuard(hold_seconds=0)
    await leases.advance(messaging.database, "tests", guard)
    await leases.advance(messaging.database, "tests", guard)
    assert await states(messaging) == [("queued", 0)]


async def test_a_queued_job_runs_though_the_clock_was_set_back(messaging: Messaging) -> None:
    await enqueue(messaging, "a")
    await messaging.database.execute("UPDATE jobs SET run_at = now() + interval '1 hour'")
    await work(messaging)
    await eventually(lambda: effects(messaging), ["a"])


async def test_a_stopped_worker_has_let_go_of_everything(messaging: Messaging) -> None:
    stopping = await work(messaging)
    for number in range(20):
        await enqueue(messaging, str(number))
    await stopping.stop()
    left = await messaging.database.fetchval("SELECT count(*) FROM jobs WHERE state = 'running'")
    done = await messaging.database.fetchval("SELECT count(*) FROM jobs WHERE state = 'completed'")
    assert (left, len(await effects(messaging))) == (0, done)
    await work(messaging)

    async def keys() -> list[str]:
        return sorted(await effects(messaging), key=int)

    await eventually(keys, [str(number) for number in range(20)])


async def test_a_stopping_worker_does_what_it_was_just_claiming(
    messaging: Messaging, monkeypatch: pytest.MonkeyPatch
) -> None:
    claim = leases.claim
    claimed, go_on = asyncio.Event(), asyncio.Event()

    async def claim_slowly(*arguments: Any) -> list[Any]:
        rows = await claim(*arguments)
        if rows:
            claimed.set()
            await go_on.wait()
        return rows

    monkeypatch.setattr("shared.chassis.jobs.leases.claim", claim_slowly)
    stopping = await work(messaging)
    await enqueue(messaging, "a")
    await asyncio.wait_for(claimed.wait(), PATIENCE_SECONDS)
    stopped = asyncio.create_task(stopping.stop())
    await asyncio.sleep(0)
    go_on.set()
    await stopped
    assert await states(messaging) == [("completed", 1)]


async def test_what_is_too_large_is_refused(messaging: Messaging) -> None:
    with pytest.raises(PayloadTooLarge):
        await enqueue(messaging, "x" * MAXIMUM_PAYLOAD_BYTES)
    assert await states(messaging) == []
    refused = asyncio.Event()

    async def boast(job: RunningJob[Effect]) -> None:
        with pytest.raises(PayloadTooLarge):
            async with job.completion(result="x" * MAXIMUM_RESULT_BYTES):
                pass
        refused.set()
        await record(job)

    await work(messaging, boast)
    await enqueue(messaging, "a")
    await eventually(lambda: effects(messaging), ["a"])
    assert refused.is_set()


async def test_a_result_over_the_limit_ends_the_job_and_is_told(messaging: Messaging) -> None:
    async def boast(job: RunningJob[Effect]) -> None:
        async with job.completion(result="x" * MAXIMUM_RESULT_BYTES):
            await record(job)

    await work(messaging, boast)
    await enqueue(messaging, "a")
    await eventually(lambda: states(messaging), [("failed", 1)])
    await JobHousekeeping(messaging.database, messaging.lifecycle).measure(Effect.queue)
    [condition] = messaging.lifecycle.conditions.listing()
    assert "1 jobs of mail's queue" in condition.problem
    assert f"more than the {MAXIMUM_RESULT_BYTES} that fit" in condition.problem
    assert "GET /v1/jobs?state=failed" in condition.next_step


async def test_a_job_without_a_payload(messaging: Messaging) -> None:
    jobs = JobQueue(messaging.bus)
    async with messaging.database.transaction() as transaction:
        for unique in (None, "key"):
            await jobs.enqueue_raw(
                transaction, RawJob(queue="tests", kind="any", payload=None, unique=unique)
            )
    rows = await leases.claim(messaging.database, "tests", 5, "worker", LEASE)
    assert [row["payload"] for row in rows] == [None, None]


async def test_a_deleted_job_leaves_no_effect(messaging: Messaging) -> None:
    lost = asyncio.Event()

    async def lose(job: RunningJob[Effect]) -> None:
        await messaging.database.execute("DELETE FROM jobs")
        with pytest.raises(LeaseLost):
            await record(job)
        lost.set()
        raise LeaseLost

    await work(messaging, lose)
    await enqueue(messaging, "a")
    await asyncio.wait_for(lost.wait(), PATIENCE_SECONDS)
    assert await effects(messaging) == []
