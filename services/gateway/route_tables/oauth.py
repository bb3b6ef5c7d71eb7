"""Freehold as an OpenID provider."""

from typing import Final

from services.gateway.route import IDEMPOTENCY_KEY, JSON_OBJECT, PAGING, TEXT, Access, Json, Route
from shared.schemas.api import oauth, provider
from shared.schemas.api.pages import Page

_CLIENT: Final[tuple[Json, ...]] = ({"application": []}, {})
"""By HTTP Basic, or in the form, where a public client names itself too."""


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
    _public(
        "GET",
        "/.well-known/oauth-authorization-server",
        "Read the same where libraries of OAuth 2.0 look for it (RFC 8414)",
        answer_contents=JSON_OBJECT,
    ),
    _public(
        "GET",
        "/oauth2/authorize",
        "Ask a user to sign in to an application",
        status=303,
        query=oauth.AuthorizationParameters,
        error_contents={"text/html": TEXT},
    ),
    _public(
        "POST",
        "/oauth2/authorize",
        "Ask a user to sign in, by a form",
        status=303,
        form=oauth.AuthorizationParameters,
        error_contents={"text/html": TEXT},
    ),
    # Of our sign-in page, which reads and answers with them the request that it was sent with.
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
        "Exchange a code or a refresh token",
        form=oauth.TokenForm,
        answer=oauth.TokenAnswer,
        error=oauth.OAuthErrorAnswer,
        security=_CLIENT,
        guessable=True,
    ),
    _public(
        "GET",
        "/oauth2/userinfo",
        "Read who signed in, with the application's access token",
        answer=oauth.Userinfo,
        error=oauth.OAuthErrorAnswer,
        security=({"application_token": []},),
    ),
    _public(
        "POST",
        "/oauth2/userinfo",
        "Read who signed in; a form may carry the access token",
        form=oauth.UserinfoForm,
        answer=oauth.Userinfo,
        error=oauth.OAuthErrorAnswer,
        security=({"application_token": []}, {}),
    ),
    _public(
        "POST",
        "/oauth2/revoke",
        "End what a token stands for; a token that is none is no error",
        form=oauth.TokenReferenceForm,
        error=oauth.OAuthErrorAnswer,
        security=_CLIENT,
        guessable=True,
    ),
    _public(
        "POST",
        "/oauth2/introspect",
        "Ask whether a token is good; not for public clients",
        form=oauth.TokenReferenceForm,
        answer=oauth.Introspection,
        error=oauth.OAuthErrorAnswer,
        security=_CLIENT,
        guessable=True,
    ),
    _public(
        "GET",
        "/oauth2/logout",
        "Sign out on behalf of an application",
        status=303,
        query=oauth.SignOutParameters,
    ),
    # JSON is how our sign-out page says that somebody said yes; applications send the form.
    _public(
        "POST",
        "/oauth2/logout",
        "Sign out on behalf of an application, by a form",
        status=303,
        form=oauth.SignOutParameters,
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
        parameters=(IDEMPOTENCY_KEY,),
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
