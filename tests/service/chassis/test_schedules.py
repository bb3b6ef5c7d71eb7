"""Schedules queue their jobs once a tick, whatever happens to clocks and processes."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import pytest

from shared.chassis.jobs.commands import Job, JobQueue
from shared.chassis.jobs.schedules.records import (
    DeclaredInCode,
    Schedule,
    delete_schedule,
    list_schedules,
    put_schedule,
)
from shared.chassis.jobs.schedules.scheduler import JobScheduler
from shared.chassis.jobs.schedules.ticks import InvalidCron, InvalidTimezone
from shared.schemas.api.jobs import ScheduleCreate
from tests.parts.waiting import eventually
from tests.service.chassis.conftest import Messaging


class Report(Job):
    kind: ClassVar[str] = "report"
    queue: ClassVar[str] = "reports"
    attempts: ClassVar[int] = 7
    priority: ClassVar[int] = 3
    day: str = "today"


DAILY = Schedule("daily-report", "30 6 * * *", Report(), "Europe/Berlin")
DUE = "UPDATE job_schedules SET next_run_at = now() - interval '3 days'"
END = "UPDATE jobs SET state = 'completed', finished_at = now()"


def scheduler(messaging: Messaging, *schedules: Schedule) -> JobScheduler:
    jobs = JobQueue(messaging.bus)
    return JobScheduler(messaging.database, jobs, messaging.lifecycle, schedules)


async def schedule(messaging: Messaging, *schedules: Schedule) -> JobScheduler:
    return await messaging.lifecycle.start(scheduler(messaging, *schedules))


async def stored(messaging: Messaging) -> list[tuple[str, bool]]:
    return [(one.name, one.declared) for one in await list_schedules(messaging.database)]


async def queued(messaging: Messaging) -> int:
    count: int = await messaging.database.fetchval("SELECT count(*) FROM jobs")
    return count


async def next_run_at(messaging: Messaging) -> datetime:
    instant: datetime = await messaging.database.fetchval("SELECT next_run_at FROM job_schedules")
    return instant


def made(name: str = "made", cron: str = "0 */12 * * *", **fields: Any) -> ScheduleCreate:
    return ScheduleCreate(
        **{"name": name, "cron": cron, "queue": "app", "kind": "any", "payload": {"a": 1}, **fields}
    )


async def test_what_is_missed_becomes_one_job_and_the_next_tick_is_to_come(
    messaging: Messaging,
) -> None:
    await schedule(messaging, DAILY)
    await eventually(lambda: stored(messaging), [("daily-report", True)])
    planned = await next_run_at(messaging)
    await messaging.database.execute(DUE)
    await eventually(lambda: queued(messaging), 1)
    job = await messaging.database.fetchrow(
        "SELECT queue, kind, payload, state, priority, max_attempts, unique_key, schedule FROM jobs"
    )
    assert dict(job) == {
        "queue": "reports",
        "kind": "report",
        "payload": {"day": "today"},
        "state": "queued",
        "priority": 3,
        "max_attempts": 7,
        "unique_key": "schedule:daily-report",
        "schedule": "daily-report",
    }
    assert await next_run_at(messaging) == planned


async def test_a_tick_queues_one_job_however_many_processes_there_are(
    messaging: Messaging,
) -> None:
    names = [f"s{number}" for number in range(20)]
    for name in names:
        await put_schedule(messaging.database, made(name))
    ticking = [scheduler(messaging) for _ in range(4)]
    for _ in range(3):
        await messaging.database.execute(DUE)
        await asyncio.gather(*(one._tick() for one in ticking))
        await messaging.database.execute(END)
    rows = await messaging.database.fetch(
        "SELECT schedule, count(*) AS jobs FROM jobs GROUP BY schedule"
    )
    assert {row["schedule"]: row["jobs"] for row in rows} == dict.fromkeys(names, 3)


@pytest.mark.parametrize("state", ["queued", "running"])
async def test_a_tick_is_passed_over_while_the_job_before_has_not_ended(
    messaging: Messaging, state: str
) -> None:
    await put_schedule(messaging.database, made())
    ticking = scheduler(messaging)
    await messaging.database.execute(DUE)
    await ticking._tick()
    lease = "worker = 'w', lease_until = now()" if state == "running" else "worker = NULL"
    await messaging.database.execute(f"UPDATE jobs SET state = '{state}', {lease}")
    await messaging.database.execute(DUE)
    await ticking._tick()
    assert await queued(messaging) == 1
    assert await next_run_at(messaging) > datetime.now(UTC)
    await messaging.database.execute(f"{END}, worker = NULL, lease_until = NULL")
    await messaging.database.execute(DUE)
    await ticking._tick()
    assert await queued(messaging) == 2


@pytest.mark.parametrize(
    ("cron", "back", "is_reckoned_anew"),
    [
        ("0 */12 * * *", timedelta(hours=1), True),
        ("30 6 * * *", timedelta(hours=1), False),
        ("30 6 * * *", timedelta(days=40), True),
    ],
    ids=["at even distances", "a fixed time, an hour", "a fixed time, 40 days"],
)
async def test_a_clock_that_was_set_back(
    messaging: Messaging, cron: str, back: timedelta, *, is_reckoned_anew: bool
) -> None:
    await put_schedule(messaging.database, made(cron=cron))
    right = await next_run_at(messaging)
    await messaging.database.execute(
        "UPDATE job_schedules SET next_run_at = next_run_at + $1, updated_at = updated_at + $1",
        back,
    )
    ticking = scheduler(messaging)
    for _ in range(2):
        await ticking._tick()
    assert await next_run_at(messaging) == (right if is_reckoned_anew else right + back)
    assert await queued(messaging) == 0


@pytest.mark.alone
async def test_a_tick_comes_at_its_time(messaging: Messaging) -> None:
    await schedule(messaging)
    await put_schedule(messaging.database, made())
    await messaging.database.execute(
        "UPDATE job_schedules SET next_run_at = now() + interval '0.5 seconds'"
    )
    due = await next_run_at(messaging)
    await eventually(lambda: queued(messaging), 1)
    late = await messaging.database.fetchval("SELECT created_at FROM jobs") - due
    assert timedelta(0) <= late < timedelta(seconds=5)


async def test_declared_schedules_follow_the_code(messaging: Messaging) -> None:
    database = messaging.database
    other = Schedule("hourly", "0 * * * *", Report())
    await put_schedule(database, made())
    await scheduler(messaging, DAILY, other)._declare()
    expected = [("daily-report", True), ("hourly", True), ("made", False)]
    assert await stored(messaging) == expected
    moved = "UPDATE job_schedules SET next_run_at = '2100-01-01Z' WHERE declared"
    await database.execute(moved)
    changed = Schedule("hourly", "15 * * * *", Report(day="tomorrow"))
    kept = Schedule("daily-report", DAILY.cron, Report(day="tomorrow"), DAILY.timezone)
    await scheduler(messaging, kept, changed)._declare()
    daily, hourly, _ = await list_schedules(database)
    assert (daily.payload, daily.next_run_at.year) == ({"day": "tomorrow"}, 2100)
    assert (hourly.cron, hourly.next_run_at.year < 2100) == ("15 * * * *", True)
    await scheduler(messaging)._declare()
    assert await stored(messaging) == [("made", False)]


async def test_a_declared_schedule_belongs_to_the_code(messaging: Messaging) -> None:
    await scheduler(messaging, DAILY)._declare()
    with pytest.raises(DeclaredInCode, match="choose another name"):
        await put_schedule(messaging.database, made("daily-report"))
    with pytest.raises(DeclaredInCode):
        await delete_schedule(messaging.database, "daily-report")
    assert await stored(messaging) == [("daily-report", True)]


async def test_a_schedule_is_put_read_and_deleted(messaging: Messaging) -> None:
    database = messaging.database
    put = await put_schedule(database, made(payload=None, priority=-1, attempts=9))
    assert await list_schedules(database) == [put]
    assert put.model_dump(include={"payload", "priority", "max_attempts", "last_run_at"}) == {
        "payload": None,
        "priority": -1,
        "max_attempts": 9,
        "last_run_at": None,
    }
    assert timedelta(0) < put.next_run_at - datetime.now(UTC) <= timedelta(hours=12)
    await messaging.database.execute(DUE)
    await scheduler(messaging)._tick()
    [ran] = await list_schedules(database)
    assert ran.last_run_at is not None
    assert await list_schedules(database, after="made") == []
    assert await delete_schedule(database, "made")
    assert not await delete_schedule(database, "made")


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"cron": "61 * * * *"}, InvalidCron),
        ({"timezone": "Mars/Base"}, InvalidTimezone),
        ({"payload": "\x00"}, ValueError),
    ],
)
async def test_a_wrong_schedule_is_not_stored(
    messaging: Messaging, fields: dict[str, Any], error: type[ValueError]
) -> None:
    with pytest.raises(error):
        await put_schedule(messaging.database, made(**fields))
    assert await stored(messaging) == []


async def test_one_that_cannot_be_read_any_more_does_not_hold_up_the_others(
    messaging: Messaging,
) -> None:
    await put_schedule(messaging.database, made("bad"))
    await put_schedule(messaging.database, made("good"))
    await messaging.database.execute(
        "UPDATE job_schedules SET timezone = 'Mars/Base' WHERE name = 'bad'"
    )
    await messaging.database.execute(DUE)
    await scheduler(messaging)._tick()
    rows = await messaging.database.fetch("SELECT schedule FROM jobs ORDER BY schedule")
    assert [row["schedule"] for row in rows] == ["bad", "good"]
    due = "SELECT count(*) FROM job_schedules WHERE next_run_at <= now()"
    assert await messaging.database.fetchval(due) == 0


async def test_it_goes_on_when_the_database_comes_back(
    messaging: Messaging, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.chassis.jobs.schedules.scheduler.POLL_SECONDS", 0.05)
    await schedule(messaging, DAILY)
    await eventually(lambda: stored(messaging), [("daily-report", True)])
    await messaging.database.stop()
    await asyncio.sleep(0.1)
    await messaging.database.start()
    await messaging.database.execute(DUE)
    await eventually(lambda: queued(messaging), 1)
