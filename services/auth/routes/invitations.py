"""Invitations to organisations, and accepting them: `/v1/auth/invitations/accept`."""

from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from services.auth.access import require_own_session, require_recent
from services.auth.creations import Creations
from services.auth.devices import device_of
from services.auth.organisations.invitations import Invitations
from services.auth.routes.answers import NO_STORE
from services.auth.routes.organisations import organisation_id, shown
from shared.chassis.database import Transaction
from shared.chassis.errors import Problem
from shared.chassis.http import json_response, read_json
from shared.chassis.identity.tokens import Authenticator, Identity
from shared.chassis.paging import page_query
from shared.schemas.api.organisations import Invitation, InvitationAccept, InvitationCreate
from shared.schemas.api.pages import Page
from shared.schemas.problems import ProblemCode

_ALL = "/v1/auth/organisations/{organisation_id}/invitations"


class InvitationRoutes:
    """Sending, listing and withdrawing invitations, and accepting one's own."""

    def __init__(
        self, invitations: Invitations, creations: Creations, authenticator: Authenticator
    ) -> None:
        self._invitations = invitations
        self._creations = creations
        self._authenticator = authenticator

    def routes(self) -> list[Route]:
        """Return the routes of this resource."""
        return [
            Route(_ALL, self.create, methods=["POST"]),
            Route(_ALL, self.list, methods=["GET"]),
            Route(f"{_ALL}/{{invitation_id}}", self.withdraw, methods=["DELETE"]),
            Route("/v1/auth/invitations/accept", self.accept, methods=["POST"]),
        ]

    async def create(self, request: Request) -> Response:
        """Invite an address, which takes a fresh proof of who asks.

        The answer is the same whether or not the address has an account.
        """
        identity = await self._authenticator.identify(request)
        require_recent(identity)
        body = await read_json(request, InvitationCreate)
        invited_to = organisation_id(request)

        async def create(transaction: Transaction) -> Response:
            row = await self._invitations.invite(
                transaction, invited_to, body, identity, device_of(request)
            )
            shown_row = Invitation.model_validate(row, from_attributes=True)
            return json_response(shown_row, 201, headers=NO_STORE)

        return await self._creations.make(
            request,
            identity,
            body,
            create,
            require=lambda transaction: self._invitations.require_invitable(
                transaction, invited_to, body.role, identity
            ),
        )

    async def list(self, request: Request) -> Response:
        """List the open invitations of an organisation, newest first."""
        identity = await self._identify(request)
        query = page_query(request)
        rows, cursor = query.cut(
            await self._invitations.page(
                organisation_id(request), identity, before=query.before, limit=query.rows_to_read
            )
        )
        items = [Invitation.model_validate(row, from_attributes=True) for row in rows]
        return json_response(Page[Invitation](items=items, next=cursor), headers=NO_STORE)

    async def withdraw(self, request: Request) -> Response:
        """Make an invitation worthless."""
        identity = await self._identify(request)
        try:
            invitation_id = UUID(request.path_params["invitation_id"])
        except ValueError as error:
            raise Problem(ProblemCode.INVITATION_NOT_FOUND) from error
        await self._invitations.withdraw(
            organisation_id(request), invitation_id, identity, device_of(request)
        )
        return Response(status_code=204)

    async def accept(self, request: Request) -> Response:
        """Let the caller into the organisation that their address was invited to."""
        identity = await self._identify(request)
        body = await read_json(request, InvitationAccept)
        row = await self._invitations.accept(body.token, identity.user_id, device_of(request))
        return json_response(shown(row), headers=NO_STORE)

    async def _identify(self, request: Request) -> Identity:
        identity = await self._authenticator.identify(request)
        require_own_session(identity)
        return identity
