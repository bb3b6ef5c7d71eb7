"""Applications and what their users allowed them: `/v1/auth/oauth-clients`, `/v1/auth/consents`."""

from collections.abc import Awaitable

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from services.auth.access import (
    require_administrator,
    require_own_session,
    require_recent_administrator,
)
from services.auth.audit.log import Action, record
from services.auth.creations import Creations
from services.auth.devices import device_of
from services.auth.provider import store
from services.auth.provider.clients import changed_client, new_client, with_new_secret
from services.auth.provider.store import Client
from services.auth.routes.answers import NO_STORE
from shared.chassis.database import ConstraintViolation, Database, Transaction
from shared.chassis.errors import Problem
from shared.chassis.http import json_response, read_json
from shared.chassis.identity.tokens import Authenticator
from shared.chassis.paging import named_page_query, require_known_query
from shared.schemas.api.pages import Page
from shared.schemas.api.provider import (
    ConsentInfo,
    ConsentList,
    CreatedOAuthClient,
    OAuthClient,
    OAuthClientCreate,
    OAuthClientUpdate,
)
from shared.schemas.problems import FieldError, ProblemCode


class OAuthClientRoutes:
    """Administrators register applications; everybody sees and withdraws their own consents."""

    def __init__(
        self, database: Database, creations: Creations, authenticator: Authenticator
    ) -> None:
        self._database = database
        self._creations = creations
        self._authenticator = authenticator

    def routes(self) -> list[Route]:
        """Return the routes of these resources."""
        return [
            Route("/v1/auth/oauth-clients", self.create, methods=["POST"]),
            Route("/v1/auth/oauth-clients", self.list, methods=["GET"]),
            Route("/v1/auth/oauth-clients/{client_id}", self.update, methods=["PATCH"]),
            Route("/v1/auth/oauth-clients/{client_id}", self.delete, methods=["DELETE"]),
            Route("/v1/auth/oauth-clients/{client_id}/secret", self.renew, methods=["POST"]),
            Route("/v1/auth/consents", self.list_consents, methods=["GET"]),
            Route("/v1/auth/consents/{client_id}", self.withdraw, methods=["DELETE"]),
        ]

    async def create(self, request: Request) -> Response:
        """Register an application; its secret is in this answer and nowhere else."""
        identity = await self._authenticator.identify(request)
        by = require_recent_administrator(identity)
        body = await read_json(request, OAuthClientCreate)

        async def create(transaction: Transaction) -> Response:
            client, secret = new_client(body)
            client = await _named(store.insert_client(transaction, client))
            await record(
                transaction,
                Action.APPLICATION_REGISTERED,
                user_id=None,
                actor_id=by,
                device=device_of(request),
                client_id=client.id,
            )
            created = CreatedOAuthClient(**_shown(client).model_dump(), client_secret=secret)
            return json_response(created, 201, headers=NO_STORE)

        return await self._creations.make(request, identity, body, create)

    async def list(self, request: Request) -> Response:
        """List the applications by their names."""
        require_administrator(await self._authenticator.identify(request))
        page = named_page_query(request)
        rows = await store.list_clients(self._database, after=page.after, limit=page.rows_to_read)
        clients, cursor = page.cut(rows)
        shown = [_shown(client) for client in clients]
        return json_response(Page[OAuthClient](items=shown, next=cursor), headers=NO_STORE)

    async def update(self, request: Request) -> Response:
        """Change what the body names and leave the rest.

        Who signed in at an application that was trusted was never asked: when it is no more, they
        are signed out, and asked at the next sign-in.
        """
        by = require_recent_administrator(await self._authenticator.identify(request))
        body = await read_json(request, OAuthClientUpdate)
        async with self._database.transaction() as transaction:
            before = await _locked(transaction, request)
            client = await _named(store.update_client(transaction, changed_client(before, body)))
            if before.is_trusted and not client.is_trusted:
                await store.sign_everybody_out(transaction, client.id)
            await record(
                transaction,
                Action.APPLICATION_CHANGED,
                user_id=None,
                actor_id=by,
                device=device_of(request),
                client_id=client.id,
                fields=sorted(body.model_fields_set),
            )
        return json_response(_shown(client), headers=NO_STORE)

    async def renew(self, request: Request) -> Response:
        """Give an application another secret; the old one is worth nothing from now on."""
        by = require_recent_administrator(await self._authenticator.identify(request))
        async with self._database.transaction() as transaction:
            client, secret = with_new_secret(await _locked(transaction, request))
            await store.update_client(transaction, client)
            await record(
                transaction,
                Action.APPLICATION_CHANGED,
                user_id=None,
                actor_id=by,
                device=device_of(request),
                client_id=client.id,
                fields=["client_secret"],
            )
        created = CreatedOAuthClient(**_shown(client).model_dump(), client_secret=secret)
        return json_response(created, headers=NO_STORE)

    async def delete(self, request: Request) -> Response:
        """Remove an application; everybody is signed out of it."""
        by = require_administrator(await self._authenticator.identify(request))
        client_id = request.path_params["client_id"]
        async with self._database.transaction() as transaction:
            if not await store.delete_client(transaction, client_id):
                raise Problem(ProblemCode.NOT_FOUND)
            await record(
                transaction,
                Action.APPLICATION_REMOVED,
                user_id=None,
                actor_id=by,
                device=device_of(request),
                client_id=client_id,
            )
        return Response(status_code=204)

    async def list_consents(self, request: Request) -> Response:
        """List what the caller allowed which application."""
        user_id = require_own_session(await self._authenticator.identify(request))
        require_known_query(request)
        rows = await store.list_consents(self._database, user_id)
        items = [ConsentInfo.model_validate(row, from_attributes=True) for row in rows]
        return json_response(ConsentList(items=items), headers=NO_STORE)

    async def withdraw(self, request: Request) -> Response:
        """Take a consent back; the application is signed out."""
        user_id = require_own_session(await self._authenticator.identify(request))
        client_id = request.path_params["client_id"]
        async with self._database.transaction() as transaction:
            if not await store.delete_consent(transaction, user_id, client_id):
                raise Problem(ProblemCode.NOT_FOUND)
            await record(
                transaction,
                Action.CONSENT_WITHDRAWN,
                user_id=user_id,
                device=device_of(request),
                client_id=client_id,
            )
        return Response(status_code=204)


async def _locked(transaction: Transaction, request: Request) -> Client:
    client = await store.lock_client(transaction, request.path_params["client_id"])
    if client is None:
        raise Problem(ProblemCode.NOT_FOUND)
    return client


async def _named(write: Awaitable[Client]) -> Client:
    try:
        return await write
    except ConstraintViolation as violation:
        message = "Another application has this name; users could not tell them apart."
        raise Problem(
            ProblemCode.VALIDATION_FAILED, errors=[FieldError(field="name", message=message)]
        ) from violation


def _shown(client: Client) -> OAuthClient:
    return OAuthClient(
        client_id=client.id,
        name=client.name,
        redirect_uris=list(client.redirect_uris),
        post_logout_redirect_uris=list(client.post_logout_redirect_uris),
        backchannel_logout_uri=client.backchannel_logout_uri,
        id_token_signed_response_alg=client.id_token_algorithm.value,
        backchannel_logout_session_required=client.backchannel_logout_session_required,
        require_pkce=client.require_pkce,
        scopes=list(client.scopes),
        is_public=client.secret_hash is None,
        is_trusted=client.is_trusted,
        created_at=client.created_at,
    )
