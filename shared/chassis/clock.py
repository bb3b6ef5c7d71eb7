"""Notices that the machine's clock was set, and says so."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from shared.chassis.lifecycle import BackgroundTask, Lifecycle
from shared.chassis.telemetry.metrics import CLOCK_JUMPS

logger = logging.getLogger(__name__)

CONDITION: Final = "clock_jumped"
CHECK_SECONDS: Final = 5.0
TOLERANCE_SECONDS: Final = 5.0
"""Time services slew what is less; tokens and leases bear it."""
SHOWN_SECONDS: Final = 3600.0


def steady_seconds() -> float:
    """Return the time since the machine started, its sleep included: nothing can set it."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


@dataclass(frozen=True)
class Clocks:
    """What the watch reads the time from, in seconds, and how it waits."""

    wall: Callable[[], float] = time.time
    steady: Callable[[], float] = steady_seconds
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep


class ClockWatch(BackgroundTask):
    """Compares the clock that people see with one that nobody can set.

    Every process runs one. A difference of more than 5 s since the last look is a jump: it is
    logged, counted in `clock_jumps_total` and, for an hour, a condition of the process. Small
    corrections, each below that, add up to nothing here: each look starts from the last one. A
    machine that slept has not jumped, because its steady clock goes on meanwhile.
    """

    name = "clock watch"

    def __init__(self, lifecycle: Lifecycle, clocks: Clocks | None = None) -> None:
        """Take the clocks; without, the machine's own."""
        super().__init__(lifecycle)
        self._clocks = clocks or Clocks()

    async def run(self) -> None:
        """Look every five seconds until cancelled."""
        shown_until: float | None = None
        wall, steady = self._clocks.wall(), self._clocks.steady()
        while True:
            await self._clocks.sleep(CHECK_SECONDS)
            wall_before, steady_before = wall, steady
            wall, steady = self._clocks.wall(), self._clocks.steady()
            jump = (wall - wall_before) - (steady - steady_before)
            if abs(jump) > TOLERANCE_SECONDS:
                self._tell(jump, wall)
                shown_until = steady + SHOWN_SECONDS
            elif shown_until is not None and steady >= shown_until:
                self._lifecycle.conditions.clear(CONDITION)
                shown_until = None

    def _tell(self, jump: float, now: float) -> None:
        direction = "forward" if jump > 0 else "backward"
        CLOCK_JUMPS.labels(direction).inc()
        logger.warning(
            "the clock of this machine jumped",
            extra={"action": "clock_jumped", "seconds": round(jump, 1)},
        )
        seen = datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%d %H:%M UTC")
        self._lifecycle.conditions.raise_condition(
            CONDITION,
            f"The clock of this machine jumped by {jump:+.0f} s, seen at {seen} by the new time. "
            + _MEANING[direction],
            "Check the machine's time service (`timedatectl status`, `chronyc tracking`) and let "
            "it slew the clock instead of setting it; if the time is right now, nothing else is "
            "to be done, and this goes away within an hour.",
            failing=False,
        )


_MEANING: Final = {
    "forward": (
        "Tokens and links may have expired early, delayed jobs and schedules may have run "
        "early, and jobs under a lease may have been taken for those of a dead worker and run "
        "again."
    ),
    "backward": (
        "Tokens and links live longer by that time, delayed jobs and schedules wait longer by "
        "it, and a dead worker's jobs may be rescued later."
    ),
}
