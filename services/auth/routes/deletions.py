"""What became of deleted accounts, for administrators: `/v1/auth/deletions`."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from services.auth.access import require_administrator
from services.auth.accounts import store
from services.auth.routes.answers import NO_STORE
from shared.chassis.database import Database
from shared.chassis.http import json_response
from shared.chassis.identity.tokens import Authenticator
from shared.chassis.paging import optional_boolean, page_query
from shared.schemas.api.accounts import AccountDeletion
from shared.schemas.api.pages import Page


class DeletionRoutes:
    """Listing deletions with what each service has confirmed."""

    def __init__(self, database: Database, authenticator: Authenticator) -> None:
        self._database = database
        self._authenticator = authenticator

    def routes(self) -> list[Route]:
        """Return the routes of this resource."""
        return [Route("/v1/auth/deletions", self.list, methods=["GET"])]

    async def list(self, request: Request) -> Response:
        """List deletions, those of the newest accounts first."""
        require_administrator(await self._authenticator.identify(request))
        page = page_query(request, "outstanding")
        rows, cursor = page.cut(
            await store.list_deletions(
                self._database,
                before=page.before,
                limit=page.rows_to_read,
                outstanding=optional_boolean(request, "outstanding"),
            )
        )
        items = [AccountDeletion.model_validate(row, from_attributes=True) for row in rows]
        return json_response(Page[AccountDeletion](items=items, next=cursor), headers=NO_STORE)
