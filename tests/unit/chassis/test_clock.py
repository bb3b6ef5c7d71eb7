"""Jumps of the clock are told for an hour; small corrections and sleep are none."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from prometheus_client import REGISTRY

from shared.chassis.clock import CHECK_SECONDS, CONDITION, Clocks, ClockWatch
from shared.chassis.lifecycle import Lifecycle

NOON = 1_767_268_800.0


class Machine:
    """A machine whose time goes on only when the test lets it."""

    def __init__(self) -> None:
        self.wall = NOON
        self.steady = 1000.0
        self._waiting: asyncio.Future[None] | None = None
        self.lifecycle = Lifecycle()
        self.watch = ClockWatch(
            self.lifecycle, Clocks(lambda: self.wall, lambda: self.steady, self.sleep)
        )

    async def sleep(self, seconds: float) -> None:
        """Wait for the test, as the watch waits for time."""
        assert seconds == CHECK_SECONDS
        self._waiting = asyncio.get_running_loop().create_future()
        await self._waiting

    async def pass_time(self, seconds: float = CHECK_SECONDS, jump: float = 0.0) -> None:
        """Let time go by, set the clock besides, and let the watch look once."""
        self.wall += seconds + jump
        self.steady += seconds
        await self._resume()

    async def _resume(self) -> None:
        while self._waiting is None or self._waiting.done():
            await asyncio.sleep(0)
        waiting = self._waiting
        waiting.set_result(None)
        while self._waiting is waiting:
            await asyncio.sleep(0)

    @property
    def problem(self) -> str | None:
        """What the process tells of its clock."""
        return next((one.problem for one in self.lifecycle.conditions.listing()), None)


@pytest.fixture
async def machine() -> AsyncIterator[Machine]:
    made = Machine()
    await made.lifecycle.start(made.watch)
    yield made
    await made.lifecycle.stop()
    made.lifecycle.conditions.clear(CONDITION)


def jumps(direction: str) -> float:
    return REGISTRY.get_sample_value("clock_jumps_total", {"direction": direction}) or 0.0


@pytest.mark.parametrize(
    ("jump", "direction", "told"),
    [
        (3600.0, "forward", "jumped by +3600 s, seen at 2026-01-01 13:00 UTC by the new time"),
        (-3600.0, "backward", "jumped by -3600 s, seen at 2026-01-01 11:00 UTC by the new time"),
        (5.2, "forward", "jumped by +5 s"),
    ],
)
async def test_a_jump_is_told_and_counted(
    machine: Machine, jump: float, direction: str, told: str
) -> None:
    before = jumps(direction)
    await machine.pass_time(jump=jump)
    (condition,) = machine.lifecycle.conditions.listing()
    assert told in condition.problem
    assert ("run again" in condition.problem) == (direction == "forward")
    assert "timedatectl" in condition.next_step
    assert not condition.failing
    assert jumps(direction) == before + 1


async def test_it_goes_away_after_an_hour_of_real_time(machine: Machine) -> None:
    await machine.pass_time(jump=7200.0)
    await machine.pass_time(3590.0)
    assert machine.problem is not None
    await machine.pass_time(10.0)
    assert machine.problem is None


@pytest.mark.parametrize("correction", [0.0, 4.9, -4.9])
async def test_corrections_are_no_jumps_however_many(machine: Machine, correction: float) -> None:
    before = jumps("forward"), jumps("backward")
    for _ in range(10):
        await machine.pass_time(jump=correction)
    assert machine.problem is None
    assert (jumps("forward"), jumps("backward")) == before


async def test_a_process_that_was_held_up_has_not_jumped(machine: Machine) -> None:
    await machine.pass_time(8 * 3600.0)
    assert machine.problem is None
