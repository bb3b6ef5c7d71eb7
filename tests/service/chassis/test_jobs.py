"""Jobs run once in effect, are tried again, and survive their workers."""

import asyncio
from datetime import timedelta

import pytest

from shared.chassis.errors import PermanentFailure, Unavailable
from shared.chassis.jobs.commands import JobQueue
from shared.chassis.jobs.running import LeaseLost, RunningJob
from tests.parts.waiting import PATIENCE_SECONDS, eventually
from tests.service.chassis.conftest import Messaging
from tests.service.chassis.effect_jobs import Effect, enqueue, record, states, work
from tests.service.chassis.effects import INSERT, effects


async def test_a_job_runs_once_with_its_effect(messaging: Messaging) -> None:
    await work(messaging)
    await enqueue(messaging, "a")
    await eventually(lambda: states(messaging), [("completed", 1)])
    assert await effects(messaging) == ["a"]


async def test_a_rolled_back_enqueue_runs_nothing(messaging: Messaging) -> None:
    await work(messaging)
    with pytest.raises(RuntimeError):
        async with messaging.database.transaction() as transaction:
            await JobQueue(messaging.bus).enqueue(transaction, Effect(key="never"))
            raise RuntimeError
    await enqueue(messaging, "b")
    await eventually(lambda: states(messaging), [("completed", 1)])
    assert await effects(messaging) == ["b"]


async def test_a_delayed_job_waits(messaging: Messaging) -> None:
    await work(messaging)
    await enqueue(messaging, "later", delay=timedelta(hours=1))
    await enqueue(messaging, "now")
    await eventually(lambda: effects(messaging), ["now"])
    assert await states(messaging) == [("scheduled", 0), ("completed", 1)]
    await messaging.database.execute(
        "UPDATE jobs SET run_at = now() + interval '0.5 seconds' WHERE state = 'scheduled'"
    )
    await eventually(lambda: effects(messaging), ["now", "later"])
    assert await messaging.database.fetchval("SELECT bool_and(started_at >= run_at) FROM jobs")


async def test_a_unique_key_holds_while_its_job_waits(messaging: Messaging) -> None:
    first = await enqueue(messaging, "one", unique="k")
    assert first.inserted
    assert await enqueue(messaging, "two", unique="k") == (first.job_id, False)
    await work(messaging)
    await eventually(lambda: effects(messaging), ["one"])
    assert (await enqueue(messaging, "three", unique="k")).inserted
    await eventually(lambda: effects(messaging), ["one", "three"])


@pytest.mark.parametrize(
    ("errors", "expected"),
    [
        ([RuntimeError("x")], ("completed", 2)),
        ([RuntimeError("x")] * 3, ("failed", 3)),
        ([PermanentFailure("x")], ("failed", 1)),
    ],
    ids=["tried again", "failed after the last attempt", "failed at once"],
)
async def test_failures(
    messaging: Messaging, errors: list[Exception], expected: tuple[str, int]
) -> None:
    left = list(errors)

    async def fail(job: RunningJob[Effect]) -> None:
        async with job.completion() as transaction:
            await transaction.execute(INSERT, job.command.key)
            if left:
                raise left.pop(0)

    await work(messaging, fail)
    await enqueue(messaging, "c")
    await eventually(lambda: states(messaging), [expected])
    assert await effects(messaging) == (["c"] if expected[0] == "completed" else [])
    recorded = await messaging.database.fetchval("SELECT errors FROM jobs")
    assert len(recorded) == len(errors)


async def test_a_part_that_is_down_uses_up_no_attempt(
    messaging: Messaging, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.chassis.jobs.attempts.POSTPONE", timedelta(milliseconds=50))
    calls = 0

    async def wait_for_s3(job: RunningJob[Effect]) -> None:
        nonlocal calls
        calls += 1
        if calls <= 5:
            raise Unavailable("s3")
        await record(job)

    await work(messaging, wait_for_s3)
    await enqueue(messaging, "d")
    await eventually(lambda: states(messaging), [("completed", 1)])
    assert (calls, await effects(messaging)) == (6, ["d"])


async def test_the_job_of_a_dead_worker_runs_again_without_a_used_up_attempt(
    messaging: Messaging,
) -> None:
    await enqueue(messaging, "e")
    await messaging.database.execute(
        "UPDATE jobs SET state = 'running', attempts = 1, worker = 'dead',"
        " lease = '15 s', lease_until = now() - interval '1 second'"
    )
    await work(messaging)
    await eventually(lambda: states(messaging), [("completed", 1)])
    assert await effects(messaging) == ["e"]
    assert await messaging.database.fetchval("SELECT deaths FROM jobs") == 1


async def test_a_worker_that_lost_its_lease_leaves_no_effect(messaging: Messaging) -> None:
    lost = asyncio.Event()

    async def lose(job: RunningJob[Effect]) -> None:
        if job.attempt == 1 and not lost.is_set():
            await messaging.database.execute("UPDATE jobs SET worker = 'another'")
            lost.set()
            with pytest.raises(LeaseLost):
                async with job.completion() as transaction:
                    await transaction.execute(INSERT, "must not stay")
            raise LeaseLost

    await work(messaging, lose)
    await enqueue(messaging, "f")
    await asyncio.wait_for(lost.wait(), PATIENCE_SECONDS)
    assert await effects(messaging) == []
    assert await messaging.database.fetchval("SELECT worker FROM jobs") == "another"


async def test_a_stopping_worker_lets_a_running_job_finish(messaging: Messaging) -> None:
    begun = asyncio.Event()
    go_on = asyncio.Event()

    async def slow(job: RunningJob[Effect]) -> None:
        begun.set()
        await go_on.wait()
        await record(job)

    stopping = await work(messaging, slow)
    await enqueue(messaging, "g")
    await asyncio.wait_for(begun.wait(), PATIENCE_SECONDS)
    stopped = asyncio.create_task(stopping.stop())
    go_on.set()
    await stopped
    assert await states(messaging) == [("completed", 1)]
    assert await effects(messaging) == ["g"]


async def test_a_stopping_worker_gives_back_what_does_not_finish(
    messaging: Messaging, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.chassis.jobs.worker.DRAIN_SECONDS", 0.05)
    begun = asyncio.Event()

    async def never(_: RunningJob[Effect]) -> None:
        begun.set()
        await asyncio.Event().wait()

    stopping = await work(messaging, never)
    await enqueue(messaging, "h")
    await asyncio.wait_for(begun.wait(), PATIENCE_SECONDS)
    await stopping.stop()
    assert await states(messaging) == [("queued", 0)]
    await work(messaging)
    await eventually(lambda: effects(messaging), ["h"])
