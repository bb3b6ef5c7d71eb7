"""What only the other services may ask; none of it is in the public route table."""

from typing import Annotated
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, Field
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from services.auth.accounts.store import find_traces
from services.auth.api_keys.api_keys import ApiKeys
from services.auth.devices import address_from
from services.auth.links import LinkMails
from services.auth.revocations import RevocationFeed
from services.auth.signing_keys import Algorithm, KeyRing
from shared.chassis.database import Database
from shared.chassis.errors import Problem
from shared.chassis.http import json_response, read_json
from shared.chassis.identity.service_calls import require_service
from shared.chassis.settings import Settings
from shared.schemas.problems import ProblemCode

_VERIFIERS = frozenset({"gateway", "realtime", "files", "mail", "jobs"})
_DOORS = frozenset({"gateway", "realtime"})


class RevocationItem(BaseModel):
    """A session or API key whose access tokens are refused until they have all expired."""

    session_id: UUID
    expires_at: AwareDatetime


class RevocationPage(BaseModel):
    """Revocations, and where to go on asking."""

    items: list[RevocationItem]
    cursor: str


class ApiKeyExchange(BaseModel):
    """The key a client sent to the gateway."""

    key: Annotated[str, Field(min_length=1, max_length=256, repr=False)]
    address: Annotated[str, Field(max_length=256)] = ""
    """Of the client, as nginx saw it."""


class ExchangedToken(BaseModel):
    """The short access token that speaks for an API key."""

    access_token: str
    expires_in: int


class DeletionTraces(BaseModel):
    """By what mail finds the messages to somebody whose account is deleted."""

    email: str
    farewell_link_id: UUID


class InternalRoutes:
    """Keys, revocations and API-key exchange for the doors; links and deletions for mail."""

    def __init__(
        self,
        database: Database,
        settings: Settings,
        keys: KeyRing,
        *,
        api_keys: ApiKeys,
        links: LinkMails,
    ) -> None:
        self._database = database
        self._settings = settings
        self._keys = keys
        self._revocations = RevocationFeed(database)
        self._api_keys = api_keys
        self._links = links

    def routes(self) -> list[Route]:
        """Return the internal routes."""
        return [
            Route("/internal/jwks", self.read_keys, methods=["GET"]),
            Route("/internal/revocations", self.read_revocations, methods=["GET"]),
            Route("/internal/api-keys/exchange", self.exchange, methods=["POST"]),
            Route("/internal/links/{link_id}", self.read_link, methods=["GET"]),
            Route("/internal/deletions/{user_id}", self.read_traces, methods=["GET"]),
        ]

    async def read_keys(self, request: Request) -> Response:
        """Answer with the JWK set."""
        require_service(request, self._settings, target="auth", allowed=_VERIFIERS)
        return JSONResponse(self._keys.jwks(Algorithm.ES256))

    async def read_revocations(self, request: Request) -> Response:
        """Answer with live revocations since the cursor, or all of them without one."""
        require_service(request, self._settings, target="auth", allowed=_DOORS)
        revocations, cursor = await self._revocations.since(request.query_params.get("since"))
        items = [
            RevocationItem(session_id=item.session_id, expires_at=item.expires_at)
            for item in revocations
        ]
        return json_response(RevocationPage(items=items, cursor=cursor))

    async def exchange(self, request: Request) -> Response:
        """Answer with a token for an API key, or 401."""
        require_service(request, self._settings, target="auth", allowed={"gateway"})
        body = await read_json(request, ApiKeyExchange)
        token, seconds = await self._api_keys.exchange(body.key, address_from(body.address))
        return json_response(ExchangedToken(access_token=token, expires_in=seconds))

    async def read_link(self, request: Request) -> Response:
        """Answer with whom to mail what, or 404 once the link is spent."""
        require_service(request, self._settings, target="auth", allowed={"mail"})
        mail = await self._links.describe(_id(request, "link_id"))
        if mail is None:
            raise Problem(ProblemCode.NOT_FOUND, "The link is spent or expired.")
        return json_response(mail)

    async def read_traces(self, request: Request) -> Response:
        """Answer with what finds the mails to a deleted account's owner, or 404 afterwards."""
        require_service(request, self._settings, target="auth", allowed={"mail"})
        traces = await find_traces(self._database, _id(request, "user_id"))
        if traces is None:
            raise Problem(ProblemCode.NOT_FOUND, "No such deletion waits for a confirmation.")
        return json_response(
            DeletionTraces(email=traces.email, farewell_link_id=traces.farewell_link_id)
        )


def _id(request: Request, name: str) -> UUID:
    try:
        return UUID(request.path_params[name])
    except ValueError as error:
        raise Problem(ProblemCode.NOT_FOUND) from error
