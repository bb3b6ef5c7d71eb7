"""The statements about connections, log-ins by them, and identities."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from services.auth.federation.records import Connection, Profile
from shared.chassis.database import Executor, Record
from shared.chassis.queries import load_queries
from shared.schemas.api.connections import ConnectionKind

SQL = load_queries(__file__)


@dataclass(frozen=True, slots=True)
class TakenAttempt:
    """A log-in whose state has just been spent."""

    session_id: UUID | None
    """The session that links, if nobody logs in."""
    return_to: str


@dataclass(frozen=True, slots=True)
class IdentityRow:
    """An identity, as its owner sees it."""

    id: UUID
    connection_id: str | None
    connection_name: str | None
    issuer: str
    subject: str
    email: str | None
    created_at: datetime
    last_used_at: datetime


def _connection(row: Record) -> Connection:
    return Connection(
        id=row["id"],
        name=row["name"],
        kind=ConnectionKind(row["kind"]),
        issuer=row["issuer"],
        client_id=row["client_id"],
        sealed_secret=row["sealed_secret"],
        scopes=tuple(row["scopes"]),
        team_id=row["team_id"],
        key_id=row["key_id"],
        is_enabled=row["is_enabled"],
        created_at=row["created_at"],
    )


async def insert_connection(executor: Executor, connection: Connection) -> Connection:
    """Add a connection. Raises ConstraintViolation `connections_pkey` for a known id."""
    row = await executor.fetchrow(
        SQL["insert_connection"],
        connection.id,
        connection.name,
        connection.kind.value,
        connection.issuer,
        connection.client_id,
        connection.sealed_secret,
        list(connection.scopes),
        connection.team_id,
        connection.key_id,
        connection.is_enabled,
    )
    return _connection(row)


async def find_connection(executor: Executor, connection_id: str) -> Connection | None:
    """Return a connection."""
    row = await executor.fetchrow(SQL["find_connection"], connection_id)
    return None if row is None else _connection(row)


async def lock_connection(executor: Executor, connection_id: str) -> Connection | None:
    """Return a connection, locked until the transaction ends."""
    row = await executor.fetchrow(SQL["lock_connection"], connection_id)
    return None if row is None else _connection(row)


async def update_connection(executor: Executor, connection: Connection) -> None:
    """Replace what may change, and forget the log-ins that began before."""
    await executor.execute(
        SQL["update_connection"],
        connection.id,
        connection.name,
        connection.client_id,
        connection.sealed_secret,
        list(connection.scopes),
        connection.team_id,
        connection.key_id,
        connection.is_enabled,
    )
    await executor.execute(SQL["delete_attempts"], connection.id)


async def list_connections(executor: Executor, *, after: str, limit: int) -> list[Connection]:
    """Return connections by their ids."""
    rows = await executor.fetch(SQL["list_connections"], after, limit)
    return [_connection(row) for row in rows]


async def list_enabled(executor: Executor, *, limit: int) -> list[tuple[str, str]]:
    """Return ids and names of the connections that let people in, by their names."""
    rows = await executor.fetch(SQL["list_enabled_connections"], limit)
    return [(row["id"], row["name"]) for row in rows]


async def delete_connection(executor: Executor, connection_id: str) -> bool:
    """Remove a connection; False if there is none."""
    return await executor.fetchval(SQL["delete_connection"], connection_id) is not None


async def insert_attempt(
    executor: Executor,
    *,
    state_hash: bytes,
    browser_hash: bytes,
    connection_id: str,
    session_id: UUID | None,
    return_to: str,
    lifetime: timedelta,
) -> None:
    """Remember a log-in until it comes back."""
    await executor.execute(
        SQL["insert_attempt"],
        state_hash,
        browser_hash,
        connection_id,
        session_id,
        return_to,
        lifetime,
    )


async def take_attempt(
    executor: Executor, *, state_hash: bytes, browser_hash: bytes, connection_id: str
) -> TakenAttempt | None:
    """Spend a state; None if it is spent, expired, of another browser or of another connection."""
    row = await executor.fetchrow(SQL["take_attempt"], state_hash, browser_hash, connection_id)
    return None if row is None else TakenAttempt(**dict(row))


async def delete_expired(executor: Executor, *, limit: int) -> int:
    """Remove up to `limit` log-ins that never came back; return how many that were."""
    tag = await executor.execute(SQL["delete_expired_attempts"], limit)
    return int(tag.rpartition(" ")[2])


async def find_session_owner(executor: Executor, session_id: UUID) -> UUID | None:
    """Return whose a session is, locking nothing; None if it has ended."""
    owner: UUID | None = await executor.fetchval(SQL["find_session_owner"], session_id)
    return owner


async def lock_identity(executor: Executor, profile: Profile) -> tuple[UUID, UUID] | None:
    """Return an identity's id and whose it is; nobody else decides it until the end."""
    await executor.execute(SQL["lock_subject"], profile.issuer, profile.subject)
    row = await executor.fetchrow(SQL["find_identity"], profile.issuer, profile.subject)
    return None if row is None else (row["id"], row["user_id"])


async def insert_identity(
    executor: Executor, identity_id: UUID, user_id: UUID, connection_id: str, profile: Profile
) -> None:
    """Make an identity an account's. Call `lock_identity` before."""
    await executor.execute(
        SQL["insert_identity"],
        identity_id,
        user_id,
        connection_id,
        profile.issuer,
        profile.subject,
        profile.email,
    )


async def use_identity(
    executor: Executor, identity_id: UUID, connection_id: str, profile: Profile
) -> bool:
    """Note that somebody came in by an identity; False if it is gone."""
    used = await executor.fetchval(SQL["use_identity"], identity_id, connection_id, profile.email)
    return used is not None


async def list_identities(
    executor: Executor, user_id: UUID, *, before: UUID | None, limit: int
) -> list[IdentityRow]:
    """Return an account's identities, newest first, older than `before`."""
    rows = await executor.fetch(SQL["list_identities"], user_id, before, limit)
    return [IdentityRow(**dict(row)) for row in rows]


async def delete_identity(executor: Executor, identity_id: UUID, user_id: UUID) -> str | None:
    """Remove an identity of an account and return its issuer; None if there is none."""
    issuer: str | None = await executor.fetchval(SQL["delete_identity"], identity_id, user_id)
    return issuer


async def has_usable_identity(executor: Executor, user_id: UUID) -> bool:
    """Tell whether an account can be entered by any identity."""
    has_one: bool = await executor.fetchval(SQL["has_usable_identity"], user_id)
    return has_one
