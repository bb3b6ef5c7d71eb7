"""The organisation that a session acts for: `/v1/auth/session/organisation`."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from services.auth.access import require_session
from services.auth.audit.log import Action, record
from services.auth.devices import device_of
from services.auth.routes.answers import NO_STORE
from services.auth.sessions import Sessions
from shared.chassis.database import Database
from shared.chassis.http import json_response, read_json
from shared.chassis.identity.tokens import Authenticator
from shared.schemas.api.organisations import ChosenOrganisation, OrganisationChoice


class SessionOrganisationRoutes:
    """Choosing an organisation for the session of the access token."""

    def __init__(
        self, database: Database, sessions: Sessions, authenticator: Authenticator
    ) -> None:
        self._database = database
        self._sessions = sessions
        self._authenticator = authenticator

    def routes(self) -> list[Route]:
        """Return the routes of this resource."""
        return [Route("/v1/auth/session/organisation", self.choose, methods=["POST"])]

    async def choose(self, request: Request) -> Response:
        """Answer with an access token that names the chosen organisation, or none."""
        identity = await self._authenticator.identify(request)
        user_id = require_session(identity)
        body = await read_json(request, OrganisationChoice)
        async with self._database.transaction() as transaction:
            session, token, seconds = await self._sessions.choose_organisation(
                transaction, identity.session_id, body.organisation_id
            )
            await record(
                transaction,
                Action.ORGANISATION_CHOSEN,
                user_id=user_id,
                actor_id=identity.impersonator_id,
                session_id=session.id,
                device=device_of(request),
                organisation_id=None
                if session.organisation_id is None
                else str(session.organisation_id),
            )
        chosen = ChosenOrganisation(
            access_token=token,
            expires_in=seconds,
            organisation_id=session.organisation_id,
            organisation_role=session.organisation_role,
        )
        return json_response(chosen, headers=NO_STORE)
