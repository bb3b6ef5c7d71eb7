"""The statements of administrators."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from services.auth.records import Account, EndedSession
from services.auth.store import account_from
from shared.chassis.database import Executor
from shared.chassis.queries import load_queries
from shared.schemas.roles import ADMINISTRATOR

SQL = load_queries(__file__)

_NEWEST: Final = UUID(int=2**128 - 1)
_LAST: Final = chr(0x10FFFF)
"""Behind whatever a text goes on with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UserFilter:
    """Which accounts a list shows."""

    query: str | None
    """What an address or name begins with."""
    role: str | None
    disabled: bool | None


@dataclass(frozen=True, slots=True)
class AccountSummary:
    """What hangs on an account."""

    disabled_reason: str | None
    has_password: bool
    sessions: int
    api_keys: int


@dataclass(frozen=True, slots=True)
class AuditRow:
    """A row of `audit_log`."""

    id: UUID
    at: datetime
    action: str
    actor_id: UUID | None
    user_id: UUID | None
    session_id: UUID | None
    address: str | None
    user_agent: str | None
    details: dict[str, Any]


async def list_users(
    executor: Executor, chosen: UserFilter, *, before: UUID | None, limit: int
) -> list[Account]:
    """Return accounts, newest first; a search finds two hundred by address and by name each."""
    filters = (before, limit, chosen.role, chosen.disabled)
    if chosen.query is None:
        rows = await executor.fetch(SQL["list_users"], *filters)
    else:
        begins = chosen.query.lower()
        rows = await executor.fetch(SQL["search_users"], *filters, begins, begins + _LAST)
    return [account_from(row) for row in rows]


async def summarise(executor: Executor, user_id: UUID) -> AccountSummary | None:
    """Return what hangs on an account."""
    row = await executor.fetchrow(SQL["read_user"], user_id)
    return None if row is None else AccountSummary(**dict(row))


async def is_last_administrator(executor: Executor, user_id: UUID) -> bool:
    """Tell whether nobody else administers; the answer holds until the transaction ends."""
    await executor.execute(SQL["lock_administrators"])
    is_other: bool = await executor.fetchval(SQL["is_other_administrator"], user_id, ADMINISTRATOR)
    return not is_other


async def set_roles(executor: Executor, user_id: UUID, roles: Sequence[str]) -> None:
    """Replace an account's roles."""
    await executor.execute(SQL["set_roles"], user_id, list(roles))


async def disable_user(executor: Executor, user_id: UUID, reason: str | None) -> bool:
    """Shut an account; False if it was shut already."""
    return await executor.fetchval(SQL["disable_user"], user_id, reason) is not None


async def enable_user(executor: Executor, user_id: UUID) -> bool:
    """Open an account again; False if it was open."""
    return await executor.fetchval(SQL["enable_user"], user_id) is not None


async def list_key_ids(executor: Executor, user_id: UUID) -> list[EndedSession]:
    """Return the API keys of an account."""
    rows = await executor.fetch(SQL["list_key_ids"], user_id)
    return [EndedSession(**dict(row)) for row in rows]


async def list_audit_entries(
    executor: Executor,
    *,
    before: UUID | None,
    limit: int,
    user_id: UUID | None = None,
    actor_id: UUID | None = None,
    action: str | None = None,
) -> list[AuditRow]:
    """Return acts, newest first."""
    if user_id is not None:
        statement = SQL["list_audit_entries_of_user"]
    elif actor_id is not None:
        statement = SQL["list_audit_entries_of_actor"]
    elif action is not None:
        statement = SQL["list_audit_entries_of_action"]
    else:
        statement = SQL["list_audit_entries"]
    newest = _NEWEST if before is None else before
    rows = await executor.fetch(statement, newest, limit, user_id, actor_id, action)
    return [
        AuditRow(
            **{**dict(row), "address": None if row["address"] is None else str(row["address"])}
        )
        for row in rows
    ]
