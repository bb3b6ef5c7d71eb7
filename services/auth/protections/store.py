"""The statements about known devices and strangers."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from uuid import UUID

from services.auth.networks import NOWHERE
from services.auth.records import Network
from shared.chassis.database import Executor
from shared.chassis.queries import load_queries

SQL = load_queries(__file__)

DEVICES_KEPT_FOR: Final = timedelta(days=400)
"""As long as browsers keep a cookie at most."""


STRANGERS_COUNTED_FOR: Final = timedelta(days=1)
"""Without a failure, after which the count begins anew."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What a log-in is up against."""

    by_cookie: bool
    """Whether the account knows the browser."""
    by_network: bool
    """Whether the account knows the network."""
    failures: int | None
    """Of the counter that the attempt goes by: the browser's own, or its network's."""
    since_last: timedelta | None
    network_failures: int | None
    """Of the network, at whatever accounts."""
    since_network_failed: timedelta | None
    stranger_failures: int
    since_let_in: timedelta | None
    """How long ago a stranger was let in although too many had failed."""


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


async def is_known(
    executor: Executor, email: str, *, device_hash: bytes | None, network: Network
) -> bool:
    """Tell whether the account of an address, if any, knows a browser or a network."""
    known: bool = await executor.fetchval(SQL["is_known"], email, device_hash, network)
    return known


async def delete_surplus_devices(executor: Executor, user_id: UUID, *, keep: int) -> None:
    """Forget all but the `keep` devices of an account that were seen last."""
    await executor.execute(SQL["delete_surplus_devices"], user_id, keep)


async def forget_devices(executor: Executor, user_id: UUID, *, keep: bytes | None) -> None:
    """Forget every device of an account but one, or without that all of them."""
    await executor.execute(SQL["forget_devices"], user_id, keep)


async def find_standing(
    executor: Executor,
    email: str,
    *,
    account: bytes,
    network: Network,
    device_hash: bytes | None,
    device_counter: bytes | None,
    all_accounts: bytes,
) -> Standing:
    """Return what an attempt to log in at an address is up against.

    A browser that the account knows by its `device_hash` goes by a counter of its own.
    `all_accounts` is by what the failures of a network are counted, whatever the account.
    """
    row = await executor.fetchrow(
        SQL["find_log_in_standing"],
        email,
        account,
        network,
        device_hash,
        device_counter,
        NOWHERE,
        STRANGERS_COUNTED_FOR,
        all_accounts,
    )
    assert row is not None  # noqa: S101 - the statement always returns one row
    return Standing(**dict(row))


async def count_stranger_failure(executor: Executor, account: bytes) -> None:
    """Count one more failure of strangers at an address."""
    await executor.execute(SQL["count_stranger_failure"], account, STRANGERS_COUNTED_FOR)


async def take_turn(executor: Executor, account: bytes, *, every: timedelta) -> bool:
    """Let one stranger in within `every`; of several at the same time one is."""
    return await executor.fetchval(SQL["take_turn"], account, every) is not None


async def delete_expired(executor: Executor, *, limit: int) -> int:
    """Remove up to `limit` rows of each kind that time has overtaken; return how many."""
    tags = [
        await executor.execute(SQL["delete_old_devices"], limit, DEVICES_KEPT_FOR),
        await executor.execute(SQL["delete_old_stranger_failures"], limit, STRANGERS_COUNTED_FOR),
    ]
    return sum(int(tag.rpartition(" ")[2]) for tag in tags)
