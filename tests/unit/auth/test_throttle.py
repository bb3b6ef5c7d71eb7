"""How long a guesser waits, and that nobody waits longer than the owner can bear."""

from datetime import timedelta

import pytest

from services.auth.records import LoginFailures
from services.auth.throttle import delay_after, remaining_delay


@pytest.mark.parametrize(
    ("failures", "seconds"), [(1, 0), (4, 0), (5, 1), (6, 2), (9, 16), (10, 30), (10_000, 30)]
)
def test_delays_double_up_to_half_a_minute(failures: int, seconds: float) -> None:
    assert delay_after(failures) == seconds


@pytest.mark.parametrize(
    ("failures", "since", "seconds"),
    [
        (40, timedelta(0), 30),
        (40, timedelta(seconds=20), 10),
        (40, timedelta(seconds=30), 0),
        (40, timedelta(hours=2), 0),
        (40, timedelta(seconds=-1), 0),
        (4, timedelta(0), 0),
    ],
)
def test_the_wait_runs_out(failures: int, since: timedelta, seconds: float) -> None:
    assert remaining_delay(LoginFailures(failures, since)) == seconds


@pytest.mark.parametrize("failures", [1, 5, 40, 1_000_000, 2**31 - 1])
def test_nobody_ever_waits_a_minute(failures: int) -> None:
    for seconds in (-(10**9), -1, 0, 1, 29, 30, 3600, 10**9):
        since = timedelta(seconds=seconds)
        assert 0 <= remaining_delay(LoginFailures(failures, since)) < 60
