"""Who wants to hear of changes of state."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_WAITING_EVENTS = 1000


class Events:
    """Hands each change to every subscriber.

    A subscriber that does not read loses the oldest changes beyond 1,000; nobody waits for it.
    """

    def __init__(self) -> None:
        self._queues: set[asyncio.Queue[dict[str, Any]]] = set()

    def publish(self, event: dict[str, Any]) -> None:
        """Hand on one change."""
        for queue in self._queues:
            if queue.full():
                queue.get_nowait()
            queue.put_nowait(event)

    @contextmanager
    def subscribe(self) -> Iterator[asyncio.Queue[dict[str, Any]]]:
        """Return a queue of the changes from now on."""
        queue: asyncio.Queue[dict[str, Any]] = asyncio.Queue(_WAITING_EVENTS)
        self._queues.add(queue)
        try:
            yield queue
        finally:
            self._queues.discard(queue)
