"""Parts start in order, stop in the reverse order, and end the process when they cannot go on."""

import asyncio

import pytest

from shared.chassis.lifecycle import BackgroundTask, Lifecycle
from tests.parts.waiting import PATIENCE_SECONDS


class Part:
    """Writes down when it starts and stops; fails where it is told to."""

    def __init__(self, name: str, diary: list[str], *, fails_at: str = "") -> None:
        self._name = name
        self._diary = diary
        self._fails_at = fails_at

    async def start(self) -> None:
        self._note("start")

    async def stop(self) -> None:
        self._note("stop")

    def _note(self, event: str) -> None:
        self._diary.append(f"{event} {self._name}")
        if event == self._fails_at:
            raise RuntimeError(f"{self._name} cannot {event}")


class Loop(BackgroundTask):
    """Runs until cancelled, or ends with the error it is given."""

    name = "loop"

    def __init__(self, lifecycle: Lifecycle, diary: list[str]) -> None:
        super().__init__(lifecycle)
        self.diary = diary
        self.error: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.running = asyncio.Event()

    async def run(self) -> None:
        self.running.set()
        try:
            await self.error
        except asyncio.CancelledError:
            self.diary.append("cancelled")
            raise

    async def drain(self) -> None:
        self.diary.append("drained")


class Stubborn(BackgroundTask):
    """Swallows its first cancellation, as some libraries do."""

    cancellations = 0

    async def run(self) -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.cancellations += 1
        await asyncio.Event().wait()


async def test_parts_stop_in_the_reverse_order() -> None:
    diary: list[str] = []
    lifecycle = Lifecycle()
    for name in ("database", "bus", "server"):
        await lifecycle.start(Part(name, diary))
    await lifecycle.stop()
    assert diary == [
        *("start database", "start bus", "start server"),
        *("stop server", "stop bus", "stop database"),
    ]


async def test_a_part_is_given_back_as_it_was_given() -> None:
    part = Part("database", [])
    assert await Lifecycle().start(part) is part


async def test_stopping_twice_stops_each_part_once() -> None:
    diary: list[str] = []
    lifecycle = Lifecycle()
    await lifecycle.start(Part("database", diary))
    await lifecycle.stop()
    await lifecycle.stop()
    assert diary == ["start database", "stop database"]


async def test_a_part_that_did_not_start_is_stopped_with_the_others() -> None:
    diary: list[str] = []
    lifecycle = Lifecycle()
    await lifecycle.start(Part("database", diary))
    with pytest.raises(RuntimeError, match="bus cannot start"):
        await lifecycle.start(Part("bus", diary, fails_at="start"))
    await lifecycle.stop()
    assert diary == ["start database", "start bus", "stop bus", "stop database"]


async def test_a_part_that_fails_to_stop_does_not_keep_the_others() -> None:
    diary: list[str] = []
    lifecycle = Lifecycle()
    await lifecycle.start(Part("database", diary))
    await lifecycle.start(Part("bus", diary, fails_at="stop"))
    await lifecycle.stop()
    assert diary[2:] == ["stop bus", "stop database"]


async def test_all_who_asked_for_it_drain_together_and_are_waited_for() -> None:
    lifecycle = Lifecycle()
    first, second = asyncio.Event(), asyncio.Event()

    async def wait_for_the_second() -> None:
        await second.wait()
        first.set()

    async def be_the_second() -> None:
        second.set()

    lifecycle.on_drain(wait_for_the_second)
    lifecycle.on_drain(be_the_second)
    await asyncio.wait_for(lifecycle.drain(), PATIENCE_SECONDS)
    assert first.is_set()


async def test_the_first_failure_ends_the_process() -> None:
    lifecycle = Lifecycle()
    waiting = asyncio.create_task(lifecycle.failed())
    lifecycle.fail(RuntimeError("first"))
    lifecycle.fail(RuntimeError("second"))
    with pytest.raises(RuntimeError, match="first"):
        await waiting


async def test_a_failure_before_anybody_waits_is_not_forgotten() -> None:
    lifecycle = Lifecycle()
    lifecycle.fail(RuntimeError("early"))
    with pytest.raises(RuntimeError, match="early"):
        await lifecycle.failed()


async def test_giving_up_the_wait_for_a_failure_does_not_hide_it() -> None:
    lifecycle = Lifecycle()
    waiting = asyncio.create_task(lifecycle.failed())
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.wait({waiting})
    lifecycle.fail(RuntimeError("later"))
    with pytest.raises(RuntimeError, match="later"):
        await lifecycle.failed()


async def test_a_loop_that_ends_by_an_error_ends_the_process() -> None:
    lifecycle = Lifecycle()
    loop = await lifecycle.start(Loop(lifecycle, []))
    loop.error.set_exception(RuntimeError("the loop broke"))
    with pytest.raises(RuntimeError, match="the loop broke"):
        await lifecycle.failed()
    await lifecycle.stop()


async def test_a_loop_is_drained_then_cancelled_and_that_is_no_failure() -> None:
    lifecycle = Lifecycle()
    loop = await lifecycle.start(Loop(lifecycle, []))
    await loop.running.wait()
    failed = asyncio.create_task(lifecycle.failed())
    await lifecycle.stop()
    await loop.stop()
    assert loop.diary == ["drained", "cancelled"]
    assert not failed.done()
    failed.cancel()


async def test_a_loop_that_was_never_started_can_be_stopped() -> None:
    loop = Loop(Lifecycle(), [])
    await loop.stop()
    assert loop.diary == []


async def test_a_swallowed_cancellation_is_repeated() -> None:
    loop = await Lifecycle().start(Stubborn(Lifecycle()))
    await asyncio.sleep(0)
    await asyncio.wait_for(loop.stop(), PATIENCE_SECONDS)
    assert loop.cancellations == 1


def test_a_loop_without_its_work_cannot_be_made() -> None:
    with pytest.raises(TypeError, match="run"):
        BackgroundTask(Lifecycle())  # type: ignore[abstract] # this is what is tested
