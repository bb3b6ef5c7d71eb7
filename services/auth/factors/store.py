"""The statements about second factors."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final
from uuid import UUID

from services.auth.factors.records import Challenge, FactorFailures, ShownTotp, Totp
from services.auth.records import Method, Network
from shared.chassis.database import Executor
from shared.chassis.queries import load_queries
from shared.schemas.api.auth import TokenDelivery

SQL = load_queries(__file__)

PENDING_LIFETIME: Final = timedelta(minutes=15)
"""For how long an authenticator app can be confirmed."""
FAILURES_COUNT_FOR: Final = timedelta(days=1)

# Authenticator apps


async def has_totp(executor: Executor, user_id: UUID) -> bool:
    """Tell whether an account has a confirmed authenticator app."""
    has: bool = await executor.fetchval(SQL["has_totp"], user_id)
    return has


async def list_totp(executor: Executor, user_id: UUID) -> list[ShownTotp]:
    """Return an account's apps: the confirmed one and the one that waits, if any."""
    rows = await executor.fetch(SQL["list_totp"], user_id, PENDING_LIFETIME)
    return [ShownTotp(**dict(row)) for row in rows]


async def lock_totp(executor: Executor, user_id: UUID) -> Totp | None:
    """Return an account's confirmed app, locked until the transaction ends."""
    row = await executor.fetchrow(SQL["lock_totp"], user_id)
    return None if row is None else Totp(**dict(row))


async def lock_pending_totp(executor: Executor, user_id: UUID, session_id: UUID) -> Totp | None:
    """Return the app that a session asked for and has not confirmed yet, locked."""
    row = await executor.fetchrow(SQL["lock_pending_totp"], user_id, session_id, PENDING_LIFETIME)
    return None if row is None else Totp(**dict(row))


async def put_pending_totp(
    executor: Executor, *, totp_id: UUID, user_id: UUID, session_id: UUID, sealed_secret: bytes
) -> None:
    """Remember an app to be confirmed, in place of any other."""
    await executor.execute(SQL["put_pending_totp"], totp_id, user_id, session_id, sealed_secret)


async def use_totp_step(executor: Executor, totp_id: UUID, step: int) -> None:
    """Use up the codes of a time step and of all before it."""
    await executor.execute(SQL["use_totp_step"], totp_id, step)


async def confirm_totp(executor: Executor, totp_id: UUID, *, step: int) -> None:
    """Make an app count."""
    await executor.execute(SQL["confirm_totp"], totp_id, step)


async def delete_confirmed_totp(executor: Executor, user_id: UUID) -> bool:
    """Remove the app that counts; False if there is none."""
    return await executor.execute(SQL["delete_confirmed_totp"], user_id) != "DELETE 0"


# Recovery codes


async def count_recovery_codes(executor: Executor, user_id: UUID) -> int:
    """Return how many recovery codes an account has left."""
    count: int = await executor.fetchval(SQL["count_recovery_codes"], user_id)
    return count


async def take_recovery_code(executor: Executor, user_id: UUID, code_hash: bytes) -> bool:
    """Spend a recovery code; False if it is not one of the account's."""
    taken: bool | None = await executor.fetchval(SQL["take_recovery_code"], user_id, code_hash)
    return taken is not None


async def replace_recovery_codes(
    executor: Executor, user_id: UUID, code_hashes: Sequence[bytes]
) -> None:
    """Make an account's recovery codes these and no others."""
    await executor.execute(SQL["delete_recovery_codes"], user_id)
    await executor.execute(SQL["insert_recovery_codes"], user_id, list(code_hashes))


# Wrong codes


async def find_factor_failures(
    executor: Executor, user_id: UUID, network: Network
) -> FactorFailures:
    """Return how often an account's codes were wrong lately."""
    row = await executor.fetchrow(SQL["find_factor_failures"], user_id, network, FAILURES_COUNT_FOR)
    return FactorFailures(**dict(row or {}))


async def count_factor_failure(executor: Executor, user_id: UUID, network: Network) -> None:
    """Count one more wrong code."""
    await executor.execute(SQL["count_factor_failure"], user_id, network, FAILURES_COUNT_FOR)


async def forget_factor_failures(executor: Executor, user_id: UUID, network: Network) -> None:
    """Start anew after a right code."""
    await executor.execute(SQL["forget_factor_failures"], user_id, network)


async def was_notified(executor: Executor, user_id: UUID, template: str) -> bool:
    """Tell whether a notice about the same was sent within the last two days."""
    was: bool = await executor.fetchval(SQL["was_notified"], user_id, template)
    return was


# Challenges


async def insert_challenge(
    executor: Executor,
    *,
    challenge_id: UUID,
    user_id: UUID,
    token_hash: bytes,
    first: Method,
    token_delivery: TokenDelivery,
    lifetime: timedelta,
) -> None:
    """Remember a first proof."""
    await executor.execute(
        SQL["insert_challenge"],
        challenge_id,
        user_id,
        token_hash,
        first.value,
        token_delivery.value,
        lifetime,
    )


async def find_challenge_owner(executor: Executor, token_hash: bytes) -> UUID | None:
    """Return whose log-in a live challenge belongs to."""
    user_id: UUID | None = await executor.fetchval(SQL["find_challenge_owner"], token_hash)
    return user_id


async def lock_challenge(executor: Executor, token_hash: bytes) -> Challenge | None:
    """Return a live challenge, locked until the transaction ends."""
    row = await executor.fetchrow(SQL["lock_challenge"], token_hash)
    if row is None:
        return None
    return Challenge(
        id=row["id"],
        user_id=row["user_id"],
        first=Method(row["first_method"]),
        token_delivery=TokenDelivery(row["token_delivery"]),
        failures=row["failures"],
    )


async def count_challenge_failure(executor: Executor, challenge_id: UUID) -> None:
    """Count one more wrong second proof."""
    await executor.execute(SQL["count_challenge_failure"], challenge_id)


async def delete_challenge(executor: Executor, challenge_id: UUID) -> None:
    """End one challenge."""
    await executor.execute(SQL["delete_challenge"], challenge_id)


async def delete_challenges(executor: Executor, user_id: UUID) -> None:
    """End every challenge of an account."""
    await executor.execute(SQL["delete_challenges"], user_id)


# Clean-up


async def delete_expired(executor: Executor, *, limit: int) -> int:
    """Remove up to `limit` rows of each kind that time has overtaken; return how many in all."""
    tags = [
        await executor.execute(SQL["delete_expired_challenges"], limit),
        await executor.execute(SQL["delete_pending_totp"], limit, PENDING_LIFETIME),
        await executor.execute(SQL["delete_old_factor_failures"], limit, FAILURES_COUNT_FOR),
    ]
    return sum(int(tag.rpartition(" ")[2]) for tag in tags)
