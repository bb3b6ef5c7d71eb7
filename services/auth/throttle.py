"""Slowing whoever guesses the password of one account, without locking its owner out."""

import hmac
import math
from datetime import timedelta

from services.auth import store
from services.auth.master_key import MasterKey
from services.auth.records import LoginFailures, Network
from shared.chassis.database import Executor, Transaction
from shared.chassis.errors import Problem
from shared.schemas.problems import ProblemCode

FORGET_AFTER = timedelta(hours=1)
_FREE_FAILURES = 5
_MAX_DELAY_SECONDS = 30.0


def delay_after(failures: int) -> float:
    """Return the seconds to wait after so many failures: none at first, then doubling to 30."""
    if failures < _FREE_FAILURES:
        return 0.0
    return min(2.0 ** min(failures - _FREE_FAILURES, 10), _MAX_DELAY_SECONDS)


def remaining_delay(failures: LoginFailures) -> float:
    """Return the seconds still to wait; a clock that was set back lets the owner in."""
    elapsed = failures.since_last.total_seconds()
    if elapsed < 0 or failures.since_last > FORGET_AFTER:
        return 0.0
    return max(0.0, delay_after(failures.failures) - elapsed)


class LoginThrottle:
    """Counts failures by account and network, in PostgreSQL, exact over all instances.

    An attempt during the wait is refused without a look at the password and does not prolong the
    wait, so the owner, even behind the same address, gets in within half a minute once the
    guessing pauses; from another address at once. Accounts that do not exist are counted alike.
    """

    def __init__(self, database: Executor, master_key: MasterKey) -> None:
        self._database = database
        self._key = master_key.derive("login-throttle")
        self._log_key = master_key.derive("login-log")

    async def check(self, email: str, network: Network) -> None:
        """Raise a 429 problem while this network has to wait before it tries this account."""
        failures = await store.find_login_failures(self._database, self._account(email), network)
        if failures is None:
            return
        wait = remaining_delay(failures)
        if wait > 0:
            raise Problem(
                ProblemCode.TOO_MANY_ATTEMPTS, headers={"Retry-After": str(math.ceil(wait))}
            )

    async def count_failure(self, transaction: Transaction, email: str, network: Network) -> None:
        """Count one wrong password."""
        await store.count_login_failure(
            transaction, self._account(email), network, forget_after=FORGET_AFTER
        )

    async def forget(self, email: str, network: Network) -> None:
        """Start anew after a right password."""
        await store.forget_login_failures(self._database, self._account(email), network)

    def name(self, email: str) -> str:
        """Return what the audit log calls an address: the same for the same one, and no more."""
        return hmac.digest(self._log_key, email.encode(), "sha256").hex()[:32]

    def _account(self, email: str) -> bytes:
        return hmac.digest(self._key, email.encode(), "sha256")
