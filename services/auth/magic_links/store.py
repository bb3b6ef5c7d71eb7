"""The statements about links that log somebody in."""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Final
from uuid import UUID

from services.auth.records import Network
from shared.chassis.database import Executor
from shared.chassis.queries import load_queries

SQL = load_queries(__file__)

COUNTED_FOR: Final = timedelta(days=1)
"""The longest time that any act is counted for."""


class Counted(StrEnum):
    """Acts that are counted for each address."""

    MAIL = "mail"
    CODE = "code"


@dataclass(frozen=True, slots=True)
class LinkRequest:
    """A link that is still good, as whoever asked for it may use it."""

    link_id: UUID
    email: str
    failures: int
    """Wrong codes so far."""


async def insert_request(executor: Executor, *, link_id: UUID, request_hash: bytes) -> None:
    """Remember who asked for a link."""
    await executor.execute(SQL["insert_request"], link_id, request_hash)


async def lock_request(executor: Executor, request_hash: bytes) -> LinkRequest | None:
    """Return a live request with its link, both locked until the transaction ends."""
    row = await executor.fetchrow(SQL["lock_request"], request_hash)
    return None if row is None else LinkRequest(**dict(row))


async def count_failure(executor: Executor, link_id: UUID) -> None:
    """Count one more wrong code for a link."""
    await executor.execute(SQL["count_failure"], link_id)


async def delete_link(executor: Executor, link_id: UUID) -> None:
    """Make a link worthless."""
    await executor.execute(SQL["delete_link"], link_id)


async def count_up(
    executor: Executor, address: bytes, kind: Counted, network: Network, *, window: timedelta
) -> int:
    """Count one more act of a kind, and return how many there were within the window.

    Others who count the same wait until the transaction ends.
    """
    count: int = await executor.fetchval(SQL["count_up"], address, kind.value, network, window)
    return count


async def count_down(executor: Executor, address: bytes, kind: Counted, network: Network) -> None:
    """Take one act back."""
    await executor.execute(SQL["count_down"], address, kind.value, network)


async def count_everywhere(
    executor: Executor, address: bytes, kind: Counted, *, window: timedelta, share: int
) -> int:
    """Return how many acts all networks had, none of them counting for more than its share."""
    count: int = await executor.fetchval(
        SQL["count_everywhere"], address, kind.value, window, share
    )
    return count


async def delete_expired(executor: Executor, *, limit: int) -> int:
    """Remove up to `limit` counts that have begun anew by now; return how many."""
    tag = await executor.execute(SQL["delete_old_counts"], limit, COUNTED_FOR)
    return int(tag.rpartition(" ")[2])
