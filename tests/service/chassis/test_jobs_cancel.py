"""Cancelling jobs that wait and jobs that run, alone and in a batch."""

import asyncio

import pytest

from shared.chassis.jobs.administration.jobs import JobAdministration, WrongJobState
from shared.chassis.jobs.running import Batched, RunningBatch, RunningJob
from shared.schemas.api.jobs import JobState
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
from tests.service.chassis.effects import INSERT, effects


@pytest.fixture
def quick_renewals(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a worker notice within a moment what became of its jobs."""
    monkeypatch.setattr("shared.chassis.jobs.worker.RENEW_SECONDS", 0.05)


async def test_a_waiting_job_is_not_run(messaging: Messaging) -> None:
    jobs = JobAdministration(messaging.database)
    job_id, _ = await enqueue(messaging, "a")
    assert (await jobs.cancel(job_id)).state is JobState.CANCELLED
    with pytest.raises(WrongJobState, match="cancelled already"):
        await jobs.cancel(job_id)
    await work(messaging)
    await enqueue(messaging, "b")
    await eventually(lambda: effects(messaging), ["b"])
    assert await states(messaging) == [("cancelled", 0), ("completed", 1)]
    assert await failures(messaging) == []


@pytest.mark.usefixtures("quick_renewals")
@pytest.mark.parametrize("action", ["cancel", "delete"])
async def test_a_running_job_is_stopped_and_has_no_effect(
    messaging: Messaging, action: str
) -> None:
    begun, stopped = asyncio.Event(), asyncio.Event()

    async def wait(job: RunningJob[Effect]) -> None:
        if job.command.key != "a":
            await record(job)
            return
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            stopped.set()

    await work(messaging, wait)
    job_id, _ = await enqueue(messaging, "a")
    await asyncio.wait_for(begun.wait(), PATIENCE_SECONDS)
    await getattr(JobAdministration(messaging.database), action)(job_id)
    await asyncio.wait_for(stopped.wait(), PATIENCE_SECONDS)
    await enqueue(messaging, "b")
    await eventually(lambda: effects(messaging), ["b"])
    left = [("cancelled", 1)] if action == "cancel" else []
    assert await states(messaging) == [*left, ("completed", 1)]


async def test_a_job_that_is_cancelled_while_it_completes_has_its_effect_or_is_cancelled(
    messaging: Messaging,
) -> None:
    jobs = JobAdministration(messaging.database)
    completing = asyncio.Event()

    async def complete(job: RunningJob[Effect]) -> None:
        async with job.completion() as transaction:
            await transaction.execute(INSERT, job.command.key)
            completing.set()
            await asyncio.sleep(0.1)

    await work(messaging, complete)
    job_id, _ = await enqueue(messaging, "a")
    await asyncio.wait_for(completing.wait(), PATIENCE_SECONDS)
    with pytest.raises(WrongJobState, match="completed already"):
        await jobs.cancel(job_id)
    assert await effects(messaging) == ["a"]


@pytest.mark.usefixtures("quick_renewals")
async def test_one_of_a_batch_is_cancelled_and_the_others_are_done(messaging: Messaging) -> None:
    begun = asyncio.Event()
    sizes: list[int] = []

    async def together(batch: RunningBatch[Effect]) -> None:
        sizes.append(len(batch.jobs))
        if len(sizes) == 1:
            begun.set()
            await asyncio.Event().wait()
        async with batch.completion() as transaction:
            for job in batch.jobs:
                await transaction.execute(INSERT, job.command.key)

    ids = [(await enqueue(messaging, key)).job_id for key in ("a", "b", "c")]
    await messaging.lifecycle.start(worker(messaging, {Effect: Batched(together, size=10)}))
    await asyncio.wait_for(begun.wait(), PATIENCE_SECONDS)
    await JobAdministration(messaging.database).cancel(ids[1])

    async def done() -> list[str]:
        return sorted(await effects(messaging))

    await eventually(done, ["a", "c"])
    assert await states(messaging) == [("completed", 1), ("cancelled", 1), ("completed", 1)]
