"""The mail log, for administrators."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from services.mail import store
from shared.chassis.database import Database
from shared.chassis.errors import Problem
from shared.chassis.http import json_response
from shared.chassis.identity.tokens import Authenticator
from shared.chassis.paging import page_query
from shared.schemas.api.mail import Message
from shared.schemas.api.pages import Page
from shared.schemas.problems import ProblemCode


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
        query = page_query(request)
        messages, cursor = query.cut(
            await store.list_messages(self._database, after=query.before, limit=query.rows_to_read)
        )
        return json_response(Page[Message](items=list(messages), next=cursor))

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
