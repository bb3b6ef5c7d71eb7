"""The statements about changes of address."""

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from services.auth.records import Account
from services.auth.store import account_from
from shared.chassis.database import Executor
from shared.chassis.queries import load_queries

SQL = load_queries(__file__)


@dataclass(frozen=True, slots=True)
class EmailChange:
    """A change of address that at least one side has confirmed."""

    session_id: UUID
    """The session that asked for it."""
    new_email: str
    is_complete: bool
    """Whether both addresses have confirmed."""


async def lock_account_of_link(
    executor: Executor, token_hash: bytes, purpose: str
) -> Account | None:
    """Return the account of a link that is still good, locked until the transaction ends."""
    row = await executor.fetchrow(SQL["lock_account_of_link"], token_hash, purpose)
    return None if row is None else account_from(row)


async def replace_email_change(
    executor: Executor,
    *,
    change_id: UUID,
    user_id: UUID,
    session_id: UUID,
    new_email: str,
    lifetime: timedelta,
) -> None:
    """Begin a change of address in place of an earlier one."""
    await executor.execute(
        SQL["replace_email_change"], change_id, user_id, session_id, new_email, lifetime
    )


async def confirm_email_change(
    executor: Executor, change_id: UUID, *, side: str
) -> EmailChange | None:
    """Note that one side, `old` or `new`, has confirmed; None if the change is not wanted now."""
    row = await executor.fetchrow(SQL["confirm_email_change"], change_id, side)
    return None if row is None else EmailChange(**dict(row))


async def delete_email_change(executor: Executor, user_id: UUID) -> bool:
    """Forget the change of an account's address; False if there is none."""
    return await executor.fetchval(SQL["delete_email_change"], user_id) is not None


async def set_email(executor: Executor, user_id: UUID, email: str) -> None:
    """Move an account. Raises ConstraintViolation `users_email_key` for another's address."""
    await executor.execute(SQL["set_email"], user_id, email)


async def delete_expired(executor: Executor, *, limit: int) -> int:
    """Remove up to `limit` changes that were not confirmed in time."""
    tag = await executor.execute(SQL["delete_expired_email_changes"], limit)
    return int(tag.rpartition(" ")[2])
