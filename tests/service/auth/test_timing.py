"""Known and unknown addresses cannot be told apart by the time of an answer.

Samples of both are taken in turn, so that whatever else the machine does falls on both alike. What
is compared is the chance that one of the first kind takes longer than one of the second: one half
for times that are alike, however they are distributed. With 120 samples of each its deviation is
0.037, so the bound of 0.2 is reached by chance once in ten million runs; leaving out one
hash brings it to 0.5.
"""

import bisect
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import bcrypt
import httpx2
import pytest

from services.auth.passwords import HashingSlot
from shared.chassis.database import Database
from tests.service.auth.auth_service import OWNER_ADDRESS, PASSWORD, AuthService, running, settings

pytestmark = pytest.mark.alone

SAMPLES = 120
WARM_UP = 10
BOUND = 0.2

KNOWN = "ada@example.com"
UNKNOWN = "eve@example.com"

COUNTS = ("login_failures", "stranger_failures", "magic_link_counts", "links", "signups")
FORGET_COUNTS = "; ".join(f"DELETE FROM {table}" for table in COUNTS)


@dataclass
class Call:
    """A request that names an address."""

    path: str
    status: int
    address: str = "198.51.100.9"

    async def send(self, auth: AuthService, email: str) -> httpx2.Response:
        body = {"email": email}
        if self.path.endswith(("login", "signup")):
            body["password"] = "wrong but long enough"
        return await auth.post(self.path, body, x_real_ip=self.address)


LOG_IN = Call("/v1/auth/login", 401)
CALLS = [
    LOG_IN,
    # Where its owner logs in too.
    Call("/v1/auth/login", 401, OWNER_ADDRESS),
    Call("/v1/auth/signup", 202),
    Call("/v1/auth/password/forgot", 202),
    Call("/v1/auth/magic-link", 202),
]


def advantage(first: list[float], second: list[float]) -> float:
    """Return by how much it is more likely than not that one of the first took longer.

    From -0.5 to 0.5; the Mann-Whitney statistic over the number of pairs, less one half.
    """
    ordered = sorted(second)
    lower = sum(bisect.bisect_left(ordered, one) for one in first)
    equal = sum(bisect.bisect_right(ordered, one) for one in first) - lower
    return (lower + equal / 2) / (len(first) * len(second)) - 0.5


async def measure(
    auth: AuthService, call: Call, *, samples: int = SAMPLES, known: str = KNOWN
) -> float:
    """Return how well the times of a call tell a known address from an unknown one."""
    order = random.Random(7)  # noqa: S311 - the same order in each run
    times: dict[str, list[float]] = {known: [], UNKNOWN: []}
    for number in range(WARM_UP + samples):
        # Nothing is left of the pair before: no count changes what the next one costs.
        await auth.database.execute(FORGET_COUNTS)
        for email in order.sample([known, UNKNOWN], 2):
            started = time.perf_counter()
            answer = await call.send(auth, email)
            taken = time.perf_counter() - started
            assert answer.status_code == call.status, answer.text
            if number >= WARM_UP:
                times[email].append(taken)
    return advantage(times[known], times[UNKNOWN])


@pytest.mark.parametrize("call", CALLS, ids=[f"{call.path} {call.address}" for call in CALLS])
async def test_s32_known_and_unknown_addresses_take_the_same_time(
    auth: AuthService, call: Call
) -> None:
    await auth.register(KNOWN)

    assert abs(await measure(auth, call)) < BOUND


Prepare = Callable[[AuthService], Awaitable[object]]


async def _without_password(auth: AuthService) -> None:
    await auth.database.execute("UPDATE users SET password_hash = NULL")


async def _disabled(auth: AuthService) -> None:
    await auth.database.execute("UPDATE users SET disabled_at = now()")


async def _imported(auth: AuthService) -> None:
    cheap = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)).decode()
    await auth.database.execute("UPDATE users SET password_hash = $1", cheap)


@pytest.mark.parametrize("prepare", [_without_password, _disabled, _imported])
async def test_s32_no_kind_of_account_is_told_by_the_time_of_a_wrong_password(
    database: Database, database_url: str, prepare: Prepare
) -> None:
    async with running(database, settings(database_url, bcrypt_cost=7)) as auth:
        await auth.register(KNOWN)
        await prepare(auth)

        assert abs(await measure(auth, LOG_IN)) < BOUND


async def test_the_measure_sees_a_hash_that_is_left_out(
    database: Database, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = HashingSlot.verify

    async def verify(
        slot: HashingSlot, password: bytes, stored: str | None, *, as_typed: bytes
    ) -> bool:
        return False if stored is None else await real(slot, password, stored, as_typed=as_typed)

    monkeypatch.setattr(HashingSlot, "verify", verify)
    async with running(database, settings(database_url, bcrypt_cost=8)) as auth:
        await auth.register(KNOWN)

        assert await measure(auth, LOG_IN, samples=40) > BOUND
