"""What applications and strangers send that cannot be right is refused, and breaks nothing."""

import base64
import json
from typing import Any

import jwt
import pytest

from tests.service.auth.auth_service import assert_problem
from tests.service.auth.oauth_application import AFTER, CALLBACK, VERIFIER, Application, answered


def encoded(part: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()


def token_with(header: Any) -> str:
    return f"{encoded(header)}.e30.c2ln"


# Tokens whose header is not what a header is


HEADERS: list[Any] = [
    ["alg"],
    "alg",
    {"alg": ["ES256"], "kid": "published"},
    {"alg": "ES256", "kid": ["published"]},
    {"alg": "ES256", "kid": "published", "crit": [[1]]},
    {"alg": "ES256", "kid": "published", "crit": 1},
    {"alg": "ES256", "kid": "published", "crit": ["b64"], "b64": False},
    {"alg": "ES256", "kid": "published", "jwk": [1]},
    {"alg": "ES256", "kid": "published", "jku": {"a": 1}},
    {"alg": "ES256", "kid": "published", "typ": {}},
    {"alg": "ES256", "kid": "a\0b"},
]


async def published(application: Application, header: Any) -> Any:
    """Return a header that names a key of ours where it says so."""
    if not isinstance(header, dict) or header.get("kid") != "published":
        return header
    tokens = await application.sign_in()
    return header | {"kid": jwt.get_unverified_header(tokens["access_token"])["kid"]}


@pytest.mark.parametrize("header", HEADERS, ids=str)
async def test_an_access_token_with_a_strange_header_is_invalid(
    application: Application, header: Any
) -> None:
    token = token_with(await published(application, header))
    answer = await application.userinfo(token)
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_token")
    seen = await application.post_form("/oauth2/introspect", token=token)
    assert seen.json() == {"active": False}
    assert (await application.post_form("/oauth2/revoke", token=token)).status_code == 200


@pytest.mark.parametrize("header", HEADERS, ids=str)
async def test_a_hint_with_a_strange_header_is_none(application: Application, header: Any) -> None:
    token = token_with(await published(application, header))
    assert "code" in answered(await application.authorize(id_token_hint=token))
    answer = await application.auth.client.get(
        "/oauth2/logout", params={"id_token_hint": token}, headers={"Cookie": application.cookie}
    )
    assert answer.headers["location"].startswith("/oauth2/sign-out?")


async def test_a_token_of_nothing_but_brackets_is_invalid(application: Application) -> None:
    header = base64.urlsafe_b64encode(b"[" * 5000).decode()
    assert (await application.userinfo(f"{header}.e30.c2ln")).status_code == 401


# NUL characters, which no text of ours can hold


@pytest.mark.parametrize("name", ["client_id", "redirect_uri", "nonce", "state", "scope", "other"])
async def test_a_request_with_a_nul_is_refused_on_a_page(
    application: Application, name: str
) -> None:
    answer = await application.authorize(**{name: "a\0b"})
    assert (answer.status_code, answer.headers["content-type"]) == (400, "text/html; charset=utf-8")
    client = application.auth.client
    parameters = application.request(**{name: "a\0b"})
    headers = {"Cookie": application.cookie}
    answer = await client.get("/oauth2/interaction", params=parameters, headers=headers)
    assert_problem(answer, 422, "validation_failed")
    body = {"parameters": parameters, "allow": True}
    answer = await client.post("/oauth2/consent", json=body, headers=headers)
    assert_problem(answer, 422, "validation_failed")
    assert await application.auth.database.fetchval("SELECT count(*) FROM oauth_grants") == 0


@pytest.mark.parametrize("name", ["client_id", "redirect_uri", "nonce", "state", "other", "\ud800"])
async def test_a_decision_with_half_a_character_is_refused(
    application: Application, name: str
) -> None:
    body = {"parameters": application.request(**{name: "a\ud800b"}), "allow": True}
    headers = {"Cookie": application.cookie, "Content-Type": "application/json"}
    answer = await application.auth.client.post(
        "/oauth2/consent", content=json.dumps(body), headers=headers
    )
    assert_problem(answer, 422, "validation_failed")
    assert await application.auth.database.fetchval("SELECT count(*) FROM oauth_grants") == 0


@pytest.mark.parametrize("uri", ["http://127.0.0.1:1\0/callback", "http://127.0.0.1:x/callback"])
async def test_the_port_on_loopback_is_a_number(application: Application, uri: str) -> None:
    await application.register(
        name="App", redirect_uris=["http://127.0.0.1/callback"], is_public=True
    )
    assert (await application.authorize(redirect_uri=uri)).status_code == 400


@pytest.mark.parametrize("path", ["/oauth2/token", "/oauth2/revoke", "/oauth2/introspect"])
@pytest.mark.parametrize("name", ["client_id", "client_secret", "code", "token", "other", "a\0b"])
async def test_a_form_with_a_nul_is_an_invalid_request(
    application: Application, path: str, name: str
) -> None:
    answer = await application.post_form(path, **{name: "a\0b"})
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")


@pytest.mark.parametrize("pair", ["\0:x", "%00:x", "x:\0", "\0"])
async def test_credentials_with_a_nul_are_no_client(application: Application, pair: str) -> None:
    answer = await application.auth.client.post(
        "/oauth2/token",
        content="grant_type=refresh_token",
        headers={
            "Content-Type": "application/x-www-form-urlencoded",
            "Authorization": "Basic " + base64.b64encode(pair.encode()).decode(),
        },
    )
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")


@pytest.mark.parametrize("name", ["id_token_hint", "client_id", "post_logout_redirect_uri"])
async def test_a_log_out_with_a_nul_asks_the_person(application: Application, name: str) -> None:
    tokens = await application.sign_in()
    query = {"id_token_hint": tokens["id_token"], "post_logout_redirect_uri": AFTER} | {
        name: "a\0b"
    }
    answer = await application.auth.client.get(
        "/oauth2/logout", params=query, headers={"Cookie": application.cookie}
    )
    assert answer.headers["location"].startswith("/oauth2/sign-out?")
    assert await application.auth.revoked() == set()


# Verifiers that PKCE does not know


@pytest.mark.parametrize(
    "verifier", ["ä" * 43, "v" * 42, "v" * 129, "v" * 42 + " ", "v" * 42 + "\n", "v" * 42 + "+"]
)
async def test_a_malformed_verifier_is_refused_and_spends_nothing(
    application: Application, verifier: str
) -> None:
    code = await application.code()
    answer = await application.redeem(code, code_verifier=verifier)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")
    good = await application.redeem(code, code_verifier=VERIFIER)
    assert good.status_code == 200


# Parameters that are missing, or empty, which is the same


@pytest.mark.parametrize("empty", [False, True], ids=["missing", "empty"])
@pytest.mark.parametrize("name", ["grant_type", "code", "code_verifier", "redirect_uri"])
async def test_what_an_exchange_needs_is_asked_for_and_spends_nothing(
    application: Application,
    name: str,
    empty: bool,  # noqa: FBT001 - a parameter of the table
) -> None:
    good = {
        "grant_type": "authorization_code",
        "code": await application.code(),
        "code_verifier": VERIFIER,
        "redirect_uri": CALLBACK,
    }
    form = {key: value for key, value in good.items() if key != name} | (
        {name: ""} if empty else {}
    )
    answer = await application.post_form("/oauth2/token", **form)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")
    assert (await application.post_form("/oauth2/token", **good)).status_code == 200


@pytest.mark.parametrize(
    ("path", "form"),
    [
        ("/oauth2/token", {"grant_type": "refresh_token"}),
        ("/oauth2/token", {"grant_type": "refresh_token", "refresh_token": ""}),
        ("/oauth2/revoke", {}),
        ("/oauth2/revoke", {"token": "", "token_type_hint": "access_token"}),
        ("/oauth2/introspect", {}),
        ("/oauth2/introspect", {"token": ""}),
    ],
)
async def test_a_token_is_asked_for(
    application: Application, path: str, form: dict[str, str]
) -> None:
    answer = await application.post_form(path, **form)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")


async def test_empty_parameters_of_a_request_count_as_left_out(application: Application) -> None:
    asked = dict.fromkeys(("prompt", "max_age", "nonce", "state", "request", "login_hint"), "")
    said = answered(await application.authorize(**asked, response_mode=""))
    assert said.keys() == {"code", "iss"}
    assert "code_challenge" in application.request()
    said = answered(await application.authorize(code_challenge=""))
    assert said["error"] == "invalid_request"


async def test_an_empty_scope_refreshes_all_of_them(application: Application) -> None:
    tokens = await application.sign_in(scope="openid email offline_access")
    answer = await application.token(
        grant_type="refresh_token", refresh_token=tokens["refresh_token"], scope=""
    )
    assert answer.json()["scope"] == "openid email offline_access"


async def test_a_log_out_with_an_empty_address_is_one_without(application: Application) -> None:
    tokens = await application.sign_in()
    query = {"id_token_hint": tokens["id_token"], "post_logout_redirect_uri": "", "client_id": ""}
    answer = await application.auth.client.get(
        "/oauth2/logout", params=query, headers={"Cookie": application.cookie}
    )
    assert answer.headers["location"] == "/oauth2/logged-out"
