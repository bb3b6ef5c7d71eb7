"""When a cron expression's next tick is, in a time zone with its daylight saving.

A job of a fixed time runs once a day: at the first of two equal times when clocks are set back, and
as soon as the skipped hour is over when they are set forward. One whose minute or hour starts with
`*` runs at even distances of real time. Both is what Debian's cron does.
"""

from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError

FIELDS: Final = ("minute", "hour", "day of month", "month", "day of week")
LONGEST_CRON: Final = 100
NOT_REPEATED: Final = timedelta(hours=3)
"""A clock set back by less meets times that have been; by more, it was wrong before."""


class InvalidSchedule(ValueError):  # noqa: N818 - what it is
    """The message says what is wrong with a schedule and what to write instead."""

    field = "name"
    """The part that is wrong."""


class InvalidCron(InvalidSchedule):
    """The cron expression cannot be read, or it never ticks."""

    field = "cron"


class InvalidTimezone(InvalidSchedule):
    """There is no time zone of that name."""

    field = "timezone"


def next_tick(cron: str, timezone: str, after: datetime) -> datetime:
    """Return the first tick after an instant, in UTC. Raises InvalidCron or InvalidTimezone."""
    fields = cron.split()
    if len(fields) != len(FIELDS) or len(cron) > LONGEST_CRON:
        raise InvalidCron(
            f"the cron expression {cron[:LONGEST_CRON]!r} has {len(fields)} fields; give five, "
            "separated by blanks: minute, hour, day of month, month, day of week"
        )
    try:
        ticks = CronSim(cron, after.astimezone(_zone(timezone)))
        # Where an hour comes twice, the first of two equal times may lie before `after`.
        tick: datetime = next(tick for tick in ticks if tick.astimezone(UTC) > after)
    except (CronSimError, StopIteration) as error:
        raise InvalidCron(_what_is_wrong(cron, fields)) from error
    return tick.astimezone(UTC)


def tick_after_set_back(
    cron: str, timezone: str, *, planned: datetime, reckoned_at: datetime, now: datetime
) -> datetime:
    """Return the next tick for a clock that was set back after the planned one was reckoned.

    What runs at a fixed time is not repeated if the clock was set back by less than three hours;
    anything else goes by the new time at once. Raises InvalidCron or InvalidTimezone.
    """
    minute, hour = cron.split()[:2]
    is_fixed = not minute.startswith("*") and not hour.startswith("*")
    if is_fixed and reckoned_at - now < NOT_REPEATED:
        return planned
    return next_tick(cron, timezone, now)


def _zone(name: str) -> tzinfo:
    if name == "UTC":
        return UTC
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise InvalidTimezone(
            f"there is no time zone {name[:64]!r}; give a name of the IANA database such as "
            "Europe/Berlin or UTC"
        ) from error


def _what_is_wrong(cron: str, fields: list[str]) -> str:
    for position, (name, field) in enumerate(zip(FIELDS, fields, strict=True)):
        alone = ["*"] * len(FIELDS)
        alone[position] = field
        try:
            CronSim(" ".join(alone), datetime(2000, 1, 1, tzinfo=UTC))
        except CronSimError:
            return f"the {name} {field!r} of the cron expression {cron!r} cannot be read"
    return f"the cron expression {cron!r} names a day that never comes"
