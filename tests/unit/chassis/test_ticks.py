"""When schedules tick: daylight saving, clocks that are set back, and what cannot be read."""

import contextlib
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.chassis.jobs.schedules.ticks import (
    InvalidCron,
    InvalidSchedule,
    InvalidTimezone,
    next_tick,
    tick_after_set_back,
)


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


@pytest.mark.parametrize(
    ("cron", "timezone", "after", "ticks"),
    [
        ("30 6 * * *", "UTC", "2026-01-01T06:30:00Z", ["2026-01-02T06:30:00Z"]),
        ("30 6 * * *", "UTC", "2026-01-01T06:29:59.9Z", ["2026-01-01T06:30:00Z"]),
        ("0 9 * * MON", "Asia/Tokyo", "2026-01-01T00:00:00Z", ["2026-01-05T00:00:00Z"]),
        (
            "30 2 * * *",  # 02:30 does not exist on 29 March
            "Europe/Berlin",
            "2026-03-28T12:00:00Z",
            ["2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"],
        ),
        (
            "30 2 * * *",  # 02:30 comes twice on 25 October
            "Europe/Berlin",
            "2026-10-24T12:00:00Z",
            ["2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"],
        ),
        (
            "30 2 * * *",  # between the two 02:30: the first one was it
            "Europe/Berlin",
            "2026-10-25T01:10:00Z",
            ["2026-10-26T01:30:00Z"],
        ),
        (
            "*/30 * * * *",
            "Europe/Berlin",
            "2026-03-29T00:30:00Z",
            ["2026-03-29T01:00:00Z", "2026-03-29T01:30:00Z"],
        ),
        (
            "0 * * * *",
            "Europe/Berlin",
            "2026-10-24T23:30:00Z",
            ["2026-10-25T00:00:00Z", "2026-10-25T01:00:00Z", "2026-10-25T02:00:00Z"],
        ),
        ("0 0 29 2 *", "UTC", "2026-01-01T00:00:00Z", ["2028-02-29T00:00:00Z"]),
    ],
    ids=[
        "after a tick comes the next",
        "just before",
        "a day of the week in its zone",
        "clocks set forward over it",
        "clocks set back over it",
        "between two equal times",
        "every half hour, set forward",
        "every hour, set back",
        "29 February",
    ],
)
def test_next_ticks(cron: str, timezone: str, after: str, ticks: list[str]) -> None:
    at = instant(after)
    seen = [at := next_tick(cron, timezone, at) for _ in ticks]
    assert seen == [instant(tick) for tick in ticks]


@pytest.mark.parametrize(
    ("cron", "back", "expected"),
    [
        ("30 6 * * *", timedelta(hours=2), "2026-01-02T06:30:00Z"),
        ("30 6 * * *", timedelta(hours=5), "2026-01-01T06:30:00Z"),
        ("*/10 * * * *", timedelta(hours=2), "2026-01-01T05:10:00Z"),
    ],
    ids=["a fixed time is not repeated", "a wrong clock was put right", "by distance, at once"],
)
def test_a_clock_set_back(cron: str, back: timedelta, expected: str) -> None:
    reckoned_at = instant("2026-01-01T07:00:00Z")
    planned = next_tick(cron, "UTC", reckoned_at)
    after = tick_after_set_back(
        cron, "UTC", planned=planned, reckoned_at=reckoned_at, now=reckoned_at - back
    )
    assert after == instant(expected)


@pytest.mark.parametrize(
    ("cron", "words"),
    [
        ("* * * *", ["has 4 fields", "give five"]),
        ("0 0 * * * *", ["has 6 fields"]),
        ("@daily", ["has 1 fields"]),
        ("61 * * * *", ["the minute '61'"]),
        ("0 24 * * *", ["the hour '24'"]),
        ("0 0 32 * *", ["the day of month '32'"]),
        ("0 0 * FOO *", ["the month 'FOO'"]),
        ("0 0 * * 9", ["the day of week '9'"]),
        ("*/0 * * * *", ["the minute '*/0'"]),
        ("0 0 30 2 *", ["names a day that never comes"]),
        (" ".join(["1," * 50 + "1"] * 5), ["give five"]),
    ],
)
def test_an_expression_that_is_wrong(cron: str, words: list[str]) -> None:
    with pytest.raises(InvalidCron) as caught:
        next_tick(cron, "UTC", instant("2026-01-01T00:00:00Z"))
    assert [word for word in words if word not in str(caught.value)] == []


@pytest.mark.parametrize(
    "timezone", ["Europe/Berln", "", "../etc", "/etc/passwd", "Europe", "a\0b"]
)
def test_a_time_zone_that_is_wrong(timezone: str) -> None:
    with pytest.raises(InvalidTimezone, match="Europe/Berlin"):
        next_tick("* * * * *", timezone, instant("2026-01-01T00:00:00Z"))


FIELD = st.text("0123456789*/,-#L W", min_size=1, max_size=6)
ZONES = st.sampled_from(["UTC", "Europe/Berlin", "America/Sao_Paulo", "Australia/Lord_Howe"])
MOMENTS = st.integers(1_420_000_000, 1_900_000_000).map(
    lambda seconds: datetime.fromtimestamp(seconds, UTC)
)


@given(st.lists(FIELD, min_size=5, max_size=5).map(" ".join), ZONES, MOMENTS)
def test_any_text_ticks_later_or_is_refused(cron: str, timezone: str, after: datetime) -> None:
    with contextlib.suppress(InvalidSchedule):
        assert next_tick(cron, timezone, after) > after


NUMBERS = st.tuples(
    st.one_of(st.just("*"), st.integers(0, 59).map(str), st.integers(1, 59).map("*/{}".format)),
    st.one_of(st.just("*"), st.integers(0, 23).map(str)),
)


@given(NUMBERS, ZONES, MOMENTS)
def test_ticks_only_rise(time: tuple[str, str], timezone: str, after: datetime) -> None:
    cron = f"{time[0]} {time[1]} * * *"
    for _ in range(5):
        tick = next_tick(cron, timezone, after)
        assert after < tick <= after + timedelta(days=2)
        after = tick
