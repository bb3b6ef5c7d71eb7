"""The caller's account: `/v1/auth/me`."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from services.auth import store
from services.auth.access import own_account, require_session
from services.auth.names import clean_name
from services.auth.routes.answers import NO_STORE, user
from shared.chassis.database import Database
from shared.chassis.errors import Problem
from shared.chassis.http import json_response, read_json
from shared.chassis.identity.tokens import Authenticator
from shared.schemas.api.auth import UserUpdate
from shared.schemas.problems import ProblemCode


class MeRoutes:
    """Reading and changing one's own profile."""

    def __init__(self, database: Database, authenticator: Authenticator) -> None:
        self._database = database
        self._authenticator = authenticator

    def routes(self) -> list[Route]:
        """Return the routes of this resource."""
        return [
            Route("/v1/auth/me", self.read, methods=["GET"]),
            Route("/v1/auth/me", self.update, methods=["PATCH"]),
        ]

    async def read(self, request: Request) -> Response:
        """Answer with the caller's account; API keys may ask whom they speak for."""
        identity = await self._authenticator.identify(request)
        return json_response(user(await own_account(self._database, identity)), headers=NO_STORE)

    async def update(self, request: Request) -> Response:
        """Change what the body names and leave the rest."""
        identity = await self._authenticator.identify(request)
        user_id = require_session(identity)
        body = await read_json(request, UserUpdate)
        account = await own_account(self._database, identity)
        if "name" in body.model_fields_set:
            renamed = await store.rename_user(self._database, user_id, clean_name(body.name))
            if renamed is None:
                raise Problem(ProblemCode.TOKEN_INVALID)
            account = renamed
        return json_response(user(account), headers=NO_STORE)
