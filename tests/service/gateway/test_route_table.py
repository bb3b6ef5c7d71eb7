"""The one table: sound in itself, and equal to what the services really serve."""

import importlib
import inspect
import pkgutil
import re
from collections import Counter

import pytest
from starlette.routing import BaseRoute, WebSocketRoute
from starlette.routing import Route as StarletteRoute

from services.gateway.route import Access
from services.gateway.route_table import ROUTES, SERVICES
from shared.schemas.scopes import SCOPES


def served(service: str) -> set[tuple[str, str]]:
    """Return method and path of every route in a service's `routes` package but internal ones."""
    package = importlib.import_module(f"services.{service}.routes")
    found: set[tuple[str, str]] = set()
    for module in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
        for _, resource in inspect.getmembers(
            importlib.import_module(module.name), inspect.isclass
        ):
            if resource.__module__ == module.name and hasattr(resource, "routes"):
                # Routes name handlers and nothing else, so no part of the service has to run.
                for route in resource.__new__(resource).routes():
                    found |= methods_and_path(route)
    return {(method, path) for method, path in found if not path.startswith("/internal/")}


def methods_and_path(route: BaseRoute) -> set[tuple[str, str]]:
    assert isinstance(route, (StarletteRoute, WebSocketRoute))
    path = re.sub(r"\{(\w+)(:\w+)?\}", r"{\1}", route.path)
    if isinstance(route, WebSocketRoute):
        return {("GET", path)}
    return {(method, path) for method in route.methods or () if method != "HEAD"}


@pytest.mark.parametrize("service", SERVICES)
def test_table_holds_exactly_what_a_service_serves(service: str) -> None:
    assert served(service) == {
        (route.method, route.path) for route in ROUTES if route.service == service
    }


def test_each_route_stands_once_and_each_path_has_one_service() -> None:
    assert Counter((route.method, route.path) for route in ROUTES).most_common(1)[0][1] == 1
    services: dict[str, set[str]] = {}
    for route in ROUTES:
        services.setdefault(route.path, set()).add(route.service)
    assert {path for path, names in services.items() if len(names) != 1} == set()


def test_every_scope_that_a_route_asks_for_is_one_that_keys_can_have() -> None:
    asked = {route.scope for route in ROUTES if route.scope is not None}
    assert asked == {"files:read", "files:write", "realtime"}
    assert asked <= set(SCOPES)


PAGES = (
    "email",
    "invitation",
    *("verify", "reset", "magic-link"),
    *("oauth2/sign-in", "oauth2/sign-out", "oauth2/logged-out"),
)


def test_what_everybody_may_call_is_this_and_nothing_else() -> None:
    public = {f"{route.method} {route.path}" for route in ROUTES if route.access is Access.PUBLIC}
    pages = {f"GET /{name}{file}" for name in PAGES for file in ("", "/page.js")}
    pages = pages - {"GET /oauth2/logged-out/page.js"} | {"GET /page.css", "GET /link.js"}
    assert public == pages | {
        "POST /v1/auth/signup",
        "POST /v1/auth/verify",
        "POST /v1/auth/login",
        "POST /v1/auth/refresh",
        "POST /v1/auth/logout",
        "GET /.well-known/jwks.json",
        "POST /v1/auth/password/forgot",
        "POST /v1/auth/email/confirm",
        "POST /v1/auth/password/reset",
        "GET /.well-known/openid-configuration",
        "GET /.well-known/oauth-authorization-server",
        "GET /oauth2/authorize",
        "POST /oauth2/authorize",
        "GET /oauth2/interaction",
        "POST /oauth2/consent",
        "POST /oauth2/token",
        "GET /oauth2/userinfo",
        "POST /oauth2/userinfo",
        "POST /oauth2/revoke",
        "POST /oauth2/introspect",
        "GET /oauth2/logout",
        "POST /oauth2/logout",
        "POST /v1/auth/mfa/totp/verify",
        "POST /v1/auth/mfa/recovery/verify",
        "POST /v1/auth/mfa/passkey/options",
        "POST /v1/auth/mfa/passkey/verify",
        "POST /v1/auth/passkeys/options",
        "POST /v1/auth/passkeys/session",
        "GET /v1/auth/oidc",
        "GET /v1/auth/oidc/{connection_id}/start",
        "GET /v1/auth/oidc/{connection_id}/callback",
        "POST /v1/auth/oidc/{connection_id}/callback",
        "POST /v1/auth/magic-link",
        "POST /v1/auth/magic-link/verify",
        "GET /v1/realtime",
        "GET /healthz",
        "GET /readyz",
        "GET /openapi.json",
        "GET /docs",
    }
