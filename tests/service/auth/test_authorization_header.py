"""Auth fails closed: whatever stands in `Authorization`, the answer is a 401 and never a fault."""

import pytest

from tests.parts.authorization import MALFORMED, nested_token
from tests.service.auth.auth_service import AuthService, assert_problem, bearer

CODES = {"authentication_required", "token_invalid"}
CALLS = [
    ("GET", "/v1/auth/me"),
    ("GET", "/v1/auth/sessions"),
    ("POST", "/v1/auth/logout"),
    ("GET", "/v1/auth/users"),
    ("GET", "/internal/jwks"),
]


def _headers(values: list[bytes]) -> list[tuple[bytes, bytes]]:
    return [(b"Authorization", value) for value in values]


@pytest.mark.parametrize("values", MALFORMED.values(), ids=MALFORMED.keys())
async def test_s35_a_malformed_credential_is_a_401(auth: AuthService, values: list[bytes]) -> None:
    for method, path in CALLS:
        answer = await auth.client.request(method, path, headers=_headers(values))

        assert answer.status_code == 401, (path, answer.text)
        assert answer.json()["code"] in CODES
        assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("values", MALFORMED.values(), ids=MALFORMED.keys())
@pytest.mark.parametrize("path", ["/oauth2/userinfo", "/oauth2/token", "/oauth2/introspect"])
async def test_s35_applications_get_no_fault_either(
    auth: AuthService, path: str, values: list[bytes]
) -> None:
    headers = [*_headers(values), (b"Content-Type", b"application/x-www-form-urlencoded")]

    answer = await auth.client.post(path, content="grant_type=refresh_token", headers=headers)

    assert answer.status_code in {400, 401}, answer.text


async def test_s35_a_body_that_no_json_reader_takes_is_a_401(auth: AuthService) -> None:
    keys = await auth.client.get("/.well-known/jwks.json")
    [key, *_] = (key for key in keys.json()["keys"] if key["alg"] == "ES256")

    answer = await auth.client.get("/v1/auth/me", headers=_headers([nested_token(key["kid"])]))

    assert_problem(answer, 401, "token_invalid")


async def test_s35_two_headers_are_refused_although_one_would_do(auth: AuthService) -> None:
    good = bearer(await auth.register("ada@example.com"))["Authorization"].encode()

    for values in ([good, b"Basic YTpi"], [good, good], [b"", good]):
        answer = await auth.client.get("/v1/auth/me", headers=_headers(values))
        assert answer.status_code == 401
