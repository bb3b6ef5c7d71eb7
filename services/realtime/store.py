"""Every statement of the realtime service, by name. Nothing else speaks SQL.

All functions raise Unavailable when PostgreSQL cannot be reached.
"""

from dataclasses import dataclass

from shared.chassis.database import Executor
from shared.chassis.queries import load_queries

SQL = load_queries(__file__)


@dataclass(frozen=True, slots=True)
class Epoch:
    """One life of the stream."""

    name: str
    previous: str
    """The epoch before it; empty for the first."""
    boot_id: str | None
    """The host's run in which its stream was declared; None if it was not yet."""


async def current_epoch(executor: Executor) -> Epoch:
    """Return the present epoch."""
    row = await executor.fetchrow(SQL["current_epoch"])
    if row is None:
        raise LookupError("the table of epochs is empty; run `migrate`")
    return Epoch(row["name"], row["previous"], row["boot_id"])


async def begin_epoch(executor: Executor, after: str) -> Epoch:
    """Begin the epoch that follows another and return it; safe to call from many processes."""
    await executor.execute(SQL["begin_epoch"], after)
    return await current_epoch(executor)


async def mark_declared(executor: Executor, name: str, *, boot_id: str) -> None:
    """Note that the stream of an epoch exists."""
    await executor.execute(SQL["mark_declared"], name, boot_id)
