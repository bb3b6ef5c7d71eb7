"""The statements about service accounts."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from services.auth.records import EndedSession
from shared.chassis.database import Executor
from shared.chassis.queries import load_queries

SQL = load_queries(__file__)


@dataclass(frozen=True, slots=True)
class ServiceAccountRow:
    """A row of `service_accounts`."""

    id: UUID
    name: str
    description: str
    created_by: UUID
    created_at: datetime
    disabled_at: datetime | None


async def lock_making_service_accounts(executor: Executor) -> None:
    """Let nobody else make a service account until the transaction ends."""
    await executor.execute(SQL["lock_making_service_accounts"])


async def count_service_accounts(executor: Executor) -> int:
    """Return how many service accounts there are."""
    accounts: int = await executor.fetchval(SQL["count_service_accounts"])
    return accounts


async def insert_service_account(
    executor: Executor, account_id: UUID, *, name: str, description: str, created_by: UUID
) -> ServiceAccountRow | None:
    """Create a service account; None if another one has the name."""
    row = await executor.fetchrow(
        SQL["insert_service_account"], account_id, name, description, created_by
    )
    return None if row is None else ServiceAccountRow(**dict(row))


async def list_service_accounts(
    executor: Executor, *, before: UUID | None, limit: int
) -> list[ServiceAccountRow]:
    """Return service accounts, newest first."""
    rows = await executor.fetch(SQL["list_service_accounts"], before, limit)
    return [ServiceAccountRow(**dict(row)) for row in rows]


async def find_service_account(executor: Executor, account_id: UUID) -> ServiceAccountRow | None:
    """Return one service account."""
    row = await executor.fetchrow(SQL["find_service_account"], account_id)
    return None if row is None else ServiceAccountRow(**dict(row))


async def lock_service_account(executor: Executor, account_id: UUID) -> ServiceAccountRow | None:
    """Return one service account, locked until the transaction ends."""
    row = await executor.fetchrow(SQL["lock_service_account"], account_id)
    return None if row is None else ServiceAccountRow(**dict(row))


async def set_service_account_disabled(
    executor: Executor, account_id: UUID, *, disabled: bool
) -> bool:
    """Disable a service account or enable it again; False if it is so already."""
    changed = await executor.fetchval(SQL["set_service_account_disabled"], account_id, disabled)
    return changed is not None


async def list_service_account_keys(executor: Executor, account_id: UUID) -> list[EndedSession]:
    """Return the API keys of a service account."""
    rows = await executor.fetch(SQL["list_service_account_keys"], account_id)
    return [EndedSession(**dict(row)) for row in rows]


async def delete_service_account(executor: Executor, account_id: UUID) -> list[EndedSession]:
    """Remove a service account and its API keys, and return those."""
    rows = await executor.fetch(SQL["delete_service_account_keys"], account_id)
    await executor.execute(SQL["delete_service_account"], account_id)
    return [EndedSession(**dict(row)) for row in rows]
