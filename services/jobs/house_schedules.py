"""Schedules of applications, and those that services declare in their code."""

from typing import Any

from services.jobs.house import Call, House
from services.jobs.values import require_storable, wrong_field
from shared.chassis.database import Database
from shared.chassis.errors import Problem
from shared.chassis.identity.service_calls import ServiceClient
from shared.chassis.jobs.schedules.records import (
    DeclaredInCode,
    delete_schedule,
    list_schedules,
    put_schedule,
    read_schedule,
)
from shared.chassis.jobs.schedules.ticks import InvalidSchedule
from shared.chassis.paging import NamedPageQuery
from shared.schemas.api.jobs import Schedule, ScheduleCreate
from shared.schemas.api.pages import HousePage, Page
from shared.schemas.problems import ProblemCode


class HouseSchedules:
    """Schedules by name; those of other services are `<service>.<name>`, and only to be read."""

    def __init__(self, database: Database, house: House) -> None:
        self._database = database
        self._house = house

    async def page(self, query: NamedPageQuery) -> HousePage[Schedule]:
        """Return a page of schedules, by name."""
        schedules = await list_schedules(
            self._database, after=query.after, limit=query.rows_to_read
        )
        parts = await self._house.ask_for_parts(
            {
                service: _listed(part)
                for service in self._house.services
                if (part := query.inner_part(f"{service}.")) is not None
            }
        )
        is_more = False
        for service, answer in parts.given.items():
            page = Page[Schedule].model_validate(answer)
            schedules += [_named_outside(service, schedule) for schedule in page.items]
            is_more = is_more or page.next is not None
        schedules.sort(key=lambda schedule: schedule.name)
        items, cursor = query.cut(schedules, is_more=is_more)
        return HousePage(items=list(items), next=cursor, unreachable=parts.unreachable)

    async def put(self, schedule: ScheduleCreate) -> Schedule:
        """Store a schedule in place of one with its name.

        Raises Problem `validation_failed` or `schedule_declared`.
        """
        require_storable(schedule.payload, field="payload")
        try:
            return await put_schedule(self._database, schedule)
        except DeclaredInCode as error:
            raise Problem(ProblemCode.SCHEDULE_DECLARED) from error
        except InvalidSchedule as error:
            raise wrong_field(error.field, f"{error}.") from error

    async def read(self, name: str) -> Schedule:
        """Return a schedule. Raises Problem `schedule_not_found`."""
        schedule = await read_schedule(self._database, name) if "\0" not in name else None
        if schedule is None:
            raise Problem(ProblemCode.SCHEDULE_NOT_FOUND)
        return schedule

    async def delete(self, name: str) -> None:
        """Drop a schedule. Raises Problem `schedule_not_found` or `schedule_declared`."""
        try:
            found = "\0" not in name and await delete_schedule(self._database, name)
        except DeclaredInCode as error:
            raise Problem(ProblemCode.SCHEDULE_DECLARED) from error
        if not found:
            raise Problem(ProblemCode.SCHEDULE_NOT_FOUND)


def _named_outside(service: str, schedule: Schedule) -> Schedule:
    return schedule.model_copy(update={"name": f"{service}.{schedule.name}"})


def _listed(query: NamedPageQuery) -> Call:
    async def ask(one: ServiceClient) -> Any:
        return await one.get("/internal/jobs/schedules", **query.parameters)

    return ask
