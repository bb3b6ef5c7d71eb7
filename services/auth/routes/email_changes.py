"""Another address for one's account: `/v1/auth/me/email` and `/v1/auth/email/confirm`."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from services.auth.access import require_own_session, require_recent
from services.auth.devices import device_of
from services.auth.email_changes.email_changes import EmailChanges
from services.auth.origins import OriginPolicy
from services.auth.routes.answers import NO_STORE
from shared.chassis.http import json_response, read_json
from shared.chassis.identity.tokens import Authenticator
from shared.schemas.api.accounts import (
    EmailChangeAccepted,
    EmailChangeRequest,
    EmailConfirmation,
    EmailConfirmed,
)


class EmailChangeRoutes:
    """Asking for a change of address, taking it back, and confirming it by mailed links."""

    def __init__(
        self, changes: EmailChanges, authenticator: Authenticator, origins: OriginPolicy
    ) -> None:
        self._changes = changes
        self._authenticator = authenticator
        self._origins = origins

    def routes(self) -> list[Route]:
        """Return the routes of this resource."""
        return [
            Route("/v1/auth/me/email", self.request, methods=["POST"]),
            Route("/v1/auth/me/email", self.withdraw, methods=["DELETE"]),
            Route("/v1/auth/email/confirm", self.confirm, methods=["POST"]),
        ]

    async def request(self, request: Request) -> Response:
        """Answer 202 for every new address; it takes a fresh proof of who asks."""
        identity = await self._authenticator.identify(request)
        user_id = require_recent(identity)
        body = await read_json(request, EmailChangeRequest)
        await self._changes.request(
            user_id, body.email, session_id=identity.session_id, device=device_of(request)
        )
        return json_response(EmailChangeAccepted(), 202, headers=NO_STORE)

    async def withdraw(self, request: Request) -> Response:
        """Forget the change; if there is none, nothing happens."""
        identity = await self._authenticator.identify(request)
        await self._changes.withdraw(require_own_session(identity), device_of(request))
        return Response(status_code=204)

    async def confirm(self, request: Request) -> Response:
        """Redeem the link of one side; nobody is logged in by it."""
        self._origins.require_allowed(request)
        body = await read_json(request, EmailConfirmation)
        status = await self._changes.confirm(body.token, device_of(request))
        return json_response(EmailConfirmed(status=status), headers=NO_STORE)
