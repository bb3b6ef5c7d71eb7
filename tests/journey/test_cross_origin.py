"""Web pages of the origins that the operator allows may call the API; others may not."""

import pytest

from tests.journey.client import Client
from tests.journey.conftest import CLIENT_ORIGIN
from tests.journey.stack import RunningStack

PREFLIGHT = {
    "Access-Control-Request-Method": "POST",
    "Access-Control-Request-Headers": "authorization",
}


@pytest.mark.parametrize(
    ("origin", "allowed"), [(CLIENT_ORIGIN, True), ("https://app.example.com.evil.test", False)]
)
async def test_preflight_and_answer(stack: RunningStack, origin: str, *, allowed: bool) -> None:
    async with Client(stack) as client:
        preflight = await client.call(
            "OPTIONS", "/v1/files", headers={"Origin": origin, **PREFLIGHT}
        )
        answer = await client.call("GET", "/v1/files", headers={"Origin": origin})
    expected = origin if allowed else None
    assert preflight.status_code == (204 if allowed else 405)
    assert answer.status_code == 401
    for response in (preflight, answer):
        assert response.headers.get("access-control-allow-origin") == expected
        assert response.headers.get("access-control-allow-credentials") == (
            "true" if allowed else None
        )
        assert "Origin" in response.headers["vary"]
    assert ("POST" in preflight.headers.get("access-control-allow-methods", "")) == allowed
    assert "access-control-allow-methods" not in answer.headers


async def test_log_in_from_a_foreign_page_is_refused(stack: RunningStack) -> None:
    async with Client(stack) as client:
        answer = await client.call(
            "POST",
            "/v1/auth/login",
            json={"email": client.email, "password": "some long password"},
            headers={"Origin": "https://evil.test"},
        )
    assert (answer.status_code, answer.json()["code"]) == (403, "origin_not_allowed")


async def test_a_page_of_any_origin_may_sign_its_users_in(stack: RunningStack) -> None:
    async with Client(stack) as client:
        document = await client.call(
            "GET", "/.well-known/openid-configuration", headers={"Origin": "https://evil.test"}
        )
        token = await client.call("POST", "/oauth2/token", headers={"Origin": "https://evil.test"})
    assert (document.status_code, token.status_code) == (200, 400)
    assert token.json()["error"] == "invalid_request"
    for answer in (document, token):
        assert answer.headers["access-control-allow-origin"] == "*"
        assert "access-control-allow-credentials" not in answer.headers
