"""Periodic work is done at once and after each rest, and waits for what is away."""

import asyncio
from collections.abc import AsyncIterator
from types import SimpleNamespace

import pytest

from shared.chassis import periodic
from shared.chassis.errors import Unavailable
from shared.chassis.lifecycle import Lifecycle
from shared.chassis.periodic import PeriodicTask

REST_SECONDS = 7.5


class Rests:
    """Stands for the time between two tries, which passes only when the test lets it."""

    def __init__(self) -> None:
        self._begun: asyncio.Queue[float] = asyncio.Queue()
        self._over = asyncio.Semaphore(0)

    async def sleep(self, seconds: float) -> None:
        self._begun.put_nowait(seconds)
        await self._over.acquire()

    async def begun(self) -> float:
        """Wait for the next rest and return how long it is to be."""
        return await asyncio.wait_for(self._begun.get(), 5)

    def pass_time(self) -> None:
        self._over.release()


class Work(PeriodicTask):
    """Counts its tries; fails, or never ends, where it is told to."""

    name = "work"

    def __init__(self, lifecycle: Lifecycle) -> None:
        super().__init__(
            lifecycle,
            rest_seconds=REST_SECONDS,
            waits_action="work_waits",
            waits_message="the work waits for the database",
        )
        self.diary: list[str] = []
        self.error: Exception | None = None
        self.is_endless = False
        self.begun = asyncio.Event()

    async def run_once(self) -> None:
        self.diary.append("tried")
        self.begun.set()
        if self.error is not None:
            raise self.error
        if self.is_endless:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                self.diary.append("cancelled")
                raise


@pytest.fixture
def rests(monkeypatch: pytest.MonkeyPatch) -> Rests:
    made = Rests()
    # There alone: other servers of the run sleep in the same loop.
    monkeypatch.setattr(periodic, "asyncio", SimpleNamespace(sleep=made.sleep))
    return made


@pytest.fixture
def lifecycle() -> Lifecycle:
    return Lifecycle()


@pytest.fixture
async def work(lifecycle: Lifecycle) -> AsyncIterator[Work]:
    made = Work(lifecycle)
    yield made
    await made.stop()


def logged(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str, str, object]]:
    """Return the logger, the level, the message and the action of all that was logged."""
    return [
        (record.name, record.levelname, record.getMessage(), vars(record).get("action"))
        for record in caplog.records
    ]


async def test_the_work_is_done_at_once_and_again_after_each_rest(
    rests: Rests, work: Work, caplog: pytest.LogCaptureFixture
) -> None:
    await work.start()
    for tries in (1, 2, 3):
        assert await rests.begun() == REST_SECONDS
        assert work.diary == ["tried"] * tries
        rests.pass_time()
    assert logged(caplog) == []


async def test_each_try_while_a_part_is_away_logs_one_warning_and_the_work_goes_on(
    rests: Rests, work: Work, caplog: pytest.LogCaptureFixture
) -> None:
    work.error = Unavailable("postgres")
    await work.start()
    assert await rests.begun() == REST_SECONDS
    rests.pass_time()
    assert await rests.begun() == REST_SECONDS
    warning = (__name__, "WARNING", "the work waits for the database", "work_waits")
    assert logged(caplog) == [warning, warning]

    work.error = None
    rests.pass_time()
    assert await rests.begun() == REST_SECONDS
    assert work.diary == ["tried"] * 3
    assert logged(caplog) == [warning, warning]


async def test_any_other_error_ends_the_process_without_another_try(
    work: Work, lifecycle: Lifecycle, caplog: pytest.LogCaptureFixture
) -> None:
    work.error = RuntimeError("the work broke")
    await work.start()
    with pytest.raises(RuntimeError, match="the work broke"):
        await asyncio.wait_for(lifecycle.failed(), 5)
    assert work.diary == ["tried"]
    assert logged(caplog) == []


async def test_work_under_way_is_cancelled_and_that_is_no_failure(
    work: Work, lifecycle: Lifecycle, caplog: pytest.LogCaptureFixture
) -> None:
    work.is_endless = True
    failed = asyncio.create_task(lifecycle.failed())
    await work.start()
    await asyncio.wait_for(work.begun.wait(), 5)
    await asyncio.wait_for(work.stop(), 5)
    await asyncio.sleep(0)
    assert work.diary == ["tried", "cancelled"]
    assert not failed.done()
    failed.cancel()
    assert logged(caplog) == []


async def test_a_rest_is_cancelled(rests: Rests, work: Work) -> None:
    await work.start()
    await rests.begun()
    await asyncio.wait_for(work.stop(), 5)
    assert work.diary == ["tried"]


def test_periodic_work_that_is_not_written_cannot_be_made() -> None:
    with pytest.raises(TypeError, match="run_once"):
        PeriodicTask(  # type: ignore[abstract] # this is what is tested
            Lifecycle(), rest_seconds=1, waits_action="waits", waits_message="waits"
        )
