"""Applications in browsers sign users in from any page; the rest is for the operator's pages."""

import httpx2
import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from tests.deploy.nginx.edge import CLIENT_ORIGIN, Edge

STRANGER = "https://spa.example.net"
OPEN = [
    ("GET", "/.well-known/openid-configuration"),
    ("GET", "/.well-known/oauth-authorization-server"),
    ("GET", "/.well-known/jwks.json"),
    ("POST", "/oauth2/token"),
    ("GET", "/oauth2/userinfo"),
    ("POST", "/oauth2/userinfo"),
    ("POST", "/oauth2/revoke"),
]


def allowed(answer: httpx2.Response) -> tuple[str | None, str | None]:
    headers = answer.headers
    return (
        headers.get("access-control-allow-origin"),
        headers.get("access-control-allow-credentials"),
    )


@pytest.mark.parametrize("origin", [STRANGER, CLIENT_ORIGIN, "null"])
@pytest.mark.parametrize(("method", "path"), OPEN)
async def test_any_page_may_sign_its_users_in_but_without_cookies(
    edge: Edge, client: httpx2.AsyncClient, method: str, path: str, origin: str
) -> None:
    preflight = await client.request(
        "OPTIONS",
        path,
        headers={
            "Origin": origin,
            "Access-Control-Request-Method": method,
            "Access-Control-Request-Headers": "authorization",
        },
    )
    assert preflight.status_code == 204
    assert allowed(preflight) == ("*", None)
    assert method in preflight.headers["access-control-allow-methods"].split(", ")
    assert "Authorization" in preflight.headers["access-control-allow-headers"].split(", ")
    assert edge.services["auth"].received == []
    answer = await client.request(method, f"{path}?x=1", headers={"Origin": origin})
    assert (answer.status_code, allowed(answer)) == (200, ("*", None))
    assert "access-control-allow-methods" not in answer.headers


async def test_an_error_is_read_as_well(edge: Edge, client: httpx2.AsyncClient) -> None:
    async def refuse(_: Request) -> Response:
        return JSONResponse({"error": "invalid_grant"}, 400)

    edge.services["auth"].answer = refuse
    answer = await client.post("/oauth2/token", headers={"Origin": STRANGER})
    assert (answer.json(), allowed(answer)) == ({"error": "invalid_grant"}, ("*", None))
    await edge.kill("auth")
    try:
        answer = await client.post("/oauth2/token", headers={"Origin": STRANGER})
        assert (answer.status_code, allowed(answer)) == (503, ("*", None))
    finally:
        await edge.serve("auth", edge.services["auth"])


@pytest.mark.parametrize(
    "path",
    [
        *("/oauth2/authorize", "/oauth2/consent", "/oauth2/interaction", "/oauth2/logout"),
        *("/oauth2/introspect", "/oauth2/token/x", "/oauth2/tokens", "/v1/auth/refresh"),
        *("/v1/files?/oauth2/token", "/v1//oauth2/token"),
    ],
)
async def test_everything_else_answers_the_operators_pages_only(
    client: httpx2.AsyncClient, path: str
) -> None:
    for method in ("OPTIONS", "GET", "POST"):
        stranger = await client.request(method, path, headers={"Origin": STRANGER})
        assert allowed(stranger) == (None, None)
        assert "Origin" in stranger.headers["vary"]
        own = await client.request(method, path, headers={"Origin": CLIENT_ORIGIN})
        assert allowed(own) == (CLIENT_ORIGIN, "true")
