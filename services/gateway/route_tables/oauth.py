"""Freehold as an OpenID provider."""

from typing import Final

from services.gateway.route import JSON_OBJECT, PAGING, Access, Route
from shared.schemas.api import provider
from shared.schemas.api.pages import Page

_FORM: Final = {"application/x-www-form-urlencoded": {"type": "object"}}


def _public(method: str, path: str, summary: str, **more: object) -> Route:
    return Route(
        method=method,
        path=path,
        service="auth",
        access=Access.PUBLIC,
        summary=summary,
        **more,  # type: ignore[arg-type] # the fields of a route, each of its own type
    )


OAUTH_ROUTES: Final = (
    _public(
        "GET",
        "/.well-known/openid-configuration",
        "Read what this OpenID provider can do",
        answer_contents=JSON_OBJECT,
    ),
    _public("GET", "/oauth2/authorize", "Ask a user to sign in to an application", status=303),
    _public(
        "POST",
        "/oauth2/authorize",
        "Ask a user to sign in, by a form",
        status=303,
        request_contents=_FORM,
    ),
    _public(
        "GET",
        "/oauth2/interaction",
        "Read what the sign-in page has to ask",
        answer=provider.Interaction,
        documented=False,
    ),
    _public(
        "POST",
        "/oauth2/consent",
        "Say yes or no to an application",
        request=provider.ConsentDecision,
        answer=provider.Destination,
        documented=False,
    ),
    _public(
        "POST",
        "/oauth2/token",
        "Exchange a code or a refresh token; errors have the shape of RFC 6749",
        request_contents=_FORM,
        answer_contents=JSON_OBJECT,
        guessable=True,
    ),
    *(
        _public(
            method,
            "/oauth2/userinfo",
            "Read who signed in, with the application's access token",
            answer_contents=JSON_OBJECT,
        )
        for method in ("GET", "POST")
    ),
    _public(
        "POST",
        "/oauth2/revoke",
        "End what a token stands for",
        request_contents=_FORM,
        guessable=True,
    ),
    _public(
        "POST",
        "/oauth2/introspect",
        "Ask whether a token is good",
        request_contents=_FORM,
        answer_contents=JSON_OBJECT,
        guessable=True,
    ),
    _public("GET", "/oauth2/logout", "Sign out on behalf of an application", status=303),
    _public(
        "POST",
        "/oauth2/logout",
        "Sign out of the browser's session",
        answer=provider.Destination,
        documented=False,
    ),
    Route(
        method="POST",
        path="/v1/auth/oauth-clients",
        service="auth",
        access=Access.ADMINISTRATOR,
        summary="Register an application; its secret is shown this once",
        status=201,
        request=provider.OAuthClientCreate,
        answer=provider.CreatedOAuthClient,
    ),
    Route(
        method="GET",
        path="/v1/auth/oauth-clients",
        service="auth",
        access=Access.ADMINISTRATOR,
        summary="List the registered applications",
        answer=Page[provider.OAuthClient],
        parameters=PAGING,
    ),
    Route(
        method="PATCH",
        path="/v1/auth/oauth-clients/{client_id}",
        service="auth",
        access=Access.ADMINISTRATOR,
        summary="Change an application; fields left out stay as they are",
        request=provider.OAuthClientUpdate,
        answer=provider.OAuthClient,
    ),
    Route(
        method="POST",
        path="/v1/auth/oauth-clients/{client_id}/secret",
        service="auth",
        access=Access.ADMINISTRATOR,
        summary="Give an application another secret, shown this once; the old one is worth nothing",
        answer=provider.CreatedOAuthClient,
    ),
    Route(
        method="DELETE",
        path="/v1/auth/oauth-clients/{client_id}",
        service="auth",
        access=Access.ADMINISTRATOR,
        summary="Remove an application; everybody is signed out of it",
        status=204,
    ),
    Route(
        method="GET",
        path="/v1/auth/consents",
        service="auth",
        access=Access.USER,
        summary="List what you allowed which application",
        answer=provider.ConsentList,
    ),
    Route(
        method="DELETE",
        path="/v1/auth/consents/{client_id}",
        service="auth",
        access=Access.USER,
        summary="Take back what you allowed an application",
        status=204,
    ),
)
