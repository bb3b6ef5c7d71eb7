"""How many deliveries to one endpoint run at once, so that a slow one takes no other's place."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from uuid import UUID

_LONGEST_PAUSE: Final = timedelta(minutes=5)
"""After it, even a long line looks again whether the endpoint has become faster."""
_SHORTEST_PAUSE: Final = timedelta(milliseconds=500)
_WEIGHT_OF_LAST: Final = 0.3


@dataclass(slots=True)
class _Lane:
    running: int = 0
    seconds: float = 0.0
    """What a delivery takes, averaged over the last ones."""
    line_ends_at: float = 0.0
    """When the last one that was sent to wait comes back."""


class EndpointBusy(Exception):  # noqa: N818 - what is the case, and no fault
    """The endpoint has as many deliveries in flight as it may; `pause` is the place in line."""

    def __init__(self, pause: timedelta) -> None:
        self.pause = pause
        super().__init__(f"come back in {pause}")


class Lanes:
    """Counts what this process has in flight for each endpoint.

    Who finds no place is sent away for as long as those before it will take, so that a long line
    for a slow endpoint is not read over and over. Endpoints with nothing in flight and nobody in
    line take up no memory. To be used from one event loop.
    """

    def __init__(self, *, width: int) -> None:
        self._width = width
        self._lanes: dict[UUID, _Lane] = {}

    @contextlib.contextmanager
    def place(self, endpoint_id: UUID, *, clock: float) -> Iterator[None]:
        """Hold a place while a delivery runs. Raises EndpointBusy. `clock` is monotonic seconds."""
        lane = self._lanes.setdefault(endpoint_id, _Lane())
        if lane.running >= self._width:
            raise EndpointBusy(self._next_in_line(lane, clock))
        lane.running += 1
        try:
            yield
        finally:
            lane.running -= 1
            if not lane.running and lane.line_ends_at <= clock:
                del self._lanes[endpoint_id]

    def note(self, endpoint_id: UUID, *, seconds: float) -> None:
        """Remember how long a delivery took; called while its place is held."""
        lane = self._lanes[endpoint_id]
        lane.seconds += (seconds - lane.seconds) * _WEIGHT_OF_LAST

    def _next_in_line(self, lane: _Lane, clock: float) -> timedelta:
        each = max(lane.seconds / self._width, 0.01)
        earliest = clock + _SHORTEST_PAUSE.total_seconds()
        latest = clock + _LONGEST_PAUSE.total_seconds()
        end = max(lane.line_ends_at, clock) + each
        lane.line_ends_at = min(max(end, earliest), latest)
        return timedelta(seconds=lane.line_ends_at - clock)
