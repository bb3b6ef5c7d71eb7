"""Passwords: which are accepted, how they are hashed, and how much hashing is done at once."""

import asyncio
import base64
import contextlib
import hmac
import re
import time
import unicodedata
from collections.abc import AsyncIterator
from concurrent.futures import Executor, ThreadPoolExecutor
from functools import partial

import argon2
import bcrypt

from services.auth.common_passwords import is_common
from services.auth.metrics import PASSWORD_HASH_DURATION, PASSWORD_QUEUE
from shared.chassis.errors import Problem
from shared.schemas.problems import FieldError, ProblemCode

MAX_PASSWORD_BYTES = 256
_SCHEME = "bcrypt-sha384:"
_PREHASH_KEY = b"freehold password 1"
_BUSY_RETRY_SECONDS = 3
_CHEAPEST = 4
_PROBE_STEPS = 3
"""An eighth of the time of a hash says well enough how long the whole takes."""
_BCRYPT = re.compile(r"\$2[aby]\$(0[4-9]|1[0-6])\$[./A-Za-z0-9]{53}")
_BCRYPT_BYTES = 72
# What one check may cost is bounded: 4 GiB of memory in a hash would take the service down.
_ARGON2 = re.compile(
    r"\$argon2id?\$v=19\$m=[0-9]{1,6},t=[0-9]{1,2},p=[0-9]{1,2}\$[A-Za-z0-9+/]{11,86}"
    r"\$[A-Za-z0-9+/]{22,86}"
)
_ARGON2_HASHER = argon2.PasswordHasher()


def normalise_password(password: str, *, min_length: int = 1) -> bytes:
    """Return the bytes of a password that are hashed: NFKC in UTF-8, the same on every keyboard.

    Raises a 422 problem for fewer than `min_length` characters or more than 256 bytes.
    """
    normalised = unicodedata.normalize("NFKC", password)
    encoded = normalised.encode()
    if len(normalised) < min_length:
        message = f"A password has at least {min_length} characters."
    elif max(len(encoded), len(password.encode())) > MAX_PASSWORD_BYTES:
        message = f"A password has at most {MAX_PASSWORD_BYTES} bytes in UTF-8."
    else:
        return encoded
    raise Problem(
        ProblemCode.VALIDATION_FAILED, errors=[FieldError(field="password", message=message)]
    )


def require_new_password(
    password: str, *, min_length: int, email: str, name: str | None = None
) -> bytes:
    """Return the bytes of a password that somebody chooses for an account.

    Raises a 422 problem for one that is too short or long, or that an attacker tries first.
    """
    encoded = normalise_password(password, min_length=min_length)
    local_part, _, domain = email.partition("@")
    context = [local_part, email, *re.split(r"[\W_]+", local_part), *domain.split("."), "freehold"]
    context += [] if name is None else [*name.split(), "".join(name.split())]
    if not is_common(encoded.decode(), context):
        return encoded
    raise Problem(
        ProblemCode.VALIDATION_FAILED,
        errors=[
            FieldError(
                field="password",
                message="This password is among the first that are tried. Choose another, such as "
                "four words that have nothing to do with each other.",
            )
        ],
    )


def hash_password(password: bytes, cost: int) -> str:
    """Return a salted hash in which every byte counts. Blocks for the time the cost demands."""
    hashed = bcrypt.hashpw(_prehash(password), bcrypt.gensalt(cost))
    return _SCHEME + hashed.decode()


def verify_password(password: bytes, stored: str, *, as_typed: bytes | None = None) -> bool:
    """Say whether a password has this hash. Blocks for the time the hash's cost demands.

    Hashes that came from another system are checked as it did, `as_typed` too, since most systems
    normalise nothing; what plain bcrypt would have cut off at 72 bytes matches nothing. Raises
    ValueError for a hash of no known scheme.
    """
    if stored.startswith(_SCHEME):
        return bcrypt.checkpw(_prehash(password), stored.removeprefix(_SCHEME).encode())
    tried = dict.fromkeys((password, password if as_typed is None else as_typed))
    return any(_verify_foreign(candidate, stored) for candidate in tried)


def _verify_foreign(password: bytes, stored: str) -> bool:
    if _BCRYPT.fullmatch(stored):
        fits = len(password) <= _BCRYPT_BYTES and b"\0" not in password
        return fits and bcrypt.checkpw(password, stored.encode())
    if _ARGON2.fullmatch(stored):
        try:
            return _ARGON2_HASHER.verify(stored, password)
        except (argon2.exceptions.VerificationError, argon2.exceptions.InvalidHashError):
            return False
    raise ValueError("the stored password hash has an unknown scheme")


def verify_evenly(
    password: bytes, stored: str, cost: int, *, as_typed: bytes | None = None
) -> bool:
    """Say whether a password has this hash; a wrong one takes no less than a hash of `cost` does.

    A hash that came from another system may be cheaper to check than the decoy of an address
    without an account, and would tell that there is one. Raises as `verify_password` does.
    """
    started = time.perf_counter()
    matches = verify_password(password, stored, as_typed=as_typed)
    if not matches and is_outdated(stored, cost):
        _spend_rest(cost, time.perf_counter() - started)
    return matches


def _spend_rest(cost: int, spent_seconds: float) -> None:
    probe_cost = max(cost - _PROBE_STEPS, _CHEAPEST)
    started = time.perf_counter()
    verify_password(b"", decoy_hash(probe_cost))
    probe_seconds = time.perf_counter() - started
    whole = probe_seconds * 2 ** (cost - probe_cost)
    rest = whole - spent_seconds - probe_seconds
    # Each step down takes half as long, so some of them add up to any time.
    for cheaper in range(cost - 1, _CHEAPEST - 1, -1):
        share = whole / 2 ** (cost - cheaper)
        if share <= rest:
            verify_password(b"", decoy_hash(cheaper))
            rest -= share


def is_known_hash(stored: str) -> bool:
    """Tell whether a hash from another system can be checked here."""
    return bool(_BCRYPT.fullmatch(stored) or _ARGON2.fullmatch(stored))


def is_outdated(stored: str, cost: int) -> bool:
    """Tell whether a hash is of another system or another cost than new ones."""
    return not stored.startswith(f"{_SCHEME}$2b${cost:02}$")


def decoy_hash(cost: int) -> str:
    """Return a hash that no password has, and that takes as long to check as a real one."""
    return _SCHEME + bcrypt.gensalt(cost).decode() + "." * 31


def _prehash(password: bytes) -> bytes:
    # bcrypt reads 72 bytes and stops at a NUL; base64 of SHA-384 has 64 bytes and none. The key
    # keeps plain SHA-384 sums, leaked elsewhere, from being tried against our hashes.
    return base64.b64encode(hmac.digest(_PREHASH_KEY, password, "sha384"))


class HashingSlot:
    """One thread of the hasher, held by one request."""

    def __init__(self, executor: Executor, *, cost: int, decoy: str) -> None:
        self._executor = executor
        self._cost = cost
        self._decoy = decoy

    async def hash(self, password: bytes) -> str:
        """Hash a normalised password."""
        loop = asyncio.get_running_loop()
        with PASSWORD_HASH_DURATION.time():
            return await loop.run_in_executor(self._executor, hash_password, password, self._cost)

    def is_outdated(self, stored: str) -> bool:
        """Tell whether a password should be stored under a new hash."""
        return is_outdated(stored, self._cost)

    async def verify(self, password: bytes, stored: str | None, *, as_typed: bytes) -> bool:
        """Compare a normalised password with a stored hash; without one it takes as long.

        `as_typed` is the same password before it was normalised, for hashes of other systems.
        """
        loop = asyncio.get_running_loop()
        check = partial(
            verify_evenly, password, stored or self._decoy, self._cost, as_typed=as_typed
        )
        with PASSWORD_HASH_DURATION.time():
            matches = await loop.run_in_executor(self._executor, check)
        return matches and stored is not None


class PasswordHasher:
    """Hashes in a bounded pool of threads, beside the event loop: bcrypt releases the GIL.

    At most `threads` requests hash and `queue` wait; a further one gets a 503 problem at once, so
    a flood of log-ins costs the rest of the service nothing. A request that waits can be
    cancelled; a hash that has begun runs to its end even if its request is gone.
    """

    def __init__(self, *, cost: int, threads: int, queue: int) -> None:
        self._cost = cost
        self._decoy = decoy_hash(cost)
        self._slots = asyncio.Semaphore(threads)
        self._capacity = threads + queue
        self._present = 0
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix="bcrypt")

    async def start(self) -> None:
        """Threads start with the first password."""

    async def stop(self) -> None:
        """Wait for hashes that have begun."""
        await asyncio.to_thread(self._executor.shutdown)

    @contextlib.asynccontextmanager
    async def slot(self) -> AsyncIterator[HashingSlot]:
        """Hold one thread. Raises a 503 problem when too many wait already."""
        if self._present >= self._capacity:
            raise Problem(ProblemCode.OVERLOADED, headers={"Retry-After": str(_BUSY_RETRY_SECONDS)})
        self._present += 1
        try:
            with PASSWORD_QUEUE.track_inprogress():
                async with self._slots:
                    yield HashingSlot(self._executor, cost=self._cost, decoy=self._decoy)
        finally:
            self._present -= 1
