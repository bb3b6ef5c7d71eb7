"""Wake-ups of this service's job queues: one connection for all that wait in a process."""

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import Iterator

from uuid_utils.compat import uuid7

from shared.chassis.bus import BUS_ERRORS, WAKE_EXCHANGE, Bus, close_quietly, open_channel
from shared.chassis.errors import Unavailable
from shared.chassis.lifecycle import BackgroundTask, Lifecycle

RETRY_SECONDS = 1.0
MOST_PENDING = 1000


class Wakeups(BackgroundTask):
    """Sets the events of those who wait for a queue when the bus says that it has work.

    It only hastens: while the bus is away nobody is woken, and whoever waits has to look by
    itself from time to time.
    """

    name = "job wake-ups"

    def __init__(self, bus: Bus, lifecycle: Lifecycle) -> None:
        super().__init__(lifecycle)
        self._bus = bus
        self._waiting: defaultdict[str, set[asyncio.Event]] = defaultdict(set)

    @contextlib.contextmanager
    def of(self, queue: str, woken: asyncio.Event) -> Iterator[None]:
        """Set the event, inside the context, whenever the queue may have work.

        Whoever waits for it clears it, before looking at the queue.
        """
        self._waiting[queue].add(woken)
        try:
            yield
        finally:
            self._waiting[queue].discard(woken)
            if not self._waiting[queue]:
                del self._waiting[queue]

    async def run(self) -> None:
        """Listen until cancelled; a lost broker is waited for."""
        while True:
            with contextlib.suppress(Unavailable, *BUS_ERRORS):
                await self._listen()
            await asyncio.sleep(RETRY_SECONDS)

    async def _listen(self) -> None:
        connection = await self._bus.connect("wake-ups")
        try:
            channel = await open_channel(connection, confirms=False)
            queue = await channel.declare_queue(
                f"{self._bus.service}.wake.{uuid7()}",
                exclusive=True,
                auto_delete=True,
                arguments={"x-max-length": MOST_PENDING},
            )
            await queue.bind(WAKE_EXCHANGE, self._bus.service)
            async with queue.iterator(no_ack=True) as wakes:
                async for wake in wakes:
                    for woken in self._waiting.get(wake.body.decode(), ()):
                        woken.set()
        finally:
            await close_quietly(connection)
