"""Passwords: every byte counts, nothing is cut off, and unknown people cost as much."""

import math
import time

import argon2
import bcrypt
import pytest

from services.auth.passwords import (
    decoy_hash,
    hash_password,
    normalise_password,
    verify_evenly,
    verify_password,
)
from shared.chassis.errors import Problem

COST = 4


@pytest.mark.parametrize(
    ("chosen", "typed"),
    [
        (b"secret", b"secre"),
        (b"secret", b"secret\x00"),
        (b"\x00secret", b"\x00"),
        (b"x" * 72 + b"a", b"x" * 72 + b"b"),
        (b"x" * 256, b"x" * 255),
    ],
)
def test_only_the_same_bytes_match(chosen: bytes, typed: bytes) -> None:
    stored = hash_password(chosen, COST)

    assert verify_password(chosen, stored)
    assert not verify_password(typed, stored)


@pytest.mark.parametrize("place", [0, 71, 72, 73, 255])
def test_every_byte_counts(place: int) -> None:
    chosen = bytearray(b"x" * 256)
    stored = hash_password(bytes(chosen), COST)
    chosen[place] ^= 1

    assert not verify_password(bytes(chosen), stored)


def test_two_hashes_of_one_password_differ() -> None:
    assert hash_password(b"same", COST) != hash_password(b"same", COST)


def test_a_decoy_has_the_cost_of_a_real_hash_and_matches_nothing() -> None:
    real, decoy = hash_password(b"secret", COST), decoy_hash(COST)

    assert decoy[: len("bcrypt-sha384:$2b$04$")] == real[: len("bcrypt-sha384:$2b$04$")]
    assert len(decoy) == len(real)
    assert not verify_password(b"secret", decoy)


@pytest.mark.parametrize(
    ("password", "min_length", "accepted"),
    [
        ("x" * 8, 8, True),
        ("x" * 7, 8, False),
        ("ä" * 8, 8, True),
        ("x" * 256, 8, True),
        ("x" * 257, 8, False),
        ("ä" * 128, 8, True),
        ("ä" * 129, 8, False),
        ("ﷺ" * 14, 8, False),  # eighteen characters each, once normalised
        ("x", 1, True),
    ],
)
def test_length_is_counted_in_characters_at_least_and_bytes_at_most(
    password: str, min_length: int, *, accepted: bool
) -> None:
    if accepted:
        assert normalise_password(password, min_length=min_length)
    else:
        with pytest.raises(Problem) as refused:
            normalise_password(password, min_length=min_length)
        assert password not in str(refused.value.errors)


_CURRENT_COST = 9
_CHEAP_ARGON2 = argon2.PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)


def _seconds(typed: bytes, *hashes: str) -> list[float]:
    # Of the processor, in turn, and the least of several: what else the machine does only ever
    # adds to it.
    least = [math.inf] * len(hashes)
    for _ in range(15):
        for place, stored in enumerate(hashes):
            started = time.thread_time()
            assert not verify_evenly(typed, stored, _CURRENT_COST)
            least[place] = min(least[place], time.thread_time() - started)
    return least


@pytest.mark.alone
@pytest.mark.parametrize(
    ("typed", "stored"),
    [
        (b"wrong", bcrypt.hashpw(b"right", bcrypt.gensalt(4)).decode()),
        (b"wrong", bcrypt.hashpw(b"right", bcrypt.gensalt(7)).decode()),
        (b"wrong" * 20, bcrypt.hashpw(b"right", bcrypt.gensalt(8)).decode()),
        (b"wrong", _CHEAP_ARGON2.hash("right")),
        (b"wrong", hash_password(b"right", 5)),
        (b"wrong", hash_password(b"right", _CURRENT_COST)),
    ],
    ids=["bcrypt 4", "bcrypt 7", "longer than bcrypt reads", "argon2", "ours, cheaper", "ours"],
)
def test_a_wrong_password_takes_as_long_whatever_hash_there_is(typed: bytes, stored: str) -> None:
    seconds, decoy = _seconds(typed, stored, decoy_hash(_CURRENT_COST))

    assert 0.6 < seconds / decoy < 1.7
