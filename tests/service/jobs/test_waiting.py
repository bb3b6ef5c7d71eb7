"""The long poll: who waits is woken at once, holds nothing, and may leave."""

import asyncio
import time
from datetime import timedelta
from typing import Any

import httpx2
import pytest

from services.jobs.claiming import Claim, JobDoors
from shared.chassis.jobs.wakeups import Wakeups
from shared.chassis.lifecycle import Lifecycle
from tests.parts.waiting import eventually
from tests.service.jobs.jobs_house import Caller, JobsHouse, serve

WOKEN_SECONDS = 0.2
"""Polling alone would take 0.85 s from when it is measured."""


async def waiting(caller: Caller, **values: Any) -> "asyncio.Task[list[Any]]":
    """Begin a claim that waits, and return when it has looked once."""
    task = asyncio.create_task(caller.claim(**{"wait_seconds": 20} | values))
    await asyncio.sleep(0.15)  # the first look has no trace that a test could wait for
    assert not task.done()
    return task


@pytest.mark.alone
async def test_a_waiter_is_woken_by_a_job_queued_in_another_process(
    house: JobsHouse, application: Caller
) -> None:
    delays = []
    async with (
        house.another_process() as other,
        house.caller(house.key("jobs"), other) as elsewhere,
    ):
        for _ in range(7):
            # Long enough after a look that polling alone would take much longer.
            claim = await waiting(application)
            job = await elsewhere.enqueue()
            started = time.monotonic()
            [claimed] = await claim
            delays.append(time.monotonic() - started)
            assert claimed["id"] == job["id"]
    assert sorted(delays)[len(delays) // 2] < WOKEN_SECONDS, delays


async def test_nobody_to_wake_means_an_empty_answer_in_time(application: Caller) -> None:
    started = time.monotonic()
    assert await application.claim(wait_seconds=0.3) == []
    assert 0.3 <= time.monotonic() - started < 15


async def test_many_waiters_hold_no_connection_and_each_gets_a_job(
    house: JobsHouse, application: Caller
) -> None:
    many = 3 * house.settings.postgres_pool_size
    claims = [asyncio.create_task(application.claim(wait_seconds=20)) for _ in range(many)]
    await asyncio.sleep(0.3)
    busy = (
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
        "AND state <> 'idle' AND pid <> pg_backend_pid()"
    )
    # The first looks take longer while the machine is busy; whoever waits would stay.
    await eventually(lambda: house.value(busy), 0)
    queued = {(await application.enqueue())["id"] for _ in range(many)}
    claimed = [job["id"] for jobs in await asyncio.gather(*claims) for job in jobs]
    assert sorted(claimed) == sorted(queued)


async def test_a_limited_queue_gives_its_next_job_when_there_is_room(
    application: Caller, administrator: Caller
) -> None:
    await administrator.call("PATCH", "/v1/jobs/queues/orders", {"concurrency": 1})
    first, second = await application.enqueue(), await application.enqueue()
    [job] = await application.claim(limit=5)
    assert job["id"] == first["id"]
    claim = await waiting(application)
    await application.post(f"/v1/jobs/{job['id']}/complete")
    [job] = await claim
    assert job["id"] == second["id"]


async def test_a_paused_queue_gives_nothing_until_it_is_resumed(
    application: Caller, administrator: Caller
) -> None:
    assert (await administrator.post("/v1/jobs/queues/orders/pause"))["paused"] is True
    job = await application.enqueue()
    claim = await waiting(application)
    assert (await administrator.post("/v1/jobs/queues/orders/resume"))["paused"] is False
    [claimed] = await claim
    assert claimed["id"] == job["id"]


async def test_who_hangs_up_gets_no_job(house: JobsHouse, application: Caller) -> None:
    """A job that no one would hear of must not wait for a lease to run out."""
    stop = await serve(house.run_dir / "jobs-again.sock", house.app)
    transport = httpx2.AsyncHTTPTransport(uds=str(house.run_dir / "jobs-again.sock"))
    async with httpx2.AsyncClient(transport=transport, base_url="http://jobs") as client:
        impatient = Caller(client, house.key("jobs"))
        claim = await waiting(impatient)
        claim.cancel()
        await asyncio.gather(claim, return_exceptions=True)
    await application.enqueue()

    async def states() -> list[tuple[str, str, int]]:
        return await house.jobs()

    await eventually(states, [("pack", "queued", 0)])
    [job] = await application.claim()
    assert job["attempts"] == 1
    await stop()


async def test_what_was_claimed_for_one_who_has_left_is_given_back(
    house: JobsHouse, application: Caller
) -> None:
    await application.enqueue()
    lifecycle = Lifecycle()
    doors = JobDoors(house.database, Wakeups(house.bus, lifecycle))
    leaving = asyncio.Event()
    leaving.set()
    claim = Claim(
        queue="orders", limit=1, worker="gone", lease=timedelta(minutes=1), wait_seconds=5
    )
    assert await doors.claim(claim, leaving) == []
    assert await house.jobs() == [("pack", "queued", 0)]


async def test_a_draining_process_answers_those_who_wait(house: JobsHouse) -> None:
    async with (
        house.another_process() as other,
        house.caller(house.key("jobs"), other) as caller,
    ):
        claim = await waiting(caller)
        started = time.monotonic()
        await house.drain(other)
        assert await claim == []
        assert await caller.claim(wait_seconds=20) == []
    assert time.monotonic() - started < 15
