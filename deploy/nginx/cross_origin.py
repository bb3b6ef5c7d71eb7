"""Which web pages of other origins may call the API (CORS), decided by nginx alone.

Only the operator's `FREEHOLD_CLIENT_ORIGINS` are answered; every other page is left to the
browser, which then refuses. What an application in a browser needs to sign its users in is open to
all pages: nothing there reads a cookie, and no cookie is let through. Preflight questions never
reach a service.
"""

import re
from collections.abc import Iterable
from typing import Final

from deploy.nginx.syntax import block, mapping

OPEN_PATHS: Final = (
    "/.well-known/openid-configuration",
    "/.well-known/oauth-authorization-server",
    "/.well-known/jwks.json",
    "/oauth2/token",
    "/oauth2/userinfo",
    "/oauth2/revoke",
)
_METHODS: Final = "GET, HEAD, POST, PUT, PATCH, DELETE"
_REQUEST_HEADERS: Final = (
    "Authorization, Content-Type, Idempotency-Key, If-Match, If-None-Match, Range, X-Api-Key,"
    " X-File-Name, traceparent"
)
_ANSWER_HEADERS: Final = (
    "Accept-Ranges, Content-Disposition, Content-Range, ETag, Location, Retry-After, X-Request-Id"
)
_PREFLIGHT_SECONDS: Final = 7200


def cross_origin_maps(origins: Iterable[str]) -> list[str]:
    """Return the variables; a header whose variable is empty is not sent."""
    open_paths = "|".join(map(re.escape, OPEN_PATHS))
    # The quotes keep an origin from being read as a pattern: none starts with a tilde.
    allowed = [(origin, origin) for origin in origins]
    answers = (
        ("$cross_origin_credentials", "$cross_origin", "~^[^*]", "true"),
        ("$cross_origin_exposed", "$cross_origin", "~.", _ANSWER_HEADERS),
        ("$preflight", '"$request_method $cross_origin"', "~^OPTIONS .", "1"),
        ("$preflight_methods", "$preflight", "1", _METHODS),
        ("$preflight_headers", "$preflight", "1", _REQUEST_HEADERS),
        ("$preflight_seconds", "$preflight", "1", str(_PREFLIGHT_SECONDS)),
    )
    lines = mapping("$http_origin", "$listed_origin", [*allowed, ("default", "")])
    # By the address as it was asked for, which no error page rewrites.
    lines += mapping(
        "$request_uri",
        "$cross_origin",
        [(rf"~^({open_paths})(\?|$)", "*"), ("default", "$listed_origin")],
    )
    for target, source, case, value in answers:
        lines += mapping(source, target, [(case, value), ("default", "")])
    return lines


def cross_origin_headers() -> list[tuple[str, str]]:
    """Return the headers of every answer; they are empty for pages that are not allowed."""
    return [
        ("Access-Control-Allow-Origin", "$cross_origin"),
        ("Access-Control-Allow-Credentials", "$cross_origin_credentials"),
        ("Access-Control-Expose-Headers", "$cross_origin_exposed"),
        ("Access-Control-Allow-Methods", "$preflight_methods"),
        ("Access-Control-Allow-Headers", "$preflight_headers"),
        ("Access-Control-Max-Age", "$preflight_seconds"),
        # The answer depends on who asks, so a cache must not give it to another page.
        ("Vary", "Origin"),
    ]


def preflight_answer() -> list[str]:
    """Return what answers the preflight question of an allowed page."""
    return block("if ($preflight)", ["return 204;"])
