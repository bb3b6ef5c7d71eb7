"""Queues of applications and of the house, as administrators see and steer them."""

from typing import Any

from services.jobs.house import Call, House
from services.jobs.queue_names import OWN_SERVICE, owner_of
from shared.chassis.bus import Bus
from shared.chassis.database import Database
from shared.chassis.identity.service_calls import ServiceClient
from shared.chassis.jobs.administration.jobs import JobAdministration
from shared.chassis.jobs.administration.queues import QueueAdministration
from shared.chassis.paging import NamedPageQuery
from shared.schemas.api.jobs import JobsRetried, QueueInfo, QueueSettingsUpdate
from shared.schemas.api.pages import HousePage, Page


class HouseQueues:
    """Queues by their names, whichever service has them.

    Every method that takes a name raises Problem `queue_invalid` for one that no queue can have.
    """

    def __init__(self, database: Database, bus: Bus, house: House) -> None:
        self._own = QueueAdministration(database)
        self._own_jobs = JobAdministration(database)
        self._bus = bus
        self._house = house

    async def page(self, query: NamedPageQuery) -> HousePage[QueueInfo]:
        """Return a page of the queues that have jobs or settings, by name."""
        queues = await self._own.queues(after=query.after, limit=query.rows_to_read)
        parts = await self._house.ask_for_parts(
            {
                service: _listed(part)
                for service in self._house.services
                if (part := query.part(f"{service}.")) is not None
            }
        )
        is_more = False
        for answer in parts.given.values():
            page = Page[QueueInfo].model_validate(answer)
            queues += page.items
            is_more = is_more or page.next is not None
        queues.sort(key=lambda queue: queue.name)
        items, cursor = query.cut(queues, is_more=is_more)
        return HousePage(items=list(items), next=cursor, unreachable=parts.unreachable)

    async def read(self, name: str) -> QueueInfo:
        """Return a queue; one that nobody has used is empty and has the defaults."""
        service = owner_of(name)
        if service == OWN_SERVICE:
            return await self._own.queue(name)
        return await self._asked(service, lambda one: one.get(_path(name)))

    async def configure(self, name: str, update: QueueSettingsUpdate) -> QueueInfo:
        """Change those of the settings that the update names; the next claim obeys them."""
        service = owner_of(name)
        if service != OWN_SERVICE:
            body = update.model_dump(mode="json", exclude_unset=True)
            return await self._asked(service, lambda one: one.patch(_path(name), body))
        queue = await self._own.configure(name, update)
        self._bus.wake(name)
        return queue

    async def pause(self, name: str) -> QueueInfo:
        """Start no more jobs of a queue; those that run go on."""
        service = owner_of(name)
        if service == OWN_SERVICE:
            return await self._own.pause(name)
        return await self._asked(service, lambda one: one.post(f"{_path(name)}/pause", {}))

    async def resume(self, name: str) -> QueueInfo:
        """Let the jobs of a queue start again."""
        service = owner_of(name)
        if service != OWN_SERVICE:
            return await self._asked(service, lambda one: one.post(f"{_path(name)}/resume", {}))
        queue = await self._own.resume(name)
        self._bus.wake(name)
        return queue

    async def retry_failed(self, name: str) -> JobsRetried:
        """Queue all failed jobs of a queue again."""
        service = owner_of(name)
        if service != OWN_SERVICE:
            answer = await self._house.ask(
                service, lambda one: one.post(f"{_path(name)}/retry", {})
            )
            return JobsRetried.model_validate(answer)
        retried = await self._own_jobs.retry_failed(name)
        self._bus.wake(name)
        return retried

    async def _asked(self, service: str, call: Call) -> QueueInfo:
        return QueueInfo.model_validate(await self._house.ask(service, call))


def _path(name: str) -> str:
    return f"/internal/jobs/queues/{name}"


def _listed(query: NamedPageQuery) -> Call:
    async def ask(one: ServiceClient) -> Any:
        return await one.get("/internal/jobs/queues", **query.parameters)

    return ask
