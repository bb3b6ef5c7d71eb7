"""Acting in somebody's name, for administrators: `/v1/auth/users/{user_id}/impersonate`."""

from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from services.auth.access import require_recent_administrator
from services.auth.administration.impersonation import Impersonation
from services.auth.devices import device_of
from services.auth.routes.answers import SessionAnswers
from shared.chassis.errors import Problem
from shared.chassis.http import read_json
from shared.chassis.identity.tokens import Authenticator
from shared.schemas.api.users import ImpersonateUser
from shared.schemas.problems import ProblemCode


class ImpersonationRoutes:
    """Opening a session as somebody else; it ends by logging out of it."""

    def __init__(
        self, impersonation: Impersonation, answers: SessionAnswers, authenticator: Authenticator
    ) -> None:
        self._impersonation = impersonation
        self._answers = answers
        self._authenticator = authenticator

    def routes(self) -> list[Route]:
        """Return the routes of this resource."""
        path = "/v1/auth/users/{user_id}/impersonate"
        return [Route(path, self.begin, methods=["POST"])]

    async def begin(self, request: Request) -> Response:
        """Open a session as a user; its tokens come in the body, the caller's cookie stays."""
        by = require_recent_administrator(await self._authenticator.identify(request))
        try:
            user_id = UUID(request.path_params["user_id"])
        except ValueError as error:
            raise Problem(ProblemCode.USER_NOT_FOUND) from error
        body = await read_json(request, ImpersonateUser)
        grant = await self._impersonation.begin(user_id, body.reason, by, device_of(request))
        return self._answers.answer(grant)
