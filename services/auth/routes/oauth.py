"""Freehold as an OpenID provider: `/oauth2/…` and its discovery document."""

import html
from collections.abc import Awaitable
from dataclasses import replace
from typing import Final
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from services.auth.devices import device_of
from services.auth.origins import OriginPolicy
from services.auth.provider import clients
from services.auth.provider.authorization import (
    Authorization,
    AuthorizationRequest,
    RedirectError,
    UnsafeRequestError,
)
from services.auth.provider.errors import MissingTokenError, OAuthError
from services.auth.provider.forms import read_form
from services.auth.provider.reauthentication import Reauthentication
from services.auth.provider.store import BrowserSession, Client
from services.auth.provider.tokens import TOKEN_SECONDS, ProviderTokens, Tokens
from services.auth.refresh_cookie import RefreshCookie
from services.auth.routes.answers import NO_STORE
from services.auth.routes.pages import SECURITY_HEADERS
from services.auth.signing_keys import Algorithm
from shared.chassis.database import Database
from shared.chassis.errors import Problem
from shared.chassis.http import json_response, read_json
from shared.schemas.api.provider import SCOPES, ConsentDecision, Destination, Interaction
from shared.schemas.problems import ProblemCode

AUTHORIZE: Final = "/oauth2/authorize"
SIGN_IN_PAGE: Final = "/oauth2/sign-in"
_UNAUTHORIZED: Final = 401
_ERROR_PAGE: Final = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Sign-in not possible</title>
<link rel="stylesheet" href="/page.css"></head>
<body><main><h1>Sign-in not possible</h1><p>{text}</p>
<p>Go back and try again, or tell whoever runs the application.</p></main></body></html>
"""


class OAuthRoutes:
    """Authorization code with PKCE, and what belongs to it."""

    def __init__(
        self,
        database: Database,
        authorization: Authorization,
        tokens: ProviderTokens,
        reauthentication: Reauthentication,
        *,
        cookie: RefreshCookie,
        origins: OriginPolicy,
        issuer: str,
    ) -> None:
        self._database = database
        self._authorization = authorization
        self._tokens = tokens
        self._reauthentication = reauthentication
        self._cookie = cookie
        self._origins = origins
        self._issuer = issuer

    def routes(self) -> list[Route]:
        """Return the routes of this resource."""
        return [
            Route("/.well-known/openid-configuration", self.discover, methods=["GET"]),
            Route("/.well-known/oauth-authorization-server", self.discover, methods=["GET"]),
            Route(AUTHORIZE, self.authorize, methods=["GET", "POST"]),
            Route("/oauth2/interaction", self.interact, methods=["GET"]),
            Route("/oauth2/consent", self.decide, methods=["POST"]),
            Route("/oauth2/token", self.token, methods=["POST"]),
            Route("/oauth2/userinfo", self.userinfo, methods=["GET", "POST"]),
            Route("/oauth2/revoke", self.revoke, methods=["POST"]),
            Route("/oauth2/introspect", self.introspect, methods=["POST"]),
        ]

    async def discover(self, _: Request) -> Response:
        """Answer with what this provider can do (OpenID Connect Discovery, RFC 8414)."""
        here = f"{self._issuer}/oauth2"
        methods = ["client_secret_basic", "client_secret_post"]
        document = {
            "issuer": self._issuer,
            "authorization_endpoint": f"{here}/authorize",
            "token_endpoint": f"{here}/token",
            "userinfo_endpoint": f"{here}/userinfo",
            "revocation_endpoint": f"{here}/revoke",
            "introspection_endpoint": f"{here}/introspect",
            "end_session_endpoint": f"{here}/logout",
            "jwks_uri": f"{self._issuer}/.well-known/jwks.json",
            "scopes_supported": list(SCOPES),
            "response_types_supported": ["code"],
            "response_modes_supported": ["query"],
            "grant_types_supported": ["authorization_code", "refresh_token"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": [algorithm.value for algorithm in Algorithm],
            "backchannel_logout_supported": True,
            "backchannel_logout_session_supported": True,
            "token_endpoint_auth_methods_supported": [*methods, "none"],
            "revocation_endpoint_auth_methods_supported": [*methods, "none"],
            "introspection_endpoint_auth_methods_supported": methods,
            "code_challenge_methods_supported": ["S256"],
            "prompt_values_supported": ["none", "login", "select_account", "consent"],
            "claims_supported": [
                *("sub", "iss", "aud", "exp", "iat", "auth_time", "nonce", "amr", "azp", "sid"),
                *("name", "preferred_username", "email", "email_verified", "updated_at", "roles"),
            ],
            "authorization_response_iss_parameter_supported": True,
            "claims_parameter_supported": False,
            "request_parameter_supported": False,
            "request_uri_parameter_supported": False,
        }
        return JSONResponse(document, headers={"Cache-Control": "public, max-age=300"})

    async def authorize(self, request: Request) -> Response:
        """Send the browser on: back with a code or an error, or to the page that asks.

        What another site posts comes without the cookie (SameSite); the way that follows has it.
        """
        try:
            parameters = await _parameters(request)
            asked = await self._asked(parameters)
        except UnsafeRequestError as error:
            return _error_page(str(error))
        except RedirectError as error:
            return _see_other(error.location)
        session = await self._authorization.session(self._cookie.read(request))
        if session is None and request.method == "POST":
            return _see_other(f"{AUTHORIZE}?{urlencode(parameters)}")
        needs = await self._needs(request, asked, session)
        if not needs and session is not None:
            device = device_of(request)
            answer = _see_other(await self._authorization.grant(asked, session, device))
            self._reauthentication.finish(request, answer, asked)
            return answer
        if "none" in asked.prompts:
            code = "login_required" if needs == "login" else "consent_required"
            said = self._authorization.refuse(asked, code, "Somebody has to be asked.")
            return _see_other(said)
        answer = _see_other(f"{SIGN_IN_PAGE}?{urlencode(parameters)}")
        if needs == "login":
            await self._wait(request, answer, asked)
        return answer

    async def interact(self, request: Request) -> Response:
        """Answer with what the page has to ask for."""
        asked = await self._read(dict(request.query_params))
        session = await self._authorization.session(self._cookie.read(request))
        needs = await self._needs(request, asked, session)
        answer = Interaction(
            step="login" if needs == "login" else "consent",
            client_name=asked.client.name,
            email=None if session is None else session.email,
            scopes=[text for scope, text in SCOPES.items() if scope in asked.scopes],
        )
        response = json_response(answer, headers=NO_STORE)
        if needs == "login":
            await self._wait(request, response, asked)
        return response

    async def decide(self, request: Request) -> Response:
        """Take what somebody said to the request, and answer with where the browser goes."""
        self._origins.require_allowed(request)
        body = await read_json(request, ConsentDecision)
        asked = await self._read(body.parameters)
        session = await self._authorization.session(self._cookie.read(request))
        if session is None or await self._needs(request, asked, session) == "login":
            raise Problem(ProblemCode.AUTHENTICATION_REQUIRED)
        if body.allow:
            location = await self._authorization.grant(asked, session, device_of(request))
        else:
            location = self._authorization.refuse(asked, "access_denied", "The user said no.")
        response = json_response(Destination(location=location), headers=NO_STORE)
        self._reauthentication.finish(request, response, asked)
        return response

    async def _needs(
        self, request: Request, asked: AuthorizationRequest, session: BrowserSession | None
    ) -> str:
        since = self._reauthentication.waiting_since(request, asked)
        return await self._authorization.needs(asked, session, waiting_since=since)

    async def _wait(
        self, request: Request, response: Response, asked: AuthorizationRequest
    ) -> None:
        if asked.asks_for_log_in:
            since = await self._authorization.now()
            self._reauthentication.wait(request, response, asked, since)

    async def token(self, request: Request) -> Response:
        """Exchange a code or a refresh token."""
        return await _answered(self._exchange(request))

    async def userinfo(self, request: Request) -> Response:
        """Answer with what the access token's application may know of its user."""
        return await _answered(self._describe_user(request), challenge="Bearer")

    async def revoke(self, request: Request) -> Response:
        """End what a token stands for; a token that is none is no error (RFC 7009)."""
        return await _answered(self._revoke(request))

    async def introspect(self, request: Request) -> Response:
        """Say whether a token of the asking client is good (RFC 7662)."""
        return await _answered(self._introspect(request))

    async def _exchange(self, request: Request) -> Response:
        client, form = await self._client(request)
        grant_type, device = form.get("grant_type"), device_of(request)
        if grant_type is None:
            raise OAuthError("invalid_request", "The parameter grant_type is missing.")
        if grant_type == "authorization_code":
            return _token_answer(await self._tokens.redeem(client, form, device))
        if grant_type == "refresh_token":
            return _token_answer(await self._tokens.refresh(client, form, device))
        raise OAuthError("unsupported_grant_type", "Use a code or a refresh token.")

    async def _describe_user(self, request: Request) -> Response:
        token = await _bearer_token(request)
        return JSONResponse(await self._tokens.userinfo(token), headers=NO_STORE)

    async def _revoke(self, request: Request) -> Response:
        client, form = await self._client(request)
        await self._tokens.revoke(client, form, device_of(request))
        return Response(status_code=200, headers=NO_STORE)

    async def _introspect(self, request: Request) -> Response:
        client, form = await self._client(request)
        if client.secret_hash is None:
            raise OAuthError("invalid_client", "Public clients may not ask.", status=_UNAUTHORIZED)
        answer = await self._tokens.introspect(client, form)
        return JSONResponse(answer, headers=NO_STORE)

    async def _client(self, request: Request) -> tuple[Client, dict[str, str]]:
        form = await read_form(request)
        authorization = request.headers.get("authorization")
        return await clients.authenticate(self._database, authorization, form), form

    async def _asked(self, parameters: dict[str, str]) -> AuthorizationRequest:
        asked = await self._authorization.read(parameters)
        claims = await self._tokens.hinted(parameters.get("id_token_hint", ""))
        if claims is None or claims["azp"] != asked.client.id:
            return asked
        return replace(asked, subject=claims["sub"])

    async def _read(self, parameters: dict[str, str]) -> AuthorizationRequest:
        try:
            return await self._asked(parameters)
        except (UnsafeRequestError, RedirectError) as error:
            raise Problem(
                ProblemCode.VALIDATION_FAILED,
                "No application asks for this sign-in. Go back to the application and begin there.",
            ) from error


async def _parameters(request: Request) -> dict[str, str]:
    if request.method == "POST":
        try:
            return await read_form(request)
        except OAuthError as error:
            raise UnsafeRequestError(
                "The application sent a request that cannot be read."
            ) from error
    pairs = request.query_params.multi_items()
    if len(pairs) != len(dict(pairs)):
        raise UnsafeRequestError("The application sent a parameter twice.")
    return dict(pairs)


async def _bearer_token(request: Request) -> str:
    authorization = request.headers.get("authorization")
    if authorization is None and request.method == "POST":
        token = (await read_form(request)).get("access_token", "")
    else:
        scheme, _, token = (authorization or "").partition(" ")
        token = token.strip() if scheme.lower() == "bearer" else ""
    if not token:
        raise MissingTokenError
    return token


async def _answered(work: Awaitable[Response], *, challenge: str = "Basic") -> Response:
    try:
        return await work
    except OAuthError as error:
        return _error(error, challenge=challenge)


def _token_answer(tokens: Tokens) -> Response:
    answer = {
        "access_token": tokens.access_token,
        "token_type": "Bearer",
        "expires_in": TOKEN_SECONDS,
        "id_token": tokens.id_token,
        "refresh_token": tokens.refresh_token,
        "scope": " ".join(tokens.scopes),
    }
    return JSONResponse(answer, headers=NO_STORE | {"Pragma": "no-cache"})


def _error(error: OAuthError, *, challenge: str) -> Response:
    headers = dict(NO_STORE)
    if error.status == _UNAUTHORIZED:
        is_named = challenge == "Bearer" and not isinstance(error, MissingTokenError)
        told = f', error="{error.code}"' if is_named else ""
        headers["WWW-Authenticate"] = f'{challenge} realm="Freehold"{told}'
    answer = {"error": error.code, "error_description": error.description}
    return JSONResponse(answer, error.status, headers=headers)


def _error_page(text: str) -> Response:
    page = _ERROR_PAGE.format(text=html.escape(text))
    return Response(page, 400, headers=SECURITY_HEADERS, media_type="text/html")


def _see_other(location: str) -> Response:
    # 303 and not 307: what a form posted is not posted on.
    return RedirectResponse(location, 303, headers=NO_STORE | {"Referrer-Policy": "no-referrer"})
