"""The mail log, for administrators."""

import base64
import binascii
from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from services.mail import store
from shared.chassis.database import Database
from shared.chassis.errors import Problem
from shared.chassis.http import json_response
from shared.chassis.identity.tokens import Authenticator
from shared.schemas.api.mail import Message
from shared.schemas.api.pages import Page
from shared.schemas.problems import FieldError, ProblemCode

DEFAULT_PAGE = 50
LARGEST_PAGE = 200


class MessageRoutes:
    """Reads messages and their timelines."""

    def __init__(self, database: Database, authenticator: Authenticator) -> None:
        self._database = database
        self._authenticator = authenticator

    def routes(self) -> list[Route]:
        """Return the routes of this resource."""
        return [
            Route("/v1/mail/messages", self.list_messages, methods=["GET"]),
            Route("/v1/mail/messages/{message_id:uuid}", self.read_message, methods=["GET"]),
        ]

    async def list_messages(self, request: Request) -> Response:
        """Answer with a page of messages, newest first."""
        await self._require_administrator(request)
        limit = _limit(request.query_params.get("limit"))
        after = _position(request.query_params.get("cursor"))
        messages = await store.list_messages(self._database, after=after, limit=limit + 1)
        page = messages[:limit]
        more = len(messages) > limit
        return json_response(Page[Message](items=page, next=_cursor(page[-1].id) if more else None))

    async def read_message(self, request: Request) -> Response:
        """Answer with one message."""
        await self._require_administrator(request)
        message = await store.find_message(self._database, request.path_params["message_id"])
        if message is None:
            raise Problem(ProblemCode.MESSAGE_NOT_FOUND)
        return json_response(message)

    async def _require_administrator(self, request: Request) -> None:
        identity = await self._authenticator.identify(request)
        if not identity.is_administrator:
            raise Problem(ProblemCode.ADMINISTRATOR_REQUIRED)


def _limit(text: str | None) -> int:
    if text is None:
        return DEFAULT_PAGE
    if not text.isascii() or not text.isdecimal() or not 1 <= int(text[:9]) <= LARGEST_PAGE:
        message = f"A whole number from 1 to {LARGEST_PAGE} is expected."
        raise Problem(
            ProblemCode.VALIDATION_FAILED, errors=[FieldError(field="limit", message=message)]
        )
    return int(text)


def _cursor(message_id: UUID) -> str:
    return base64.urlsafe_b64encode(message_id.bytes).decode().rstrip("=")


def _position(cursor: str | None) -> UUID | None:
    if cursor is None:
        return None
    try:
        return UUID(bytes=base64.b64decode(cursor + "==", altchars=b"-_", validate=True))
    except (binascii.Error, ValueError) as error:
        raise Problem(ProblemCode.INVALID_CURSOR) from error
