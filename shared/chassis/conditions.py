"""What is wrong in a process, in words an operator can act on, until it is put right."""

import time
from collections.abc import Callable
from datetime import UTC, datetime

from pydantic import BaseModel, ConfigDict, TypeAdapter

from shared.chassis.telemetry.metrics import CONDITIONS


class Condition(BaseModel):
    """Something an operator should know about a process that goes on running."""

    model_config = ConfigDict(frozen=True)

    name: str
    """Stable and of a small set, such as `bus_blocked`; it labels a metric."""
    problem: str
    """What happened and what that means: one or two sentences."""
    next_step: str
    """What the operator does about it."""
    failing: bool
    """Whether the process cannot do its work. If not, `status` shows it as a warning."""
    since: datetime
    """When it was raised first, without a break."""


LISTING = TypeAdapter(list[Condition])


class Conditions:
    """The conditions of one process; each part of the process raises and clears its own.

    Every process has one, in `lifecycle.conditions`, so a BackgroundTask reaches it as
    `self._lifecycle.conditions`. It is served as JSON on the process's metrics socket, at
    `/conditions`, which `./freehold status` asks; and it is the metric `conditions`. It is no
    log: raising what is raised already is cheap and right, and nothing is kept once cleared.

    All of it is for the process's event loop; nothing here waits, blocks or fails.
    """

    def __init__(self, wall: Callable[[], float] = time.time) -> None:
        """Take the clock that tells `since`, in seconds since 1970."""
        self._wall = wall
        self._raised: dict[str, Condition] = {}

    def raise_condition(self, name: str, problem: str, next_step: str, *, failing: bool) -> None:
        """Tell of a condition, or tell it in other words; `since` stays at the first time."""
        before = self._raised.get(name)
        if before is not None and before.failing != failing:
            self.clear(name)
        since = datetime.fromtimestamp(self._wall(), UTC) if before is None else before.since
        self._raised[name] = Condition(
            name=name, problem=problem, next_step=next_step, failing=failing, since=since
        )
        CONDITIONS.labels(name, _flag(failing=failing)).set(1)

    def clear(self, name: str) -> None:
        """Take a condition back; does nothing if it is not raised."""
        before = self._raised.pop(name, None)
        if before is not None:
            CONDITIONS.remove(name, _flag(failing=before.failing))

    def listing(self) -> list[Condition]:
        """Return what is raised, the failing ones first, then the oldest."""
        return sorted(self._raised.values(), key=lambda one: (not one.failing, one.since))

    def document(self) -> bytes:
        """Return the listing as JSON."""
        return LISTING.dump_json(self.listing())


def _flag(*, failing: bool) -> str:
    return "true" if failing else "false"
