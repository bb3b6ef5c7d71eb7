"""The statements about API keys."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from services.auth.records import ApiKeyRow, EndedSession, Network
from shared.chassis.database import Executor, Record
from shared.chassis.queries import load_queries
from shared.schemas.roles import ADMINISTRATOR

SQL = load_queries(__file__)


def _api_key(row: Record) -> ApiKeyRow:
    network = row["last_used_address"]
    return ApiKeyRow(
        id=row["id"],
        owner_id=row["owner_id"],
        name=row["name"],
        scopes=tuple(row["scopes"]),
        created_at=row["created_at"],
        expires_at=row["expires_at"],
        last_used_at=row["last_used_at"],
        last_used_address=None if network is None else str(network).removesuffix("/32"),
    )


async def insert_api_key(
    executor: Executor,
    *,
    key_id: UUID,
    user_id: UUID | None,
    service_account_id: UUID | None,
    name: str,
    key_hash: bytes,
    scopes: Sequence[str],
    expires_at: datetime | None,
) -> ApiKeyRow:
    """Store an API key of a user or a service account, one of them."""
    row = await executor.fetchrow(
        SQL["insert_api_key"],
        key_id,
        user_id,
        service_account_id,
        name,
        key_hash,
        list(scopes),
        expires_at,
    )
    return _api_key(row)


async def count_api_keys(executor: Executor, owner_id: UUID) -> int:
    """Return how many API keys of an owner are good."""
    keys: int = await executor.fetchval(SQL["count_api_keys"], owner_id)
    return keys


async def list_api_keys(
    executor: Executor, owner_id: UUID, *, before: UUID | None, limit: int
) -> list[ApiKeyRow]:
    """Return an owner's API keys, newest first, older than `before`."""
    rows = await executor.fetch(SQL["list_api_keys"], owner_id, before, limit)
    return [_api_key(row) for row in rows]


async def rename_api_key(
    executor: Executor, key_id: UUID, *, owner_id: UUID, name: str
) -> ApiKeyRow | None:
    """Give one API key of an owner another name; None if there is no such key."""
    row = await executor.fetchrow(SQL["rename_api_key"], key_id, owner_id, name)
    return None if row is None else _api_key(row)


async def delete_api_key(
    executor: Executor, key_id: UUID, *, owner_id: UUID
) -> EndedSession | None:
    """Remove one API key of an owner; None if there is no such key."""
    row = await executor.fetchrow(SQL["delete_api_key"], key_id, owner_id)
    return None if row is None else EndedSession(**dict(row))


async def find_api_key(executor: Executor, key_hash: bytes) -> tuple[ApiKeyRow, bool] | None:
    """Return the key that a hash names, while it is good, and whether it keeps all its scopes.

    That of somebody who is no administrator any more does not keep those of administrators.
    """
    row = await executor.fetchrow(SQL["find_api_key"], key_hash, ADMINISTRATOR)
    return None if row is None else (_api_key(row), bool(row["keeps_all_scopes"]))


async def note_api_key_use(executor: Executor, key_id: UUID, network: Network | None) -> None:
    """Remember that a key was used, and from where if that is known."""
    await executor.execute(SQL["note_api_key_use"], key_id, network)


async def delete_expired(executor: Executor, *, limit: int) -> int:
    """Remove up to `limit` keys that expired long ago; return how many."""
    tag = await executor.execute(SQL["delete_expired_api_keys"], limit)
    return int(tag.rpartition(" ")[2])
