"""The caller's account: `/v1/auth/me`."""

from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from services.auth import store
from services.auth.access import (
    own_account,
    require_own_session,
    require_recent,
    require_session,
)
from services.auth.accounts.deletions import Deletions
from services.auth.administration.store import list_audit_entries
from services.auth.api_keys.store import list_api_keys
from services.auth.audit.log import Action, record
from services.auth.devices import device_of
from services.auth.federation.store import list_identities
from services.auth.names import clean_name
from services.auth.organisations.store import list_organisations_of
from services.auth.passkeys.store import list_passkeys
from services.auth.routes.answers import NO_STORE, activity, session_info, user
from services.auth.routes.factors import shown_totp
from services.auth.routes.organisations import shown as shown_organisation
from services.auth.routes.passkeys import shown as shown_passkey
from shared.chassis.database import Database
from shared.chassis.errors import Problem
from shared.chassis.http import json_response, read_json
from shared.chassis.identity.tokens import Authenticator
from shared.chassis.paging import page_query
from shared.schemas.api.accounts import AccountExport
from shared.schemas.api.auth import Activity, ApiKey, LinkedIdentity, UserUpdate
from shared.schemas.api.pages import Page
from shared.schemas.problems import ProblemCode

EXPORTED_ROWS: Final = 1000
"""Of each kind; older ones are left out."""


class MeRoutes:
    """Reading and changing one's own profile."""

    def __init__(
        self, database: Database, deletions: Deletions, authenticator: Authenticator
    ) -> None:
        self._database = database
        self._deletions = deletions
        self._authenticator = authenticator

    def routes(self) -> list[Route]:
        """Return the routes of this resource."""
        return [
            Route("/v1/auth/me", self.read, methods=["GET"]),
            Route("/v1/auth/me", self.update, methods=["PATCH"]),
            Route("/v1/auth/me", self.delete, methods=["DELETE"]),
            Route("/v1/auth/me/export", self.export, methods=["GET"]),
            Route("/v1/auth/me/activity", self.activity, methods=["GET"]),
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
            async with self._database.transaction() as transaction:
                renamed = await store.rename_user(transaction, user_id, clean_name(body.name))
                if renamed is None:
                    raise Problem(ProblemCode.TOKEN_INVALID)
                await record(
                    transaction,
                    Action.USER_RENAMED,
                    user_id=user_id,
                    actor_id=identity.impersonator_id,
                    device=device_of(request),
                )
            account = renamed
        return json_response(user(account), headers=NO_STORE)

    async def delete(self, request: Request) -> Response:
        """Delete the caller's account for good; it takes a fresh proof of who asks."""
        identity = await self._authenticator.identify(request)
        user_id = require_recent(identity)
        await self._deletions.delete(user_id, user_id, device_of(request))
        return Response(status_code=204)

    async def export(self, request: Request) -> Response:
        """Answer with everything that auth holds of the caller, secrets left out."""
        identity = await self._authenticator.identify(request)
        user_id = require_own_session(identity)
        account = await own_account(self._database, identity)
        sessions = await store.list_sessions(
            self._database, user_id, before=None, limit=EXPORTED_ROWS
        )
        keys = await list_api_keys(self._database, user_id, before=None, limit=EXPORTED_ROWS)
        identities = await list_identities(
            self._database, user_id, before=None, limit=EXPORTED_ROWS
        )
        passkeys = await list_passkeys(self._database, user_id, before=None, limit=EXPORTED_ROWS)
        organisations = await list_organisations_of(
            self._database, user_id, before=None, limit=EXPORTED_ROWS
        )
        acts = await list_audit_entries(
            self._database, before=None, limit=EXPORTED_ROWS, user_id=user_id
        )
        export = AccountExport(
            user=user(account),
            sessions=[session_info(row, current=row.id == identity.session_id) for row in sessions],
            api_keys=[ApiKey.model_validate(key, from_attributes=True) for key in keys],
            identities=[
                LinkedIdentity.model_validate(identity, from_attributes=True)
                for identity in identities
            ],
            passkeys=[shown_passkey(row) for row in passkeys],
            totp=await shown_totp(self._database, user_id),
            organisations=[shown_organisation(row) for row in organisations],
            activity=[activity(act, user_id) for act in acts],
            elsewhere={"files": "/v1/files"},
        )
        disposition = {"Content-Disposition": 'attachment; filename="freehold-account.json"'}
        return json_response(export, headers=NO_STORE | disposition)

    async def activity(self, request: Request) -> Response:
        """List what was done to the caller's account, newest first."""
        identity = await self._authenticator.identify(request)
        user_id = require_own_session(identity)
        query = page_query(request)
        rows, cursor = query.cut(
            await list_audit_entries(
                self._database, before=query.before, limit=query.rows_to_read, user_id=user_id
            )
        )
        items = [activity(row, user_id) for row in rows]
        return json_response(Page[Activity](items=items, next=cursor), headers=NO_STORE)
