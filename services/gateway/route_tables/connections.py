"""Logging in with other providers."""

from typing import Final

from services.gateway.route import IDEMPOTENCY_KEY, PAGING, Access, Route
from shared.schemas.api import auth, connections, provider
from shared.schemas.api.pages import Page

_RETURN_TO: Final = {
    "name": "return_to",
    "in": "query",
    "description": "Page of this address or of an allowed origin that the browser goes to once it "
    "is logged in; where a second factor has to follow, `#mfa_token=…&methods=…` is added",
    "schema": {"type": "string", "maxLength": 4096, "default": "/"},
}

CONNECTION_ROUTES: Final = (
    Route(
        method="GET",
        path="/v1/auth/oidc",
        service="auth",
        access=Access.PUBLIC,
        summary="List the providers that people may log in with",
        answer=connections.OfferedConnections,
    ),
    Route(
        method="GET",
        path="/v1/auth/oidc/{connection_id}/start",
        service="auth",
        access=Access.PUBLIC,
        summary="Send the browser to a provider to log in there",
        status=303,
        parameters=(_RETURN_TO,),
        guessable=True,
    ),
    Route(
        method="GET",
        path="/v1/auth/oidc/{connection_id}/callback",
        service="auth",
        access=Access.PUBLIC,
        summary="Take what a provider sent the browser back with, and open a session",
        status=303,
        query=connections.ProviderAnswer,
        guessable=True,
    ),
    Route(
        method="POST",
        path="/v1/auth/oidc/{connection_id}/callback",
        service="auth",
        access=Access.PUBLIC,
        summary="Take the same by a form, as Apple sends it",
        status=303,
        form=connections.ProviderAnswer,
        guessable=True,
    ),
    Route(
        method="POST",
        path="/v1/auth/connections",
        service="auth",
        access=Access.ADMINISTRATOR,
        summary="Let people log in with a provider; takes a proof of the last ten minutes",
        status=201,
        request=connections.ConnectionCreate,
        answer=connections.Connection,
        parameters=(IDEMPOTENCY_KEY,),
    ),
    Route(
        method="GET",
        path="/v1/auth/connections",
        service="auth",
        access=Access.ADMINISTRATOR,
        summary="List the connections to providers without their secrets",
        answer=Page[connections.Connection],
        parameters=PAGING,
    ),
    Route(
        method="PATCH",
        path="/v1/auth/connections/{connection_id}",
        service="auth",
        access=Access.ADMINISTRATOR,
        summary="Change a connection; fields left out stay as they are",
        request=connections.ConnectionUpdate,
        answer=connections.Connection,
    ),
    Route(
        method="DELETE",
        path="/v1/auth/connections/{connection_id}",
        service="auth",
        access=Access.ADMINISTRATOR,
        summary="Remove a connection; accounts stay, and lose this way in",
        status=204,
    ),
    Route(
        method="GET",
        path="/v1/auth/me/identities",
        service="auth",
        access=Access.USER,
        summary="List who you are at other providers",
        answer=Page[auth.LinkedIdentity],
        parameters=PAGING,
    ),
    Route(
        method="POST",
        path="/v1/auth/me/identities",
        service="auth",
        access=Access.USER,
        summary="Begin to link an identity; the browser goes where the answer says",
        request=connections.IdentityLink,
        answer=provider.Destination,
    ),
    Route(
        method="DELETE",
        path="/v1/auth/me/identities/{identity_id}",
        service="auth",
        access=Access.USER,
        summary="Unlink an identity, but never the last way in",
        status=204,
    ),
)
