"""Slowing whoever guesses codes, apart from passwords, and without locking the owner out."""

import math
from typing import Final
from uuid import UUID

from services.auth.factors import store
from services.auth.factors.records import FactorFailures
from services.auth.records import Network
from shared.chassis.database import Transaction
from shared.chassis.errors import Problem
from shared.schemas.problems import ProblemCode

ACCOUNT_FAILURES: Final = 30
"""Wrong codes in a day, from all networks, after which strange ones have to prove otherwise."""
_FREE_FAILURES = 3
_MAX_DELAY_SECONDS = 900.0
_RETRY_STRANGE_SECONDS = 3600


def delay_after(failures: int) -> float:
    """Return the seconds to wait after so many failures: none at first, then doubling to 900."""
    if failures < _FREE_FAILURES:
        return 0.0
    return min(2.0 ** min(failures - _FREE_FAILURES, 10), _MAX_DELAY_SECONDS)


def remaining_delay(found: FactorFailures) -> float:
    """Return the seconds that a network still has to wait."""
    elapsed = found.since_last.total_seconds()
    return 0.0 if elapsed < 0 else max(0.0, delay_after(found.failures) - elapsed)


class CodeThrottle:
    """Counts wrong codes by account and network, in PostgreSQL, exact over all instances.

    A code has a million values, so all networks together get 30 a day. Somebody who knows the
    password can use that up; but passwords are counted elsewhere, recovery codes and passkeys are
    not counted at all, and from where the owner has a session with a second factor their codes
    go on being taken.
    """

    async def check(self, transaction: Transaction, user_id: UUID, network: Network) -> None:
        """Raise a 429 problem while codes from this network are not looked at."""
        found = await store.find_factor_failures(transaction, user_id, network)
        wait = remaining_delay(found)
        if wait > 0:
            raise Problem(
                ProblemCode.TOO_MANY_ATTEMPTS, headers={"Retry-After": str(math.ceil(wait))}
            )
        if found.everywhere >= ACCOUNT_FAILURES and not found.is_known:
            raise Problem(
                ProblemCode.TOO_MANY_ATTEMPTS,
                "Too many wrong codes were tried for this account. Use a recovery code, or log in "
                "from where you have done so before.",
                headers={"Retry-After": str(_RETRY_STRANGE_SECONDS)},
            )

    async def count_failure(
        self, transaction: Transaction, user_id: UUID, network: Network
    ) -> None:
        """Count one wrong code. Commit it although the request fails."""
        await store.count_factor_failure(transaction, user_id, network)

    async def forget(self, transaction: Transaction, user_id: UUID, network: Network) -> None:
        """Let a network start anew after a right code."""
        await store.forget_factor_failures(transaction, user_id, network)
