"""Waiting for jobs: a long poll that holds no database connection while it waits.

The bus hastens and polling is the truth. Of all who wait for a queue in a process one looks at a
time, so that a hundred waiting workers cost no more than one.
"""

import asyncio
import contextlib
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from services.jobs import store
from shared.chassis.database import Database, Record
from shared.chassis.jobs import leases
from shared.chassis.jobs.wakeups import Wakeups

POLL_SECONDS: Final = 1.0


class _Door:
    """Where those of one process wait who want jobs of the same queue."""

    def __init__(self) -> None:
        self.ajar = asyncio.Event()
        """Set when the queue may have jobs; whoever looks closes it first."""
        self.turn = asyncio.Lock()
        self.looked_at = 0.0
        self.visitors = 0
        self.closing = contextlib.ExitStack()

    @property
    def is_worth_a_look(self) -> bool:
        """Whether jobs may have come since the last look."""
        return self.ajar.is_set() or time.monotonic() >= self.looked_at + POLL_SECONDS


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What a worker wants."""

    queue: str
    limit: int
    worker: str
    lease: timedelta
    wait_seconds: float


class JobDoors:
    """Claims jobs, now or when there are some."""

    def __init__(self, database: Database, wakeups: Wakeups) -> None:
        self._database = database
        self._wakeups = wakeups
        self._doors: dict[str, _Door] = {}
        self._is_closed = False

    async def close(self) -> None:
        """Answer all who wait, and let nobody wait any more: the process drains."""
        self._is_closed = True
        for door in self._doors.values():
            door.ajar.set()

    async def claim(self, claim: Claim, leaving: asyncio.Event) -> Sequence[Record]:
        """Return up to `limit` jobs, at once or as soon as there is one, or none in time.

        `leaving` is set when nobody waits for the answer any more; what was claimed for one who
        left meanwhile is given back. Raises Unavailable.
        """
        deadline = time.monotonic() + claim.wait_seconds
        with self._door(claim.queue) as door:
            door.looked_at = time.monotonic()
            rows = await self._take(claim)
            while not rows and await self._wait(door, deadline, leaving):
                async with door.turn:
                    # Another may have looked since this one was woken, and found nothing more.
                    if door.is_worth_a_look:
                        door.ajar.clear()
                        door.looked_at = time.monotonic()
                        rows = await self._take(claim)
                        if len(rows) == claim.limit:
                            door.ajar.set()
            if rows and leaving.is_set():
                await leases.give_back(self._database, [row["id"] for row in rows], claim.worker)
                door.ajar.set()
                return []
            return rows

    async def _take(self, claim: Claim) -> Sequence[Record]:
        return await store.claim_jobs(
            self._database, claim.queue, claim.limit, claim.worker, claim.lease
        )

    async def _wait(self, door: _Door, deadline: float, leaving: asyncio.Event) -> bool:
        """Return whether to look again, once that may be worth it."""
        now = time.monotonic()
        if self._is_closed or now >= deadline:
            return False
        seconds = min(deadline, max(door.looked_at, now - POLL_SECONDS) + POLL_SECONDS) - now
        waits = [asyncio.create_task(event.wait()) for event in (door.ajar, leaving)]
        try:
            await asyncio.wait(waits, timeout=max(seconds, 0), return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
        return not (self._is_closed or leaving.is_set())

    @contextlib.contextmanager
    def _door(self, queue: str) -> Iterator[_Door]:
        door = self._doors.get(queue)
        if door is None:
            door = self._doors[queue] = _Door()
            door.closing.enter_context(self._wakeups.of(queue, door.ajar))
        door.visitors += 1
        try:
            yield door
        finally:
            door.visitors -= 1
            if not door.visitors:
                del self._doors[queue]
                door.closing.close()
