"""Dead letters of the whole house, as administrators see and steer them."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from services.jobs.house import Call, House
from shared.chassis.errors import Problem
from shared.chassis.identity.service_calls import ServiceClient
from shared.chassis.paging import PageQuery
from shared.schemas.api.jobs import (
    DeadLetter,
    DeadLettersDiscarded,
    DeadLetterSelection,
    DeadLettersRetried,
)
from shared.schemas.api.pages import HousePage, Page
from shared.schemas.problems import ProblemCode

_PATH = "/internal/dead-letters"


@dataclass(frozen=True, slots=True)
class _Letter:
    """A dead letter by the id that its service's cursors know it by."""

    id: UUID
    shown: DeadLetter


class HouseDeadLetters:
    """Dead letters by ids like `mail.<uuid>`, each kept by the service whose consumer failed."""

    def __init__(self, house: House) -> None:
        """Take the services, this one among them."""
        self._house = house

    async def page(
        self,
        query: PageQuery,
        *,
        service: str | None,
        consumer: str | None,
        event_type: str | None,
    ) -> HousePage[DeadLetter]:
        """Return a page of one service's dead letters or of all, newest first."""
        filters = {"consumer": consumer, "type": event_type}
        parameters = query.parameters | {name: text for name, text in filters.items() if text}

        async def ask(one: ServiceClient) -> Any:
            return await one.get(_PATH, **parameters)

        asked = [name for name in self._house.services if service in {None, name}]
        parts = await self._house.ask_for_parts(dict.fromkeys(asked, ask))
        pages = [Page[DeadLetter].model_validate(part) for part in parts.given.values()]
        letters = [_Letter(_inner_id(shown.id), shown) for page in pages for shown in page.items]
        letters.sort(key=lambda letter: letter.id, reverse=True)
        is_more = any(page.next is not None for page in pages)
        items, cursor = query.cut(letters, is_more=is_more)
        return HousePage(
            items=[letter.shown for letter in items], next=cursor, unreachable=parts.unreachable
        )

    async def read(self, letter_id: str) -> DeadLetter:
        """Return a dead letter. Raises Problem `dead_letter_not_found`."""
        return DeadLetter.model_validate(
            await self._ask_owner(letter_id, lambda one: one.get(f"{_PATH}/{letter_id}"))
        )

    async def retry(self, letter_id: str) -> DeadLettersRetried:
        """Give a dead letter to its consumer again. Raises Problem.

        `dead_letter_not_found`, or `dead_letter_unreadable` for what no consumer can read.
        """
        return DeadLettersRetried.model_validate(
            await self._ask_owner(letter_id, lambda one: one.post(f"{_PATH}/{letter_id}/retry", {}))
        )

    async def discard(self, letter_id: str) -> None:
        """Delete a dead letter. Raises Problem `dead_letter_not_found`."""
        await self._ask_owner(letter_id, lambda one: one.delete(f"{_PATH}/{letter_id}"))

    async def retry_all(self, selection: DeadLetterSelection) -> DeadLettersRetried:
        """Give a consumer's dead letters to it again."""
        return DeadLettersRetried.model_validate(await self._ask_about(selection, "retry"))

    async def discard_all(self, selection: DeadLetterSelection) -> DeadLettersDiscarded:
        """Delete a consumer's dead letters."""
        return DeadLettersDiscarded.model_validate(await self._ask_about(selection, "discard"))

    async def _ask_about(self, selection: DeadLetterSelection, verb: str) -> Any:
        body = selection.model_dump(mode="json", exclude={"service"})
        if selection.service not in self._house.services:
            raise Problem(
                ProblemCode.DEAD_LETTER_NOT_FOUND,
                f"There is no such service; there are: {', '.join(self._house.services)}.",
            )
        return await self._house.ask(
            selection.service, lambda one: one.post(f"{_PATH}/{verb}", body)
        )

    async def _ask_owner(self, letter_id: str, call: Call) -> Any:
        service, _, inner = letter_id.partition(".")
        try:
            # As text it goes into another service's address, so it has to be an id and no path.
            is_id = str(UUID(inner)) == inner
        except ValueError:
            is_id = False
        if not is_id or service not in self._house.services:
            raise Problem(ProblemCode.DEAD_LETTER_NOT_FOUND)
        return await self._house.ask(service, call)


def _inner_id(shown: str) -> UUID:
    return UUID(shown.partition(".")[2])
