"""What a queue allows holds over all its workers: concurrency, rate, pauses."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from shared.chassis.jobs import leases
from shared.chassis.jobs.administration.queues import QueueAdministration
from shared.chassis.jobs.running import RunningJob
from shared.schemas.api.jobs import QueueSettingsUpdate
from tests.parts.waiting import PATIENCE_SECONDS, eventually
from tests.service.chassis.conftest import Messaging
from tests.service.chassis.effect_jobs import Effect, enqueue, record, states, work
from tests.service.chassis.effects import effects

LEASE = timedelta(seconds=15)


async def configure(messaging: Messaging, **settings: Any) -> None:
    queues = QueueAdministration(messaging.database)
    await queues.configure("tests", QueueSettingsUpdate(**settings))


async def claim(messaging: Messaging, limit: int) -> int:
    return len(await leases.claim(messaging.database, "tests", limit, "worker", LEASE))


async def test_concurrency_holds_over_two_workers(messaging: Messaging) -> None:
    await configure(messaging, concurrency=3)
    running = most = 0

    async def count(job: RunningJob[Effect]) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.02)
        await record(job)
        running -= 1

    for number in range(30):
        await enqueue(messaging, str(number))
    await asyncio.gather(*(work(messaging, count, concurrency=5) for _ in range(2)))

    async def done() -> int:
        return len(await effects(messaging))

    await eventually(done, 30)
    assert most == 3


async def test_claims_at_once_share_the_limits(messaging: Messaging) -> None:
    await configure(messaging, concurrency=7, rate_limit=10, rate_period_seconds=3600)
    for number in range(20):
        await enqueue(messaging, str(number))
    claimed = await asyncio.gather(*(claim(messaging, 2) for _ in range(8)))
    assert sum(claimed) == 7
    await messaging.database.execute(
        "UPDATE jobs SET state = 'completed', finished_at = now(), worker = NULL,"
        " lease_until = NULL WHERE state = 'running'"
    )
    claimed = await asyncio.gather(*(claim(messaging, 2) for _ in range(8)))
    assert sum(claimed) == 3


@pytest.mark.parametrize(
    "began_at",
    ["now() - interval '1 hour'", "now() + interval '5 minutes'"],
    ids=["the period is over", "the clock was set back"],
)
async def test_a_rate_starts_anew(messaging: Messaging, began_at: str) -> None:
    await configure(messaging, rate_limit=2, rate_period_seconds=3600)
    for number in range(5):
        await enqueue(messaging, str(number))
    assert [await claim(messaging, 5), await claim(messaging, 5)] == [2, 0]
    await messaging.database.execute(f"UPDATE job_queues SET rate_window_began_at = {began_at}")
    assert [await claim(messaging, 5), await claim(messaging, 5)] == [2, 0]


async def test_workers_keep_to_the_rate(messaging: Messaging) -> None:
    await configure(messaging, rate_limit=5, rate_period_seconds=0.5)
    for number in range(15):
        await enqueue(messaging, str(number))
    for _ in range(2):
        await work(messaging)

    async def done() -> int:
        return len(await effects(messaging))

    await eventually(done, 15)
    seconds = await messaging.database.fetchval(
        "SELECT extract(epoch FROM max(started_at) - min(started_at))::float8 FROM jobs"
    )
    assert seconds >= 0.9


async def test_a_paused_queue_starts_nothing_and_lets_go_on_what_runs(
    messaging: Messaging,
) -> None:
    queues = QueueAdministration(messaging.database)
    begun = asyncio.Event()
    go_on = asyncio.Event()

    async def wait(job: RunningJob[Effect]) -> None:
        begun.set()
        await go_on.wait()
        await record(job)

    await work(messaging, wait)
    await enqueue(messaging, "running")
    await asyncio.wait_for(begun.wait(), PATIENCE_SECONDS)
    assert (await queues.pause("tests")).paused
    await enqueue(messaging, "waiting")
    go_on.set()
    await eventually(lambda: effects(messaging), ["running"])
    assert await claim(messaging, 5) == 0
    assert await states(messaging) == [("completed", 1), ("queued", 0)]
    assert not (await queues.resume("tests")).paused
    await eventually(lambda: effects(messaging), ["running", "waiting"])
