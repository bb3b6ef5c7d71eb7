"""Slowing whoever guesses the password of one account, without locking its owner out."""

import hmac
import json
import math
from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from uuid import UUID

from services.auth import store
from services.auth.master_key import MasterKey
from services.auth.networks import NOWHERE, network_of
from services.auth.protections import store as protections
from services.auth.protections.known_devices import DeviceMarks
from services.auth.records import Device, LoginFailures, Network
from shared.chassis.database import Database, Transaction
from shared.chassis.errors import Problem
from shared.schemas.problems import ProblemCode

FORGET_AFTER = timedelta(hours=1)
STRANGER_FAILURES: Final = 100
"""Of all strangers one after the other, after which each further one has to pass another door."""
STRANGER_INTERVAL: Final = timedelta(minutes=5)
"""In which one stranger's password is looked at then, unless they prove to be a person."""
NETWORK_FAILURES: Final = 1000
"""Of one network without an hour's pause, at whatever accounts."""
NETWORK_INTERVAL: Final = timedelta(seconds=5)
"""From one failure of such a network to its next attempt."""
_FREE_FAILURES = 5
_MAX_DELAY_SECONDS = 30.0
_STRANGERS_HAVE_TO_WAIT = (
    "Too many wrong passwords were tried for this address. Log in on a device that you have used "
    "before, or ask for a link by mail, or choose another password with `forgot password`; or try "
    "again after the time in Retry-After."
)
_NETWORK_HAS_TO_WAIT = (
    "Too many wrong passwords came from your network. Try again after the time in Retry-After, log "
    "in on a device that you have used before, or ask for a link by mail."
)


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


@dataclass(frozen=True, slots=True)
class Attempt:
    """An attempt to prove a password that does not have to wait for its own failures."""

    account: bytes
    """A MAC of the address that was typed."""
    counter: bytes
    network: Network
    """With `counter`, by what its failures are counted."""
    apart: bytes
    """Where a failure is counted that is not a stranger's."""
    neighbours: Network | None
    """Whose failures at all accounts this one is added to; None if it goes by a counter of its own.
    """
    is_stranger: bool
    is_suspect: bool
    """Whether it is a stranger's, after too many of those have failed."""
    turn_in: float
    """Seconds until a stranger is let in the next time."""


class LoginThrottle:
    """Counts failures in PostgreSQL, exact over all instances.

    Each network has a counter for each account, and so has each browser that the account knows,
    and each open session that proves its password again: nobody else can make these wait. An
    attempt during the wait is refused without a look at the password and does not prolong the
    wait, so the owner, even behind the guesser's address, gets in within half a minute once the
    guessing pauses; from another address at once.

    Whoever has many networks is a stranger in all of them: their failures are counted together,
    and beyond a hundred one of them is let in every five minutes. That can keep the owner out on
    a new device in a new network, and nowhere else; a mailed link, a passkey or another password
    by mail let them in there as well. A success changes nothing of that count: an owner who logs
    in every day must not give the guesser another hundred attempts each time. A day without a
    failure does. Accounts that do not exist are counted alike.

    Whoever tries a list of other people's passwords fails once at each account. A network that has
    failed a thousand times is let in five seconds after its last failure, but for browsers that the
    account knows.
    """

    def __init__(self, database: Database, master_key: MasterKey, marks: DeviceMarks) -> None:
        self._database = database
        self._marks = marks
        self._key = master_key.derive("login-throttle")
        self._own_key = master_key.derive("login-throttle-own")
        self._log_key = master_key.derive("login-log")
        self._all_accounts = _mac(master_key.derive("login-throttle-network"))

    async def check(self, email: str, device: Device, *, session_id: UUID | None) -> Attempt:
        """Raise a 429 problem while this browser, network or session has to wait.

        `session_id` names the open session, if any, that proves its password again.
        """
        account, network = _mac(self._key, email), network_of(device.address)
        own = None
        if session_id is not None:
            account, network = _mac(self._own_key, email, str(session_id)), NOWHERE
        elif device.token is not None:
            own = _mac(self._own_key, email, device.token)
        standing = await protections.find_standing(
            self._database,
            email,
            account=account,
            network=network,
            device_hash=None if device.token is None else self._marks.of_token(device.token),
            device_counter=own,
            all_accounts=self._all_accounts,
        )
        goes_by_own = standing.by_cookie and own is not None
        neighbours = None if goes_by_own or session_id is not None else network
        _require_no_wait(standing)
        if neighbours is not None:
            _require_quiet_network(standing)
        is_stranger = session_id is None and not (standing.by_cookie or standing.by_network)
        return Attempt(
            account=account,
            counter=own if goes_by_own and own is not None else account,
            network=NOWHERE if goes_by_own else network,
            apart=_mac(self._own_key, email),
            neighbours=neighbours,
            is_stranger=is_stranger,
            is_suspect=is_stranger and standing.stranger_failures >= STRANGER_FAILURES,
            turn_in=_seconds_to_next_turn(standing.since_let_in),
        )

    def require_turn(self, attempt: Attempt) -> None:
        """Raise a 429 problem while no stranger is let in. It takes no turn yet."""
        if attempt.turn_in > 0:
            raise _wait(attempt.turn_in, _STRANGERS_HAVE_TO_WAIT)

    async def take_turn(self, attempt: Attempt) -> None:
        """Let one stranger in; of several at the same time the others get a 429 problem."""
        if not await protections.take_turn(
            self._database, attempt.account, every=STRANGER_INTERVAL
        ):
            raise _wait(STRANGER_INTERVAL.total_seconds(), _STRANGERS_HAVE_TO_WAIT)

    async def count_failure(self, transaction: Transaction, attempt: Attempt) -> int:
        """Count one wrong password; return how many there were by the counter it goes by."""
        failures = await store.count_login_failure(
            transaction, attempt.counter, attempt.network, forget_after=FORGET_AFTER
        )
        # Of who is no stranger too, where nobody reads it: by the time of an answer their
        # neighbours could tell otherwise that somebody logs in to the account from there.
        counted = attempt.account if attempt.is_stranger else attempt.apart
        await protections.count_stranger_failure(transaction, counted)
        if attempt.neighbours is not None:
            await store.count_login_failure(
                transaction, self._all_accounts, attempt.neighbours, forget_after=FORGET_AFTER
            )
        return failures

    async def forget(self, attempt: Attempt) -> None:
        """Start anew after a right password; what strangers did stays."""
        await store.forget_login_failures(self._database, attempt.counter, attempt.network)

    def name(self, email: str) -> str:
        """Return what the audit log calls an address: the same for the same one, and no more."""
        return _mac(self._log_key, email).hex()[:32]


def _mac(key: bytes, *parts: str) -> bytes:
    return hmac.digest(key, json.dumps(parts).encode(), "sha256")


def _require_no_wait(standing: protections.Standing) -> None:
    if standing.failures is None or standing.since_last is None:
        return
    wait = remaining_delay(LoginFailures(standing.failures, standing.since_last))
    if wait > 0:
        raise _wait(wait)


def _require_quiet_network(standing: protections.Standing) -> None:
    failures, since_last = standing.network_failures, standing.since_network_failed
    if failures is None or since_last is None or failures < NETWORK_FAILURES:
        return
    # A clock that was set back keeps nobody out.
    if timedelta() <= since_last < NETWORK_INTERVAL:
        raise _wait((NETWORK_INTERVAL - since_last).total_seconds(), _NETWORK_HAS_TO_WAIT)


def _seconds_to_next_turn(since_let_in: timedelta | None) -> float:
    if since_let_in is None or since_let_in < timedelta():
        return 0.0
    return max(0.0, (STRANGER_INTERVAL - since_let_in).total_seconds())


def _wait(seconds: float, detail: str | None = None) -> Problem:
    return Problem(
        ProblemCode.TOO_MANY_ATTEMPTS, detail, headers={"Retry-After": str(math.ceil(seconds))}
    )
