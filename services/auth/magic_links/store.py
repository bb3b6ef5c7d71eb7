"""The statements about links that log somebody in."""

from dataclasses import dataclass
from uuid import UUID

from shared.chassis.database import Executor
from shared.chassis.queries import load_queries

SQL = load_queries(__file__)


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


async def find_request_address(executor: Executor, request_hash: bytes) -> str | None:
    """Return where the link of a live request was sent."""
    email: str | None = await executor.fetchval(SQL["find_request_address"], request_hash)
    return email


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
