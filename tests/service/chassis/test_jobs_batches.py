"""Handlers that do several jobs at once."""

from shared.chassis.errors import PermanentFailure
from shared.chassis.jobs.running import Batched, RunningBatch
from tests.parts.waiting import eventually
from tests.service.chassis.conftest import Messaging
from tests.service.chassis.effect_jobs import Effect, enqueue, failures, states, worker
from tests.service.chassis.effects import INSERT, effects

KEYS = [f"{number:02}" for number in range(12)]


class Recorder:
    """Does a batch in one transaction, save that it cannot do one of the keys."""

    def __init__(self, poison: str = "") -> None:
        self.sizes: list[int] = []
        self._poison = poison

    async def run(self, batch: RunningBatch[Effect]) -> None:
        self.sizes.append(len(batch.jobs))
        async with batch.completion() as transaction:
            for job in batch.jobs:
                await transaction.execute(INSERT, job.command.key)
                if job.command.key == self._poison:
                    raise PermanentFailure("cannot be done")


async def start(messaging: Messaging, recorder: Recorder) -> list[str]:
    ids = [str((await enqueue(messaging, key)).job_id) for key in KEYS]
    handlers = {Effect: Batched(recorder.run, size=5)}
    await messaging.lifecycle.start(worker(messaging, handlers, concurrency=10))
    return ids


async def test_jobs_are_done_together_each_once(messaging: Messaging) -> None:
    recorder = Recorder()
    await start(messaging, recorder)

    async def done() -> list[str]:
        return sorted(await effects(messaging))

    await eventually(done, KEYS)
    assert sum(recorder.sizes) == 12
    assert max(recorder.sizes) == 5


async def test_a_poison_job_fails_alone(messaging: Messaging) -> None:
    recorder = Recorder(poison="03")
    ids = await start(messaging, recorder)

    async def ended() -> list[str]:
        return [state for state, _ in await states(messaging)]

    await eventually(ended, ["failed" if key == "03" else "completed" for key in KEYS])
    assert sorted(await effects(messaging)) == [key for key in KEYS if key != "03"]
    assert await failures(messaging) == [(ids[3], "cannot be done")]
