"""The statements about known devices and strangers."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from uuid import UUID

from services.auth.records import Network
from shared.chassis.database import Executor
from shared.chassis.queries import load_queries

SQL = load_queries(__file__)

DEVICES_KEPT_FOR: Final = timedelta(days=400)
"""As long as browsers keep a cookie at most."""


@dataclass(frozen=True, slots=True)
class Noted:
    """What an account knew of a device when it came."""

    is_new: bool
    is_first: bool
    """Whether no session of the account had been opened before."""


async def note_device(
    executor: Executor, user_id: UUID, device_hash: bytes, network: Network
) -> Noted:
    """Remember a device and return what was known of it; of several at once one is new."""
    row = await executor.fetchrow(SQL["note_device"], user_id, device_hash, network)
    assert row is not None  # noqa: S101 - the statement always returns one row
    return Noted(**dict(row))


async def delete_surplus_devices(executor: Executor, user_id: UUID, *, keep: int) -> None:
    """Forget all but the `keep` devices of an account that were seen last."""
    await executor.execute(SQL["delete_surplus_devices"], user_id, keep)


async def forget_devices(executor: Executor, user_id: UUID, *, keep: bytes) -> None:
    """Forget every device of an account but one."""
    await executor.execute(SQL["forget_devices"], user_id, keep)


async def delete_expired(executor: Executor, *, limit: int) -> int:
    """Remove up to `limit` rows of each kind that time has overtaken; return how many."""
    tags = [await executor.execute(SQL["delete_old_devices"], limit, DEVICES_KEPT_FOR)]
    return sum(int(tag.rpartition(" ")[2]) for tag in tags)
