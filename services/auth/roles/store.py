"""The statements about roles."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from shared.chassis.database import Executor, Record
from shared.chassis.queries import load_queries

SQL = load_queries(__file__)


@dataclass(frozen=True, slots=True)
class RoleRow:
    """A row of `roles`."""

    name: str
    description: str
    permissions: tuple[str, ...]
    is_built_in: bool
    created_at: datetime
    updated_at: datetime


def _role(row: Record) -> RoleRow:
    return RoleRow(**{**dict(row), "permissions": tuple(row["permissions"])})


async def list_roles(executor: Executor, *, after: str, limit: int) -> list[RoleRow]:
    """Return roles by name."""
    return [_role(row) for row in await executor.fetch(SQL["list_roles"], after, limit)]


async def find_role(executor: Executor, name: str) -> RoleRow | None:
    """Return one role."""
    row = await executor.fetchrow(SQL["find_role"], name)
    return None if row is None else _role(row)


async def lock_role(executor: Executor, name: str) -> RoleRow | None:
    """Return one role, which nobody can be given until the transaction ends."""
    row = await executor.fetchrow(SQL["lock_role"], name)
    return None if row is None else _role(row)


async def lock_making_roles(executor: Executor) -> None:
    """Let nobody else make a role until the transaction ends."""
    await executor.execute(SQL["lock_making_roles"])


async def count_roles(executor: Executor) -> int:
    """Return how many roles there are."""
    roles: int = await executor.fetchval(SQL["count_roles"])
    return roles


async def put_role(
    executor: Executor, name: str, *, description: str, permissions: Sequence[str]
) -> RoleRow:
    """Make a role or replace what it allows."""
    return _role(await executor.fetchrow(SQL["put_role"], name, description, list(permissions)))


async def delete_role(executor: Executor, name: str) -> None:
    """Remove a role that nobody has."""
    await executor.execute(SQL["delete_role"], name)


async def is_role_held(executor: Executor, name: str) -> bool:
    """Tell whether some account has a role."""
    is_held: bool = await executor.fetchval(SQL["is_role_held"], name)
    return is_held


async def keep_roles(executor: Executor, names: Sequence[str]) -> frozenset[str]:
    """Return which of some roles there are; none goes or changes until the transaction ends."""
    rows = await executor.fetch(SQL["keep_roles"], list(names))
    return frozenset(row["name"] for row in rows)


async def is_too_much_for_a_token(
    executor: Executor, *, most: int, user_id: UUID | None = None, role: str | None = None
) -> bool:
    """Tell whether an account, or any that has a role, has names of more than `most` characters."""
    is_too_much: bool = await executor.fetchval(SQL["is_too_much_for_a_token"], user_id, role, most)
    return is_too_much
