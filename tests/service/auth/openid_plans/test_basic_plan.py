"""What the basic and config plans of the OpenID conformance suite ask of a provider.

Each test is named after the module whose requirement it holds (`oidcc-…`). The suite itself, a
Java program with a database of its own, was not run. Its applications have a secret and send no
PKCE, so neither do these.
"""

import time
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlencode

import jwt
import pytest

from tests.service.auth.auth_service import PUBLIC_URL, claims
from tests.service.auth.oauth_application import CALLBACK, EMAIL, Application, answered

FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@pytest.fixture
async def application(application: Application) -> Application:
    application.pkce = False
    return await application.register(name="The suite", require_pkce=False)


def said(tokens: dict[str, Any]) -> dict[str, Any]:
    """Return what an ID token says."""
    return claims({"access_token": tokens["id_token"]})


async def document(application: Application) -> dict[str, Any]:
    answer = await application.auth.client.get("/.well-known/openid-configuration")
    found: dict[str, Any] = answer.json()
    return found


# The config plan


async def test_oidcc_discovery_endpoint_verification(application: Application) -> None:
    metadata = await document(application)
    assert metadata["issuer"] == PUBLIC_URL
    required = {
        *("issuer", "authorization_endpoint", "token_endpoint", "jwks_uri"),
        *("response_types_supported", "subject_types_supported"),
        *("id_token_signing_alg_values_supported",),
    }
    assert required <= metadata.keys()
    assert "code" in metadata["response_types_supported"]
    assert "RS256" in metadata["id_token_signing_alg_values_supported"]
    assert "openid" in metadata["scopes_supported"]
    assert {"public"} == set(metadata["subject_types_supported"])
    assert {"sub", "iss", "aud", "exp", "iat"} <= set(metadata["claims_supported"])


async def test_oidcc_config_certification_key_set(application: Application) -> None:
    keys = (await application.auth.client.get("/.well-known/jwks.json")).json()["keys"]
    assert {key["alg"] for key in keys} == {"ES256", "RS256"}
    assert len({key["kid"] for key in keys}) == len(keys)
    assert all(key["use"] == "sig" and "d" not in key for key in keys)


# The basic plan


@pytest.mark.parametrize("algorithm", ["ES256", "RS256"])
async def test_oidcc_server(application: Application, algorithm: str) -> None:
    await application.register(
        name="Server", id_token_signed_response_alg=algorithm, require_pkce=False
    )
    tokens = await application.sign_in()
    token = said(tokens)
    assert jwt.get_unverified_header(tokens["id_token"])["alg"] == algorithm
    assert (token["iss"], token["aud"]) == (PUBLIC_URL, application.client["client_id"])
    assert token["nonce"] == "a nonce"
    assert token["iat"] <= time.time() < token["exp"]
    assert len(token["sub"]) <= 255


async def test_oidcc_response_type_missing(application: Application) -> None:
    got = answered(await application.authorize(response_type=None))
    assert got["error"] in {"unsupported_response_type", "invalid_request"}


@pytest.mark.parametrize("way", ["get", "post-header", "post-body"])
async def test_oidcc_userinfo(application: Application, way: str) -> None:
    tokens = await application.sign_in()
    token, client = tokens["access_token"], application.auth.client
    header = {"Authorization": f"Bearer {token}"}
    if way == "get":
        answer = await client.get("/oauth2/userinfo", headers=header)
    elif way == "post-header":
        answer = await client.post("/oauth2/userinfo", headers=header)
    else:
        answer = await client.post(
            "/oauth2/userinfo", content=urlencode({"access_token": token}), headers=FORM
        )
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("application/json")
    assert answer.json()["sub"] == said(tokens)["sub"]


async def test_oidcc_userinfo_without_a_token_is_a_challenge(application: Application) -> None:
    for answer in (
        await application.auth.client.get("/oauth2/userinfo"),
        await application.auth.client.post("/oauth2/userinfo", content="", headers=FORM),
    ):
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == 'Bearer realm="Freehold"'
    answer = await application.userinfo("nonsense")
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == 'Bearer realm="Freehold", error="invalid_token"'


async def test_oidcc_ensure_request_without_nonce_succeeds_for_code_flow(
    application: Application,
) -> None:
    assert "nonce" not in said(await application.sign_in(nonce=None))


@pytest.mark.parametrize(
    ("module", "scope", "found"),
    [
        ("profile", "openid profile", {"preferred_username", "updated_at"}),
        ("email", "openid email", {"email", "email_verified"}),
        ("address", "openid address", set()),
        ("phone", "openid phone", set()),
        (
            "all",
            "openid profile email address phone",
            {"preferred_username", "updated_at", "email", "email_verified"},
        ),
        ("other-order", "email openid", {"email", "email_verified"}),
    ],
)
async def test_oidcc_scope(
    application: Application, module: str, scope: str, found: set[str]
) -> None:
    tokens = await application.sign_in(scope=scope)
    info = (await application.userinfo(tokens["access_token"])).json()
    assert info.keys() == {"sub"} | found, module


@pytest.mark.parametrize(
    "parameters",
    [
        {"display": "page"},
        {"display": "popup"},
        {"ui_locales": "se"},
        {"claims_locales": "se"},
        {"acr_values": "1 2"},
        {"login_hint": EMAIL},
        {"extra": "foobar"},
        {"claims": '{"userinfo": {"name": {"essential": true}}}'},
    ],
    ids=[
        "oidcc-display-page",
        "oidcc-display-popup",
        "oidcc-ui-locales",
        "oidcc-claims-locales",
        "oidcc-ensure-request-with-acr-values-succeeds",
        "oidcc-login-hint",
        "oidcc-ensure-request-with-unknown-parameter-succeeds",
        "oidcc-claims-essential",
    ],
)
async def test_what_need_not_be_understood_is_passed_over(
    application: Application, parameters: dict[str, str]
) -> None:
    assert said(await application.sign_in(**parameters))["sub"]


async def test_oidcc_prompt_login(application: Application) -> None:
    first = said(await application.sign_in())
    answer = await application.authorize(prompt="login")
    assert answer.headers["location"].startswith("/oauth2/sign-in?")
    await application.auth.database.execute(
        "UPDATE sessions SET authenticated_at = authenticated_at - interval '1 minute'"
    )
    await application.log_in()
    application.keep(answer)
    again = said(await application.sign_in(prompt="login"))
    assert again["sub"] == first["sub"]
    assert again["auth_time"] >= first["auth_time"]


async def test_oidcc_prompt_none_not_logged_in(application: Application) -> None:
    application.cookie = ""
    assert answered(await application.authorize(prompt="none"))["error"] == "login_required"


async def test_oidcc_prompt_none_logged_in(application: Application) -> None:
    first = said(await application.sign_in())
    second = said(await application.sign_in(prompt="none"))
    assert (second["sub"], second["auth_time"]) == (first["sub"], first["auth_time"])


async def test_oidcc_max_age_1(application: Application, monkeypatch: pytest.MonkeyPatch) -> None:
    await application.sign_in()
    await application.auth.database.execute(
        "UPDATE sessions SET authenticated_at = authenticated_at - interval '2 seconds'"
    )
    answer = await application.authorize(max_age="1")
    assert answer.headers["location"].startswith("/oauth2/sign-in?")
    before = int(time.time())
    await application.log_in()
    # However long this test stalls, the application asks half a second after the log-in.
    logged_in_at = await application.auth.database.fetchval(
        "SELECT max(extract(epoch FROM authenticated_at))::float8 FROM sessions"
    )
    half_a_second_later = SimpleNamespace(time=lambda: logged_in_at + 0.5)
    monkeypatch.setattr("services.auth.provider.authorization.time", half_a_second_later)
    token = said(await application.sign_in(max_age="1"))
    assert before <= token["auth_time"] <= time.time()


async def test_oidcc_max_age_10000(application: Application) -> None:
    first = said(await application.sign_in())
    second = said(await application.sign_in(max_age="10000"))
    assert second["auth_time"] == first["auth_time"]


async def test_oidcc_id_token_hint(application: Application) -> None:
    first = await application.sign_in()
    second = await application.sign_in(prompt="none", id_token_hint=first["id_token"])
    assert said(second)["sub"] == said(first)["sub"]


async def test_an_id_token_hint_of_somebody_else_asks_for_a_log_in(
    application: Application,
) -> None:
    hint = (await application.sign_in())["id_token"]
    await application.auth.register("bob@example.com")
    answer = await application.auth.post(
        "/v1/auth/login",
        {"email": "bob@example.com", "password": "correct horse battery staple"},
    )
    application.cookie = answer.headers["set-cookie"].partition(";")[0]
    application.auth.client.cookies.clear()
    refused = answered(await application.authorize(prompt="none", id_token_hint=hint))
    assert refused["error"] == "login_required"
    asked = await application.authorize(id_token_hint=hint)
    assert asked.headers["location"].startswith("/oauth2/sign-in?")
    assert said(await application.sign_in(id_token_hint="nonsense"))["sub"]


@pytest.mark.parametrize("later", [0, 30], ids=["oidcc-codereuse", "oidcc-codereuse-30seconds"])
async def test_a_code_that_comes_again_ends_what_it_brought(
    application: Application, later: int
) -> None:
    code = await application.code()
    tokens = (await application.redeem(code)).json()
    await application.auth.database.execute(
        "UPDATE oauth_codes SET used_at = used_at - $1 * interval '1 second'", later
    )
    again = await application.redeem(code)
    assert (again.status_code, again.json()["error"]) == (400, "invalid_grant")
    assert (await application.userinfo(tokens["access_token"])).status_code == 401


async def test_oidcc_ensure_registered_redirect_uri(application: Application) -> None:
    answer = await application.authorize(redirect_uri=f"{CALLBACK}/unregistered")
    assert answer.status_code == 400
    assert "location" not in answer.headers


async def test_oidcc_ensure_post_request_succeeds(application: Application) -> None:
    answer = await application.auth.client.post(
        "/oauth2/authorize",
        content=urlencode(application.request()),
        headers=FORM | {"Cookie": application.cookie},
    )
    assert answer.status_code == 303
    assert answered(answer)["code"]


@pytest.mark.parametrize(
    "method",
    ["client_secret_basic", "client_secret_post"],
    ids=["oidcc-server", "oidcc-server-client-secret-post"],
)
async def test_applications_authenticate_in_either_way(
    application: Application, method: str
) -> None:
    code = await application.code()
    form: dict[str, str] = {"code": code}
    basic = method == "client_secret_basic"
    assert method in (await document(application))["token_endpoint_auth_methods_supported"]
    if not basic:
        form |= {name: application.client[name] for name in ("client_id", "client_secret")}
    assert (await application.token(basic=basic, **form)).status_code == 200


@pytest.mark.parametrize(
    ("parameter", "error"),
    [("request", "request_not_supported"), ("request_uri", "request_uri_not_supported")],
    ids=[
        "oidcc-unsigned-request-object-supported-correctly-or-rejected-as-unsupported",
        "oidcc-request-uri-unsigned",
    ],
)
async def test_request_objects_are_rejected_as_unsupported(
    application: Application, parameter: str, error: str
) -> None:
    metadata = await document(application)
    assert metadata[f"{parameter}_parameter_supported"] is False
    assert answered(await application.authorize(**{parameter: "x"}))["error"] == error


async def test_oidcc_refresh_token(application: Application) -> None:
    first = await application.sign_in(scope="openid offline_access")
    answer = await application.token(
        grant_type="refresh_token", refresh_token=first["refresh_token"]
    )
    second = answer.json()
    before, after = said(first), said(second)
    same = ("iss", "sub", "aud", "auth_time", "azp", "sid")
    assert {name: after[name] for name in same} == {name: before[name] for name in same}
    assert after["iat"] >= before["iat"]
    assert second["access_token"] != first["access_token"]


async def test_oidcc_ensure_request_with_valid_pkce_succeeds(application: Application) -> None:
    application.pkce = True
    assert (await application.redeem(await application.code())).status_code == 200
    wrong = await application.redeem(await application.code(), code_verifier="w" * 43)
    assert wrong.json()["error"] == "invalid_grant"
