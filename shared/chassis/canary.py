"""A canary: proof that what enters a consumer's queue comes out of it."""

import asyncio
import contextlib
import time
from collections.abc import Iterator

from uuid_utils.compat import uuid7

from shared.chassis.bus import Bus
from shared.chassis.errors import Unavailable
from shared.chassis.telemetry import metrics

CANARY_HEADER = "x-canary"
SING_SECONDS = 10.0
DEAF_SECONDS = 60.0


class Deaf(Exception):  # noqa: N818 - what happened; the process ends and is started anew
    """Messages go into a queue, and its consumer hears nothing."""


class Canary:
    """Sends a message through a queue every ten seconds and listens for anything to come out.

    A consumer that is busy with an event, or a broker that cannot be reached, is not deafness;
    nor is the silence around one that stands by, which has not heard anything yet.
    """

    def __init__(self, bus: Bus, queue: str) -> None:
        self._bus = bus
        self._queue = queue
        self._heard_at: float | None = None
        self._is_busy = False

    def heard(self) -> None:
        """Note that a message came out of the queue."""
        self._heard_at = time.monotonic()

    @contextlib.contextmanager
    def busy(self) -> Iterator[None]:
        """Hold the alarm while an event is in hand, however long it takes."""
        self._is_busy = True
        try:
            yield
        finally:
            self._is_busy = False

    async def run(self) -> None:
        """Sing until cancelled. Raises Deaf when nothing was heard for a minute."""
        self._heard_at = None
        while True:
            await asyncio.sleep(SING_SECONDS)
            try:
                await self._sing()
            except Unavailable:
                self._heard_at = None  # what was not sent cannot be heard
                continue
            silence = self._silence()
            metrics.CANARY_AGE.labels(self._queue).set(silence)
            if silence > DEAF_SECONDS and not self._is_busy:
                raise Deaf(f"nothing came out of {self._queue} for {silence:.0f} s")

    def _silence(self) -> float:
        return 0.0 if self._heard_at is None else time.monotonic() - self._heard_at

    async def _sing(self) -> None:
        await self._bus.publish(
            "",
            self._queue,
            b"{}",
            message_id=str(uuid7()),
            mandatory=False,
            headers={CANARY_HEADER: "1"},
            expiration_seconds=SING_SECONDS,
        )
