"""Every statement of the auth service, by name. Nothing else speaks SQL.

Each function runs on whatever it is given: the database, as a transaction of its own, or an open
transaction, as a part of it. All raise Unavailable when PostgreSQL cannot be reached.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from services.auth.records import (
    Account,
    Device,
    EndedSession,
    ImportedAccount,
    Link,
    Method,
    Network,
    NewSigningKey,
    Revocation,
    SessionRow,
    SessionWithRights,
    SigningKeyRow,
    Signup,
)
from shared.chassis.database import Executor, Record, Transaction
from shared.chassis.queries import load_queries
from shared.schemas.api.auth import TokenDelivery
from shared.schemas.roles import OrganisationRole

SQL = load_queries(__file__)


def account_from(row: Record) -> Account:
    """Return the account of a row of `users`."""
    return Account(
        id=row["id"],
        email=row["email"],
        name=row["name"],
        password_hash=row["password_hash"],
        roles=tuple(row["roles"]),
        created_at=row["created_at"],
        disabled_at=row["disabled_at"],
    )


def _account_of_session(row: Record) -> Account:
    return Account(
        id=row["user_id"],
        email=row["email"],
        name=row["name"],
        password_hash=row["password_hash"],
        roles=tuple(row["roles"]),
        created_at=row["user_created_at"],
        disabled_at=row["disabled_at"],
    )


def _session_columns(row: Record) -> dict[str, Any]:
    return {
        "id": row["id"],
        "user_id": row["user_id"],
        "token_delivery": TokenDelivery(row["token_delivery"]),
        "refresh_counter": row["refresh_counter"],
        "refreshed_at": row["refreshed_at"],
        "idle_expires_at": row["idle_expires_at"],
        "expires_at": row["expires_at"],
        "user_agent": row["user_agent"],
        "address": None if row["address"] is None else str(row["address"]),
        "last_used_address": None
        if row["last_used_address"] is None
        else str(row["last_used_address"]),
        "created_at": row["created_at"],
        "methods": tuple(row["methods"]),
        "authenticated_at": row["authenticated_at"],
        "impersonator_id": row["impersonator_id"],
        "organisation_id": row["organisation_id"],
    }


def _session_with_rights(row: Record) -> SessionWithRights:
    role = row["organisation_role"]
    return SessionWithRights(
        **_session_columns(row),
        organisation_role=None if role is None else OrganisationRole(role),
        permissions=tuple(sorted(row["permissions"])),
    )


def _affected(tag: str) -> int:
    return int(tag.rpartition(" ")[2])


# Accounts


async def insert_user(
    executor: Executor,
    *,
    user_id: UUID,
    email: str,
    name: str | None,
    password_hash: str | None,
    roles: Sequence[str] = (),
) -> Account:
    """Create an account. Raises ConstraintViolation `users_email_key` for a known address."""
    row = await executor.fetchrow(
        SQL["insert_user"], user_id, email, name, password_hash, list(roles)
    )
    return account_from(row)


async def find_user(executor: Executor, user_id: UUID) -> Account | None:
    """Return an account by its id."""
    row = await executor.fetchrow(SQL["find_user"], user_id)
    return None if row is None else account_from(row)


async def hold_user(transaction: Transaction, user_id: UUID) -> Account | None:
    """Return an account that nobody disables, deletes or gives another password meanwhile.

    Waits for whoever is about to. Take it before locks on anything that belongs to the account.
    """
    row = await transaction.fetchrow(SQL["hold_user"], user_id)
    return None if row is None else account_from(row)


async def lock_user(executor: Executor, user_id: UUID) -> Account | None:
    """Return an account, locked until the transaction ends."""
    row = await executor.fetchrow(SQL["lock_user"], user_id)
    return None if row is None else account_from(row)


async def find_user_by_email(executor: Executor, email: str) -> Account | None:
    """Return an account by its normalised address."""
    row = await executor.fetchrow(SQL["find_user_by_email"], email)
    return None if row is None else account_from(row)


async def hold_user_by_email(transaction: Transaction, email: str) -> Account | None:
    """Return an account by its normalised address, held as by `hold_user`."""
    row = await transaction.fetchrow(SQL["hold_user_by_email"], email)
    return None if row is None else account_from(row)


async def lock_user_by_email(executor: Executor, email: str) -> Account | None:
    """Return an account by its normalised address, locked until the transaction ends."""
    row = await executor.fetchrow(SQL["lock_user_by_email"], email)
    return None if row is None else account_from(row)


async def rename_user(executor: Executor, user_id: UUID, name: str | None) -> Account | None:
    """Change an account's name and return the account, or None if it is gone."""
    row = await executor.fetchrow(SQL["rename_user"], user_id, name)
    return None if row is None else account_from(row)


async def grant_role(executor: Executor, user_id: UUID, role: str) -> None:
    """Add a role to an account."""
    await executor.execute(SQL["grant_role"], user_id, role)


async def set_password(executor: Executor, user_id: UUID, password_hash: str) -> None:
    """Replace an account's password."""
    await executor.execute(SQL["set_password"], user_id, password_hash)


async def insert_imported_users(executor: Executor, imported: Sequence[ImportedAccount]) -> int:
    """Add accounts whose address has none yet; return how many that were."""
    columns = zip(
        *((one.id, one.email, one.name, one.password_hash, one.created_at) for one in imported),
        strict=True,
    )
    return _affected(await executor.execute(SQL["insert_imported_users"], *map(list, columns)))


async def replace_password_hash(executor: Executor, account: Account, password_hash: str) -> bool:
    """Store the same password under another hash; False if it was changed meanwhile."""
    tag = await executor.execute(
        SQL["replace_password_hash"], account.id, account.password_hash, password_hash
    )
    return _affected(tag) == 1


# Sign-ups and links


async def insert_signup(
    executor: Executor, signup: Signup, *, link_id: UUID, token_hash: bytes, lifetime: timedelta
) -> None:
    """Remember an attempt to sign up and its link; call it in a transaction."""
    await executor.execute(
        SQL["insert_signup"], signup.id, signup.email, signup.name, signup.password_hash, lifetime
    )
    await executor.execute(SQL["insert_signup_link"], link_id, token_hash, signup.id, lifetime)


async def find_link(executor: Executor, link_id: UUID) -> Link | None:
    """Return a link that is still good."""
    row = await executor.fetchrow(SQL["find_link"], link_id)
    return None if row is None else Link(**dict(row))


async def take_signup(executor: Executor, token_hash: bytes) -> Signup | None:
    """Remove the attempt that a link names and return it, at most once.

    Other attempts for the same address are locked, so that of several redemptions at once the
    first to get here decides and the others find what it left.
    """
    await executor.fetch(SQL["lock_signups_beside"], token_hash)
    row = await executor.fetchrow(SQL["take_signup"], token_hash)
    return None if row is None else Signup(**dict(row))


async def delete_signups(executor: Executor, email: str) -> None:
    """Remove every pending attempt for an address, links included."""
    await executor.execute(SQL["delete_signups"], email)


# Sessions


async def insert_session(
    executor: Executor,
    *,
    session_id: UUID,
    user_id: UUID,
    token_delivery: TokenDelivery,
    idle: timedelta,
    lifetime: timedelta,
    device: Device,
    methods: Sequence[Method],
    impersonator_id: UUID | None,
    organisation_id: UUID | None,
) -> SessionWithRights:
    """Open a session."""
    row = await executor.fetchrow(
        SQL["insert_session"],
        session_id,
        user_id,
        token_delivery.value,
        min(idle, lifetime),
        lifetime,
        device.user_agent,
        device.address,
        [method.value for method in methods],
        impersonator_id,
        organisation_id,
    )
    return _session_with_rights(row)


async def rotate_session(
    executor: Executor, session_id: UUID, counter: int, *, idle: timedelta, device: Device
) -> tuple[SessionWithRights, Account] | None:
    """Advance a live session whose counter is `counter`; None if it is not exactly that."""
    row = await executor.fetchrow(SQL["rotate_session"], session_id, counter, idle, device.address)
    return None if row is None else (_session_with_rights(row), _account_of_session(row))


async def lock_session(
    executor: Executor, session_id: UUID
) -> tuple[SessionWithRights, Account, timedelta] | None:
    """Return a live session, locked, its account, and the time since its last refresh."""
    row = await executor.fetchrow(SQL["lock_session"], session_id)
    if row is None:
        return None
    return _session_with_rights(row), _account_of_session(row), row["since_refresh"]


async def choose_organisation(
    executor: Executor, session_id: UUID, organisation_id: UUID | None
) -> SessionWithRights:
    """Let the tokens of a session that the transaction has locked name an organisation, or none.

    Raises ConstraintViolation `sessions_membership_fkey` where its user is no member.
    """
    row = await executor.fetchrow(SQL["choose_organisation"], session_id, organisation_id)
    return _session_with_rights(row)


async def list_sessions(
    executor: Executor, user_id: UUID, *, before: UUID | None, limit: int
) -> list[SessionRow]:
    """Return a user's live sessions, newest first, older than `before`."""
    rows = await executor.fetch(SQL["list_sessions"], user_id, before, limit)
    return [SessionRow(**_session_columns(row)) for row in rows]


async def end_session(
    executor: Executor, session_id: UUID, *, user_id: UUID
) -> EndedSession | None:
    """Remove one session of a user; None if there is no such session."""
    row = await executor.fetchrow(SQL["end_session"], session_id, user_id)
    return None if row is None else EndedSession(**dict(row))


async def end_other_sessions(
    executor: Executor, user_id: UUID, *, keep: UUID | None
) -> list[EndedSession]:
    """Remove every session of a user but `keep`, and return the removed ones."""
    rows = await executor.fetch(SQL["end_other_sessions"], user_id, keep)
    return [EndedSession(**dict(row)) for row in rows]


# Revocations


async def end_surplus_sessions(
    transaction: Transaction, user_id: UUID, *, keep: int
) -> list[EndedSession]:
    """End all but the `keep` sessions of a user that were used last; return what was ended."""
    rows = await transaction.fetch(SQL["end_surplus_sessions"], user_id, keep)
    return [EndedSession(**dict(row)) for row in rows]


async def insert_revocations(
    executor: Executor, ended: Sequence[EndedSession], *, lifetime: timedelta
) -> None:
    """Forbid the access tokens of ended sessions for `lifetime`."""
    await executor.execute(
        SQL["insert_revocations"],
        [session.id for session in ended],
        lifetime,
    )


async def revocation_position(executor: Executor) -> tuple[str, int]:
    """Return the database's history and the position below which every transaction has ended."""
    row = await executor.fetchrow(SQL["revocation_position"])
    assert row is not None  # noqa: S101 - the statement always returns one row
    return row["history"], row["position"]


async def list_revocations(executor: Executor, position: int) -> list[Revocation]:
    """Return the live revocations written at or after a position."""
    rows = await executor.fetch(SQL["list_revocations"], position)
    return [Revocation(**dict(row)) for row in rows]


# Failed log-ins


async def count_login_failure(
    executor: Executor, account: bytes, network: Network, *, forget_after: timedelta
) -> int:
    """Count one more failure; return how many there were without a long pause."""
    failures: int = await executor.fetchval(
        SQL["count_login_failure"], account, network, forget_after
    )
    return failures


async def forget_login_failures(executor: Executor, account: bytes, network: Network) -> None:
    """Start anew after a success."""
    await executor.execute(SQL["forget_login_failures"], account, network)


# Keys


async def find_password_cost(executor: Executor) -> int | None:
    """Return the work factor that was measured here, if one was."""
    cost: int | None = await executor.fetchval(SQL["find_password_cost"])
    return cost


async def keep_password_cost(executor: Executor, cost: int) -> int:
    """Keep a measured work factor, unless another process was first; return the one that counts."""
    kept: int = await executor.fetchval(SQL["keep_password_cost"], cost)
    return kept


async def lock_signing_keys(executor: Executor) -> None:
    """Let one process at a time make signing keys, until the transaction ends."""
    await executor.execute(SQL["lock_signing_keys"])


async def list_signing_keys(executor: Executor) -> list[SigningKeyRow]:
    """Return every signing key, the one that signs first."""
    return [SigningKeyRow(**dict(row)) for row in await executor.fetch(SQL["list_signing_keys"])]


async def insert_signing_key(
    executor: Executor, key: NewSigningKey, *, activates_in: timedelta
) -> SigningKeyRow:
    """Store a key that signs after a while."""
    row = await executor.fetchrow(
        SQL["insert_signing_key"],
        key.id,
        key.algorithm,
        key.private_key,
        activates_in,
    )
    assert row is not None  # noqa: S101 - the statement always returns one row
    return SigningKeyRow(**dict(row))


async def signing_keys_are_older_than(
    executor: Executor, age: timedelta, *, algorithm: str
) -> bool:
    """Tell whether even the newest signing key of an algorithm has signed for so long."""
    are_older: bool = await executor.fetchval(SQL["signing_keys_are_older_than"], age, algorithm)
    return are_older


async def retire_signing_keys(executor: Executor, *, algorithm: str, after: timedelta) -> None:
    """Let the keys of an algorithm be published no more after a while."""
    await executor.execute(SQL["retire_signing_keys"], algorithm, after)


async def delete_retired_signing_keys(executor: Executor) -> None:
    """Remove the keys that are published no more."""
    await executor.execute(SQL["delete_retired_signing_keys"])


# Clean-up


async def delete_expired(executor: Executor, *, limit: int, failures_after: timedelta) -> int:
    """Remove up to `limit` rows of each kind that time has overtaken; return how many in all."""
    tags = [
        await executor.execute(SQL["delete_expired_signups"], limit),
        await executor.execute(SQL["delete_expired_links"], limit),
        await executor.execute(SQL["delete_expired_sessions"], limit),
        await executor.execute(SQL["delete_expired_revocations"], limit),
        await executor.execute(SQL["delete_old_login_failures"], limit, failures_after),
    ]
    return sum(_affected(tag) for tag in tags)
