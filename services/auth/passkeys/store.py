"""The statements about passkeys."""

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

from services.auth.passkeys.records import (
    Asker,
    Credential,
    NewPasskey,
    Passkey,
    Purpose,
    ShownPasskey,
)
from shared.chassis.database import Executor
from shared.chassis.queries import load_queries

SQL = load_queries(__file__)

# Challenges


async def put_challenge(
    executor: Executor,
    challenge_hash: bytes,
    purpose: Purpose,
    asker: Asker | None,
    *,
    lifetime: timedelta,
) -> None:
    """Remember a challenge, in place of the asker's last one for the same purpose."""
    user_id, holder = (None, None) if asker is None else (asker.user_id, asker.holder)
    await executor.execute(
        SQL["put_challenge"], challenge_hash, purpose.value, user_id, holder, lifetime
    )


async def take_challenge(
    executor: Executor, challenge_hash: bytes, purpose: Purpose, asker: Asker | None
) -> bool:
    """Spend a challenge; False if it is over, or was given out for somebody or something else."""
    user_id, holder = (None, None) if asker is None else (asker.user_id, asker.holder)
    taken: bool | None = await executor.fetchval(
        SQL["take_challenge"], challenge_hash, purpose.value, user_id, holder
    )
    return taken is not None


async def delete_expired(executor: Executor, *, limit: int) -> int:
    """Remove up to `limit` challenges that nobody signed in time; return how many."""
    tag = await executor.execute(SQL["delete_expired_passkey_challenges"], limit)
    return int(tag.rpartition(" ")[2])


# Passkeys


async def has_passkeys(executor: Executor, user_id: UUID) -> bool:
    """Tell whether an account has a passkey."""
    has: bool = await executor.fetchval(SQL["has_passkeys"], user_id)
    return has


async def list_credentials(executor: Executor, user_id: UUID, *, limit: int) -> list[Credential]:
    """Return an account's passkeys as browsers know them, oldest first."""
    rows = await executor.fetch(SQL["list_credentials"], user_id, limit)
    return [Credential(row["credential_id"], tuple(row["transports"])) for row in rows]


async def list_passkeys(
    executor: Executor, user_id: UUID, *, before: UUID | None, limit: int
) -> Sequence[ShownPasskey]:
    """Return an account's passkeys, newest first."""
    rows = await executor.fetch(SQL["list_passkeys"], user_id, before, limit)
    return [ShownPasskey(**dict(row)) for row in rows]


async def insert_passkey(
    executor: Executor, new: NewPasskey, *, passkey_id: UUID, user_id: UUID, name: str
) -> ShownPasskey | None:
    """Add a passkey; None if its credential is registered already, by whomever."""
    row = await executor.fetchrow(
        SQL["insert_passkey"],
        passkey_id,
        user_id,
        new.credential_id,
        new.public_key,
        new.sign_count,
        list(new.transports),
        new.is_backed_up,
        name,
    )
    return None if row is None else ShownPasskey(**dict(row))


async def lock_passkey(executor: Executor, credential_id: bytes) -> Passkey | None:
    """Return the passkey of a credential, locked until the transaction ends."""
    row = await executor.fetchrow(SQL["lock_passkey"], credential_id)
    return None if row is None else Passkey(**dict(row))


async def use_passkey(
    executor: Executor, passkey_id: UUID, *, sign_count: int, is_backed_up: bool
) -> None:
    """Remember that a passkey was used just now."""
    await executor.execute(SQL["use_passkey"], passkey_id, sign_count, is_backed_up)


async def rename_passkey(
    executor: Executor, passkey_id: UUID, *, user_id: UUID, name: str
) -> ShownPasskey | None:
    """Give a passkey of an account another name; None if it has no such passkey."""
    row = await executor.fetchrow(SQL["rename_passkey"], passkey_id, user_id, name)
    return None if row is None else ShownPasskey(**dict(row))


async def delete_passkey(executor: Executor, passkey_id: UUID, *, user_id: UUID) -> str | None:
    """Remove a passkey of an account and return its name; None if it has no such passkey."""
    name: str | None = await executor.fetchval(SQL["delete_passkey"], passkey_id, user_id)
    return name
