"""Schedules as they are declared in code, and those that were made over the API."""

from dataclasses import dataclass
from datetime import datetime

from shared.chassis.database import Executor, Record, Transaction
from shared.chassis.jobs.commands import Job
from shared.chassis.jobs.schedules.statements import SQL
from shared.chassis.jobs.schedules.ticks import InvalidSchedule, next_tick
from shared.chassis.payloads import require_payload
from shared.schemas.api.jobs import Schedule as StoredSchedule
from shared.schemas.api.jobs import ScheduleCreate


@dataclass(frozen=True, slots=True)
class Schedule:
    """A job that a service has queued again and again, declared in its code."""

    name: str
    """Stable; it names the schedule over releases."""
    cron: str
    """Five fields: minute, hour, day of month, month, day of week."""
    job: Job
    timezone: str = "UTC"


class DeclaredInCode(InvalidSchedule):
    """The name belongs to a schedule that stands in a service's code."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"the schedule {name!r} is declared in the service's code and changes only with it; "
            "choose another name"
        )


async def declare(transaction: Transaction, schedule: Schedule, now: datetime) -> None:
    """Store a declared schedule; one made over the API with its name becomes it.

    Raises InvalidCron, InvalidTimezone, PayloadTooLarge.
    """
    job = schedule.job
    payload = job.model_dump(mode="json")
    require_payload(payload)
    await transaction.execute(
        SQL["declare_schedule"],
        schedule.name,
        job.queue,
        job.kind,
        payload,
        job.priority,
        job.attempts,
        schedule.cron,
        schedule.timezone,
        next_tick(schedule.cron, schedule.timezone, now),
        now,
    )


async def put_schedule(executor: Executor, schedule: ScheduleCreate) -> StoredSchedule:
    """Store a schedule made over the API, in place of one with its name.

    The next tick is reckoned anew only if the expression or the time zone changed. Raises
    InvalidCron, InvalidTimezone, DeclaredInCode, PayloadTooLarge, or ValueError for a payload that
    PostgreSQL cannot hold.
    """
    require_payload(schedule.payload)
    now = await executor.fetchval(SQL["current_instant"])
    row = await executor.fetchrow(
        SQL["put_schedule"],
        schedule.name,
        schedule.queue,
        schedule.kind,
        schedule.payload,
        schedule.priority,
        schedule.attempts,
        schedule.cron,
        schedule.timezone,
        next_tick(schedule.cron, schedule.timezone, now),
        now,
    )
    if row is None:
        raise DeclaredInCode(schedule.name)
    return _stored(row)


async def list_schedules(
    executor: Executor, *, after: str = "", limit: int = 50
) -> list[StoredSchedule]:
    """Return schedules by name, after a name."""
    return [_stored(row) for row in await executor.fetch(SQL["list_schedules"], after, limit)]


async def read_schedule(executor: Executor, name: str) -> StoredSchedule | None:
    """Return one schedule."""
    row = await executor.fetchrow(SQL["read_schedule"], name)
    return None if row is None else _stored(row)


async def delete_schedule(executor: Executor, name: str) -> bool:
    """Drop a schedule made over the API; return whether there was one. Raises DeclaredInCode.

    A job that it has queued already runs.
    """
    if await executor.execute(SQL["delete_schedule"], name) != "DELETE 0":
        return True
    if await executor.fetchval(SQL["is_declared"], name):
        raise DeclaredInCode(name)
    return False


def _stored(row: Record) -> StoredSchedule:
    return StoredSchedule.model_validate(dict(row))
