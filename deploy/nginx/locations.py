"""nginx's locations: one per public path, made from the gateway's route table."""

import re
from collections.abc import Sequence
from typing import Final
from urllib.parse import urlsplit

from deploy.nginx.cross_origin import cross_origin_headers
from deploy.nginx.syntax import block, quote
from services.gateway.decision_path import DECISION_PATH
from services.gateway.route import DEFAULT_BODY_LIMIT, Route, segments

# Headers that say something only when our own parts set them. What a client sends under these
# names never reaches a service.
_CLEARED_FOR_SERVICES: Final = (
    "X-Api-Key",
    "X-User-Id",
    "X-Role",
    "X-Roles",
    "X-Original-Method",
    "X-Original-URI",
    "X-Freehold-Authorization",
    "X-Freehold-Problem",
    "X-Freehold-Scope",
    "X-Freehold-Object",
    "X-Forwarded-Host",
    "X-Forwarded-Port",
    "X-Forwarded-Prefix",
    "X-HTTP-Method-Override",
    "Forwarded",
    "Proxy",
)

# The server says these for every answer itself; the rest are messages between our own parts.
HIDDEN_FROM_CLIENTS: Final = (
    "X-Request-Id",
    "X-Content-Type-Options",
    "Referrer-Policy",
    "X-Frame-Options",
    "X-Freehold-Authorization",
    "X-Freehold-Problem",
    "X-Freehold-Scope",
    "X-Freehold-Object",
    "X-Freehold-Cache-Control",
    "X-Freehold-Content-Disposition",
)


def response_headers() -> list[str]:
    """Return the headers of every answer, errors included."""
    always = (
        ("X-Request-Id", "$request_id"),
        ("X-Content-Type-Options", "nosniff"),
        ("Referrer-Policy", "no-referrer"),
        ("X-Frame-Options", "DENY"),
        ("Content-Security-Policy", "$missing_content_security_policy"),
        ("WWW-Authenticate", "$problem_challenge"),
        ("Retry-After", "$problem_retry_after"),
        ("Allow", "$problem_allow"),
        ("Cache-Control", "$problem_cache_control"),
        ("Content-Range", "$problem_content_range"),
        *cross_origin_headers(),
    )
    return [
        *(f"add_header {name} {quote(value)} always;" for name, value in always),
        *(f"proxy_hide_header {name};" for name in HIDDEN_FROM_CLIENTS),
    ]


def request_headers(public_url: str, *, upgrade: bool = False) -> list[str]:
    """Return what services are told about a request.

    Services verify the token themselves, so it is passed on: the client's own, or the one that
    the gateway got for an API key.
    """
    public = urlsplit(public_url)
    headers = (
        # A client's Host is a claim; the public address is a setting.
        ("Host", public.netloc),
        ("Connection", "$connection_upgrade" if upgrade else ""),
        ("Upgrade", "$http_upgrade" if upgrade else ""),
        ("Authorization", "$service_authorization"),
        ("X-Request-Id", "$request_id"),
        ("traceparent", "$service_traceparent"),
        ("X-Real-IP", "$remote_addr"),
        ("X-Forwarded-For", "$remote_addr"),
        ("X-Forwarded-Proto", public.scheme),
        *((name, "") for name in _CLEARED_FOR_SERVICES),
    )
    return [f"proxy_set_header {name} {quote(value)};" for name, value in headers]


def decision_location() -> list[str]:
    """Return the location by which nginx asks the gateway before it reads a body."""
    return block(
        f"location = {DECISION_PATH}",
        [
            "internal;",
            "auth_request off;",
            f"proxy_pass http://gateway{DECISION_PATH};",
            # The body is not the gateway's business, nor its length: a limit that the client's
            # location allows must not fail this question.
            "client_max_body_size 0;",
            "proxy_pass_request_body off;",
            "proxy_pass_request_headers off;",
            'proxy_set_header Content-Length "";',
            'proxy_set_header Connection "";',
            "proxy_set_header Host gateway;",
            "proxy_set_header Authorization $http_authorization;",
            "proxy_set_header X-Api-Key $http_x_api_key;",
            "proxy_set_header X-Original-Method $request_method;",
            "proxy_set_header X-Original-URI $request_uri;",
            "proxy_set_header X-Request-Id $request_id;",
            "proxy_set_header X-Real-IP $remote_addr;",
            "proxy_connect_timeout 2s;",
            "proxy_read_timeout 5s;",
            # An answer that names a redirect would otherwise fail the question.
            "proxy_ignore_headers X-Accel-Redirect;",
        ],
    )


def _matcher(path: str) -> str:
    parts = segments(path)
    if None not in parts:
        return f"= {path}"
    pattern = "/".join("[^/]+" if part is None else re.escape(part) for part in parts)
    return f"~ {quote(f'^/{pattern}$')}"


def _path_location(
    path: str, routes: Sequence[Route], *, public_url: str, limits: bool
) -> list[str]:
    service = routes[0].service
    limit = max(route.body_limit for route in routes)
    lines = [f"proxy_pass http://{service};"]
    if limit != DEFAULT_BODY_LIMIT:
        lines.append(f"client_max_body_size {limit};")
    if any(route.streaming for route in routes):
        lines += ["proxy_request_buffering off;", "proxy_send_timeout 60s;"]
    if limits and any(route.guessable for route in routes):
        # Own limits replace the inherited ones, so those are said again.
        lines += [*request_limits(), "limit_req zone=guesses burst=40 nodelay;"]
    if any(route.websocket for route in routes):
        lines += [
            *request_headers(public_url, upgrade=True),
            # The service pings; silence for this long is a lost connection.
            "proxy_read_timeout 1h;",
            "proxy_send_timeout 1h;",
        ]
    return block(f"location {_matcher(path)}", lines)


def path_locations(routes: Sequence[Route], *, public_url: str, limits: bool) -> list[str]:
    """Return one location per path of the route table, and the gateway for every other path."""
    by_path: dict[str, list[Route]] = {}
    for route in routes:
        by_path.setdefault(route.path, []).append(route)
    lines: list[str] = []
    for path, of_path in by_path.items():
        lines += _path_location(path, of_path, public_url=public_url, limits=limits)
    # The gateway refuses what its table does not hold: it says why better than nginx could.
    return [*lines, *block("location /", ["proxy_pass http://gateway;"])]


def request_limit_zones() -> list[str]:
    """Return the shared memory in which requests are counted, exact over all workers."""
    return [
        "limit_req_zone $binary_remote_addr zone=addresses:10m rate=200r/s;",
        "limit_req_zone $credential_fingerprint zone=credentials:10m rate=100r/s;",
        "limit_req_zone $binary_remote_addr zone=guesses:10m rate=10r/s;",
        "limit_req_status 429;",
    ]


def request_limits() -> list[str]:
    """Return the limits that hold for every location."""
    return [
        "limit_req zone=addresses burst=400 nodelay;",
        "limit_req zone=credentials burst=200 nodelay;",
    ]
