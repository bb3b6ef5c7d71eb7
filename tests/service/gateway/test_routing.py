"""Which route an address has, and which addresses have none."""

import pytest

from services.gateway.route import Route
from services.gateway.route_table import ROUTES
from services.gateway.routing import Refusal, Router
from shared.schemas.problems import ProblemCode

ROUTER = Router(ROUTES)


@pytest.mark.parametrize(
    ("method", "target", "path"),
    [
        ("GET", "/v1/files", "/v1/files"),
        ("POST", "/v1/files", "/v1/files"),
        ("HEAD", "/v1/files?limit=1", "/v1/files"),
        ("GET", "/v1/files/0192", "/v1/files/{file_id}"),
        ("GET", "/v1/files/0192/content?x=/../..", "/v1/files/{file_id}/content"),
        ("GET", "/v1/files/%C3%A4/variants/thumb", "/v1/files/{file_id}/variants/{variant}"),
        ("DELETE", "/v1/auth/sessions/0192", "/v1/auth/sessions/{session_id}"),
        ("GET", "/.well-known/jwks.json", "/.well-known/jwks.json"),
        ("GET", "/v1/files/.hidden", "/v1/files/{file_id}"),
        ("GET", "/v1/files/...", "/v1/files/{file_id}"),
    ],
)
def test_address_has_a_route(method: str, target: str, path: str) -> None:
    route = ROUTER.find(method, target)
    assert isinstance(route, Route)
    assert route.path == path


@pytest.mark.parametrize(
    "target",
    [
        "",
        "*",
        "v1/files",
        "http://other.example/v1/files",
        "//v1/files",
        "/v1//files",
        "/v1/files//content",
        "/v1/files/",
        "/v1/files/./content",
        "/v1/files/..",
        "/v1/files/../auth/me",
        "/v1/files/%2e%2e/auth/me",
        "/v1/files/.%2E/auth/me",
        "/v1/files/a%2Fb",
        "/v1/files/a%2fb",
        "/v1/files/a%5cb",
        "/v1/files/a\\b",
        "/v1/files/a%00",
        "/v1/files/a\x00",
        "/v1/files/a%0d%0aX:y",
        "/v1/files/a%7f",
        "/v1/files/a%25",
        "/v1/files/a%zz",
        "/v1/files/a%",
        "/v1/files/a b",
        "/v1/files/a\n",
        "/v1/files/ä",
        "/v1/files/a#b",
        "/v1/f%69les",
        "/V1/files",
        "/v1/auth/me/",
        "/internal/jwks",
        "/_decide",
        "/",
    ],
)
def test_address_leads_nowhere(target: str) -> None:
    refusal = ROUTER.find("GET", target)
    assert isinstance(refusal, Refusal), target
    assert refusal.code in {ProblemCode.BAD_REQUEST, ProblemCode.NOT_FOUND}


@pytest.mark.parametrize(
    ("method", "target", "allow"),
    [
        ("PUT", "/v1/files", "GET, HEAD, POST"),
        ("POST", "/v1/files/0192/content", "GET, HEAD"),
        ("get", "/v1/files", "GET, HEAD, POST"),
        ("HEAD", "/v1/realtime", "GET"),
        ("OPTIONS", "/v1/auth/login", "POST"),
    ],
)
def test_wrong_method_is_told_the_right_ones(method: str, target: str, allow: str) -> None:
    assert ROUTER.find(method, target) == Refusal(ProblemCode.METHOD_NOT_ALLOWED, allow)
