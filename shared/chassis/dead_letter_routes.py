"""How the jobs service looks at and steers the dead letters of another: its internal routes.

Every service with a database mounts them; none is in the public route table. Over HTTP a dead
letter's id is `<service>.<id>`.
"""

from dataclasses import dataclass
from typing import Annotated, Final
from uuid import UUID

from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from shared.chassis.database import Database, Record
from shared.chassis.dead_letters import (
    RETRY_BATCH,
    Unreadable,
    discard_dead_letter,
    discard_dead_letters,
    find_dead_letter,
    list_dead_letters,
    retry_dead_letter,
    retry_dead_letters,
)
from shared.chassis.errors import Problem
from shared.chassis.http import json_response, read_json
from shared.chassis.identity.service_calls import require_service
from shared.chassis.outbox import Outbox
from shared.chassis.paging import page_query
from shared.chassis.settings import Settings
from shared.schemas.api.jobs import DeadLetter, DeadLettersDiscarded, DeadLettersRetried
from shared.schemas.api.pages import Page
from shared.schemas.problems import ProblemCode

ALLOWED: Final = frozenset({"jobs"})

Name = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[!-~]+$")]


class ConsumerLetters(BaseModel):
    """The dead letters of one of the service's consumers, or those of one type."""

    consumer: Name
    type: Name | None = None


@dataclass(frozen=True, slots=True)
class _Row:
    id: UUID
    shown: DeadLetter


class DeadLetterRoutes:
    """The dead letters of one service, for the jobs service alone."""

    def __init__(self, settings: Settings, database: Database, *, service: str) -> None:
        """Take the settings, the service's database and its name."""
        self._settings = settings
        self._service = service
        self._database = database
        self._outbox = Outbox(service)

    def routes(self) -> list[Route]:
        """Return the internal routes."""
        path = "/internal/dead-letters"
        return [
            Route(path, self.list, methods=["GET"]),
            Route(f"{path}/retry", self.retry_all, methods=["POST"]),
            Route(f"{path}/discard", self.discard_all, methods=["POST"]),
            Route(f"{path}/{{letter_id}}", self.read, methods=["GET"]),
            Route(f"{path}/{{letter_id}}", self.discard, methods=["DELETE"]),
            Route(f"{path}/{{letter_id}}/retry", self.retry, methods=["POST"]),
        ]

    async def list(self, request: Request) -> Response:
        """Answer with a page; the query may name `consumer` and `type`."""
        self._authorize(request)
        page = page_query(request, "consumer", "type")
        rows = await list_dead_letters(
            self._database,
            consumer=request.query_params.get("consumer"),
            event_type=request.query_params.get("type"),
            before=page.before,
            limit=page.rows_to_read,
        )
        items, following = page.cut([_Row(row["id"], self._shown(row)) for row in rows])
        return json_response(Page[DeadLetter](items=[item.shown for item in items], next=following))

    async def read(self, request: Request) -> Response:
        """Answer with a dead letter."""
        row = await find_dead_letter(self._database, self._named(request))
        if row is None:
            raise Problem(ProblemCode.DEAD_LETTER_NOT_FOUND)
        return json_response(self._shown(row))

    async def retry(self, request: Request) -> Response:
        """Give a dead letter to its consumer again."""
        letter_id = self._named(request)
        try:
            async with self._database.transaction() as transaction:
                found = await retry_dead_letter(transaction, self._outbox, letter_id)
        except Unreadable as error:
            raise Problem(ProblemCode.DEAD_LETTER_UNREADABLE) from error
        if not found:
            raise Problem(ProblemCode.DEAD_LETTER_NOT_FOUND)
        return json_response(DeadLettersRetried(retried=1))

    async def discard(self, request: Request) -> Response:
        """Delete a dead letter."""
        if not await discard_dead_letter(self._database, self._named(request)):
            raise Problem(ProblemCode.DEAD_LETTER_NOT_FOUND)
        return Response(status_code=204)

    async def retry_all(self, request: Request) -> Response:
        """Give a consumer's dead letters to it again, a batch a transaction, the oldest first."""
        self._authorize(request)
        chosen = await read_json(request, ConsumerLetters)
        retried, batch = 0, RETRY_BATCH
        while batch == RETRY_BATCH:
            async with self._database.transaction() as transaction:
                batch = await retry_dead_letters(
                    transaction, self._outbox, chosen.consumer, chosen.type
                )
            retried += batch
        return json_response(DeadLettersRetried(retried=retried))

    async def discard_all(self, request: Request) -> Response:
        """Delete a consumer's dead letters."""
        self._authorize(request)
        chosen = await read_json(request, ConsumerLetters)
        discarded = 0
        while batch := await discard_dead_letters(self._database, chosen.consumer, chosen.type):
            discarded += batch
        return json_response(DeadLettersDiscarded(discarded=discarded))

    def _authorize(self, request: Request) -> None:
        require_service(request, self._settings, target=self._service, allowed=ALLOWED)

    def _named(self, request: Request) -> UUID:
        self._authorize(request)
        service, _, letter_id = request.path_params["letter_id"].partition(".")
        try:
            if service == self._service:
                return UUID(letter_id)
        except ValueError:
            pass
        raise Problem(ProblemCode.DEAD_LETTER_NOT_FOUND)

    def _shown(self, row: Record) -> DeadLetter:
        is_readable = isinstance(row["body"], dict)
        return DeadLetter(
            id=f"{self._service}.{row['id']}",
            service=self._service,
            consumer=row["consumer"],
            event_id=row["event_id"],
            event_type=row["event_type"],
            attempts=row["attempts"],
            cause=row["cause"],
            body=row["body"] if is_readable else row["raw"].decode("utf-8", "replace"),
            parked_at=row["parked_at"],
            retryable=is_readable,
        )
