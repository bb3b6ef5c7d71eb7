"""Codes by the clock, recovery codes, and how long whoever guesses has to wait."""

import math
from datetime import timedelta

import pytest

from services.auth.factors.records import FactorFailures
from services.auth.factors.recovery_codes import CODES, hash_code, new_codes
from services.auth.factors.throttle import delay_after, remaining_delay
from services.auth.factors.totp import (
    STEP_SECONDS,
    matching_step,
    new_secret,
    provisioning_uri,
    shown_secret,
)

RFC_6238_SECRET = b"12345678901234567890"


@pytest.mark.parametrize(
    ("now", "code"),
    [
        (59, "287082"),
        (1111111109, "081804"),
        (1111111111, "050471"),
        (1234567890, "005924"),
        (2000000000, "279037"),
        (20000000000, "353130"),
    ],
)
def test_codes_are_those_of_rfc_6238(now: int, code: str) -> None:
    assert matching_step(RFC_6238_SECRET, code, now=now) == now // STEP_SECONDS


@pytest.mark.parametrize(
    ("seconds_away", "is_accepted"),
    [(0, True), (29, True), (30, True), (59, True), (60, False), (-30, True), (-31, False)],
)
def test_a_clock_may_be_one_step_off(seconds_away: int, *, is_accepted: bool) -> None:
    shown_at = 1111111110  # the first second of a step
    matched = matching_step(RFC_6238_SECRET, "050471", now=shown_at + seconds_away)

    assert (matched == shown_at // STEP_SECONDS) is is_accepted


@pytest.mark.parametrize("typed", ["287 082", " 287082\n", "287\u00a0082"])
def test_spaces_in_a_code_are_free(typed: str) -> None:
    assert matching_step(RFC_6238_SECRET, typed, now=59) == 1


@pytest.mark.parametrize("typed", ["", "28708", "2870820", "²⁸⁷082", "٢٨٧٠٨٢", "287083", "-87082"])
def test_everything_else_is_wrong(typed: str) -> None:
    assert matching_step(RFC_6238_SECRET, typed, now=59) is None


def test_apps_are_told_all_they_need() -> None:
    secret = new_secret()
    uri = provisioning_uri(secret, account="ada@example.com", issuer="app.example.com")

    assert len(secret) == 20
    assert uri.startswith("otpauth://totp/app.example.com:ada%40example.com?")
    assert f"secret={shown_secret(secret)}" in uri
    assert {"digits=6", "period=30", "algorithm=SHA1", "issuer=app.example.com"} <= set(
        uri.partition("?")[2].split("&")
    )


def test_s37_recovery_codes_have_more_than_112_bits() -> None:
    codes = new_codes()
    characters = len(codes[0].replace("-", ""))

    assert len(set(codes)) == CODES == 10
    assert characters * math.log2(32) >= 128


@pytest.mark.parametrize(
    "typed", ["abcd-ol22", "ABCD-OL22", "abcdol22", " ab cd ol 22 ", "abcd-0122", "a8cd-ol22"]
)
def test_recovery_codes_may_be_typed_in_many_ways(typed: str) -> None:
    assert hash_code(typed) == hash_code("abcd-ol22")


@pytest.mark.parametrize(
    ("failures", "seconds"),
    [(0, 0), (2, 0), (3, 1), (4, 2), (5, 4), (12, 512), (13, 900), (99, 900)],
)
def test_each_further_wrong_code_doubles_the_wait(failures: int, seconds: float) -> None:
    assert delay_after(failures) == seconds


@pytest.mark.parametrize(
    ("since_last", "remaining"),
    [
        (timedelta(0), 4.0),
        (timedelta(seconds=3), 1.0),
        (timedelta(hours=1), 0.0),
        (timedelta(hours=-1), 0.0),
    ],
)
def test_the_wait_runs_from_the_last_wrong_code(since_last: timedelta, remaining: float) -> None:
    failures = FactorFailures(5, since_last, 5, is_known=False)

    assert remaining_delay(failures) == remaining
