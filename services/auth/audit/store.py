"""The statements about the audit log."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from services.auth.records import Device
from shared.chassis.database import Executor, Transaction
from shared.chassis.queries import load_queries

SQL = load_queries(__file__)


class Removal(StrEnum):
    """Why entries may be removed."""

    CLEAN_UP = "clean-up"
    """They are older than thirty days at least."""
    ERASURE = "erasure"
    """They are of an account that is deleted, and are written anew with less."""


async def insert_audit_entries(
    executor: Executor,
    *,
    entry_ids: Sequence[UUID],
    action: str,
    actor_id: UUID | None,
    user_id: UUID | None,
    session_id: UUID | None,
    device: Device,
    details: Sequence[dict[str, Any]],
) -> None:
    """Write one act once for each id, with the details in its place."""
    await executor.execute(
        SQL["insert_audit_entries"],
        list(entry_ids),
        action,
        actor_id,
        user_id,
        session_id,
        device.address,
        device.user_agent,
        list(details),
    )


async def allow_removal(transaction: Executor, reason: Removal) -> None:
    """Let a transaction remove entries for a reason."""
    await transaction.execute(SQL["allow_removal"], reason.value)


async def delete_old_entries(transaction: Transaction, *, kept_for: timedelta, limit: int) -> int:
    """Remove up to `limit` of the entries that are older than `kept_for`; return how many."""
    await allow_removal(transaction, Removal.CLEAN_UP)
    tag = await transaction.execute(
        SQL["delete_old_entries"], _id_at(datetime.now(UTC) - kept_for), kept_for, limit
    )
    return int(tag.rpartition(" ")[2])


def _id_at(moment: datetime) -> UUID:
    # A UUIDv7 begins with its milliseconds since 1970, in 48 bits.
    return UUID(int=int(moment.timestamp() * 1000) << 80)
