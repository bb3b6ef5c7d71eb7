"""Uniqueness by key: one job at a time, and one in a period."""

import asyncio
from datetime import timedelta

from shared.chassis.jobs import leases
from shared.chassis.jobs.commands import JobQueue, RawJob
from tests.parts.waiting import PATIENCE_SECONDS, eventually
from tests.service.chassis.conftest import Messaging
from tests.service.chassis.effect_jobs import enqueue, states, work
from tests.service.chassis.effects import effects

HOUR = timedelta(hours=1)


async def test_of_many_at_once_one_is_queued(messaging: Messaging) -> None:
    enqueued = await asyncio.gather(
        *(enqueue(messaging, str(number), unique="key") for number in range(8))
    )
    assert sum(one.inserted for one in enqueued) == 1
    assert len({one.job_id for one in enqueued}) == 1


async def test_a_key_holds_while_its_job_runs_and_waits_for_its_time(messaging: Messaging) -> None:
    first = await enqueue(messaging, "a", unique="key", delay=HOUR)
    assert await enqueue(messaging, "b", unique="key") == (first.job_id, False)
    await messaging.database.execute("UPDATE jobs SET state = 'queued'")
    await leases.claim(messaging.database, "tests", 1, "worker", timedelta(seconds=15))
    assert await enqueue(messaging, "c", unique="key") == (first.job_id, False)


async def test_a_key_holds_for_its_period_though_the_job_has_ended(messaging: Messaging) -> None:
    await work(messaging)
    first = await enqueue(messaging, "a", unique="key", unique_for=HOUR)
    await eventually(lambda: states(messaging), [("completed", 1)])
    assert await enqueue(messaging, "b", unique="key", unique_for=HOUR) == (first.job_id, False)
    await messaging.database.execute("UPDATE jobs SET unique_until = now()")
    assert (await enqueue(messaging, "c", unique="key")).inserted
    await eventually(lambda: effects(messaging), ["a", "c"])


async def test_keys_are_of_their_queue(messaging: Messaging) -> None:
    jobs = JobQueue(messaging.bus)
    async with messaging.database.transaction() as transaction:
        enqueued = [
            await jobs.enqueue_raw(
                transaction, RawJob(queue=queue, kind="any", payload={}, unique="key")
            )
            for queue in ("one", "two", "one")
        ]
    assert [one.inserted for one in enqueued] == [True, True, False]


async def test_a_key_is_free_when_the_transaction_that_took_it_rolls_back(
    messaging: Messaging,
) -> None:
    taken, go_on = asyncio.Event(), asyncio.Event()
    jobs = JobQueue(messaging.bus)
    job = RawJob(queue="tests", kind="any", payload={}, unique="key")

    async def take_and_fail() -> None:
        async with messaging.database.transaction() as transaction:
            await jobs.enqueue_raw(transaction, job)
            taken.set()
            await go_on.wait()
            raise LookupError

    failing = asyncio.create_task(take_and_fail())
    await asyncio.wait_for(taken.wait(), PATIENCE_SECONDS)
    waiting = asyncio.create_task(enqueue(messaging, "b", unique="key"))
    go_on.set()
    assert isinstance((await asyncio.gather(failing, return_exceptions=True))[0], LookupError)
    assert (await waiting).inserted
