"""Freehold as an OpenID provider: what the basic and config plans ask for, as a table."""

import asyncio
import base64
import hashlib
import time
from datetime import timedelta
from typing import Any

import httpx2
import jwt
import pytest

from shared.schemas.api.oauth import Introspection, OAuthErrorAnswer, TokenAnswer, Userinfo
from tests.service.auth.auth_service import PASSWORD, PUBLIC_URL, assert_problem, bearer, claims
from tests.service.auth.oauth_application import CALLBACK, EMAIL, VERIFIER, Application, answered


def read(token: str) -> dict[str, Any]:
    decoded: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    return decoded


# The config plan


async def test_the_discovery_document_says_what_is_true(application: Application) -> None:
    answer = await application.auth.client.get("/.well-known/openid-configuration")
    document = answer.json()
    assert document["issuer"] == PUBLIC_URL
    assert document["response_types_supported"] == ["code"]
    assert document["code_challenge_methods_supported"] == ["S256"]
    assert document["authorization_response_iss_parameter_supported"] is True
    assert "password" not in document["grant_types_supported"]
    assert set(document["prompt_values_supported"]) == {
        *("none", "login", "select_account", "consent")
    }
    for name, address in document.items():
        if name.endswith(("_endpoint", "_uri")):
            assert address.startswith(f"{PUBLIC_URL}/"), name


async def test_libraries_of_oauth_alone_find_the_same_document(application: Application) -> None:
    client = application.auth.client
    answer = await client.get("/.well-known/oauth-authorization-server")
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "public, max-age=300"
    assert answer.json() == (await client.get("/.well-known/openid-configuration")).json()


# The basic plan


async def test_a_code_brings_tokens_of_the_user_who_is_signed_in(application: Application) -> None:
    answer = await application.authorize()
    assert answer.headers["referrer-policy"] == "no-referrer"
    said = answered(answer)
    assert said.keys() == {"code", "state", "iss"}
    assert (said["state"], said["iss"]) == ("a state", PUBLIC_URL)

    answer = await application.redeem(said["code"])
    tokens = answer.json()
    assert answer.headers["cache-control"] == "no-store"
    assert tokens["token_type"] == "Bearer"
    keys = (await application.auth.client.get("/.well-known/jwks.json")).json()["keys"]
    [key] = [jwt.PyJWK(key) for key in keys if key["alg"] == "ES256"]
    id_token = jwt.decode(
        tokens["id_token"],
        key,
        algorithms=["ES256"],
        audience=application.client["client_id"],
        issuer=PUBLIC_URL,
    )
    assert id_token["nonce"] == "a nonce"
    assert id_token["sub"] == application.session["user"]["id"]
    assert id_token["sid"] == claims(application.session)["sid"]
    assert id_token["amr"] == ["pwd"]
    assert abs(id_token["auth_time"] - time.time()) < 60
    digest = hashlib.sha256(tokens["access_token"].encode()).digest()[:16]
    assert id_token["at_hash"] == base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
    info = (await application.userinfo(tokens["access_token"])).json()
    assert info == {"sub": id_token["sub"], "email": EMAIL, "email_verified": True}


async def test_looking_at_the_cookie_does_not_rotate_it(application: Application) -> None:
    await application.code()
    refreshed = await application.auth.post(
        "/v1/auth/refresh", {}, cookie=application.cookie, origin=PUBLIC_URL
    )
    assert refreshed.status_code == 200
    assert (await application.authorize()).headers["location"].startswith(CALLBACK)


@pytest.mark.parametrize(
    ("scope", "found"),
    [
        ("openid", {"sub"}),
        ("openid profile", {"sub", "preferred_username", "updated_at"}),
        ("openid email roles", {"sub", "email", "email_verified", "roles"}),
        ("openid something-else", {"sub"}),
    ],
)
async def test_an_application_learns_what_its_scopes_say(
    application: Application, scope: str, found: set[str]
) -> None:
    tokens = await application.sign_in(scope=scope)
    assert (await application.userinfo(tokens["access_token"])).json().keys() == found


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"response_type": None}, "invalid_request"),
        ({"response_mode": "fragment"}, "invalid_request"),
        ({"code_challenge": None}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge_method": None}, "invalid_request"),
        ({"code_challenge": "short"}, "invalid_request"),
        ({"scope": "email"}, "invalid_scope"),
        ({"scope": None}, "invalid_scope"),
        ({"prompt": "none login"}, "invalid_request"),
        ({"prompt": "none select_account"}, "invalid_request"),
        ({"max_age": "soon"}, "invalid_request"),
        ({"request": "e30.e30."}, "request_not_supported"),
        ({"request_uri": "https://evil.example"}, "request_uri_not_supported"),
        ({"nonce": "n" * 513}, "invalid_request"),
    ],
)
async def test_a_wrong_request_is_told_to_its_application(
    application: Application, changes: dict[str, str | None], error: str
) -> None:
    said = answered(await application.authorize(**changes))
    assert (said["error"], said["state"], said["iss"]) == (error, "a state", PUBLIC_URL)
    assert "code" not in said


@pytest.mark.parametrize(
    "changes",
    [
        {"client_id": "nobody"},
        {"client_id": None},
        {"redirect_uri": None},
        {"redirect_uri": "https://evil.example/callback"},
        {"redirect_uri": f"{CALLBACK}/"},
        {"redirect_uri": f"{CALLBACK}?x=1"},
        {"redirect_uri": CALLBACK.replace("https", "http")},
        {"redirect_uri": "https://app.example.org.evil.example/callback"},
        {"redirect_uri": "https://app.example.org@evil.example/callback"},
        {"redirect_uri": "//app.example.org/callback"},
        {"redirect_uri": "javascript:alert(1)"},
    ],
)
async def test_nobody_is_sent_to_an_address_that_is_not_registered(
    application: Application, changes: dict[str, str | None]
) -> None:
    answer = await application.authorize(**changes)
    assert answer.status_code == 400
    assert "location" not in answer.headers
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
    assert "evil" not in answer.text


async def test_on_loopback_the_port_is_free(application: Application) -> None:
    await application.register(
        name="App", redirect_uris=["http://127.0.0.1/callback"], is_public=True
    )
    for uri, status in (
        ("http://127.0.0.1:49152/callback", 303),
        ("http://127.0.0.1:49152/other", 400),
        ("http://127.0.0.1.evil.example/callback", 400),
        ("http://127.0.0.1:1@evil.example/callback", 400),
        ("http://localhost:49152/callback", 400),
    ):
        assert (await application.authorize(redirect_uri=uri)).status_code == status, uri


async def test_without_a_session_the_browser_is_asked(application: Application) -> None:
    application.cookie = ""
    answer = await application.authorize()
    location = answer.headers["location"]
    assert answer.status_code == 303
    assert location.startswith("/oauth2/sign-in?")
    said = answered(await application.authorize(prompt="none"))
    assert said["error"] == "login_required"
    interaction = await application.auth.client.get(
        "/oauth2/interaction", params=application.request()
    )
    assert interaction.json()["step"] == "login"


@pytest.mark.parametrize(
    "changes",
    [
        *({"prompt": "login"}, {"prompt": "select_account"}, {"prompt": "consent select_account"}),
        {"max_age": "0"},
    ],
)
async def test_a_new_log_in_is_asked_for(
    application: Application, changes: dict[str, str | None]
) -> None:
    answer = await application.authorize(**changes)
    assert answer.headers["location"].startswith("/oauth2/sign-in?")


async def test_a_user_is_asked_once_and_can_take_it_back(application: Application) -> None:
    await application.register(name="Foreign", is_trusted=False)
    cookie = {"Cookie": application.cookie}
    asked = await application.authorize()
    assert asked.headers["location"].startswith("/oauth2/sign-in?")
    assert answered(await application.authorize(prompt="none"))["error"] == "consent_required"
    interaction = (
        await application.auth.client.get(
            "/oauth2/interaction", params=application.request(), headers=cookie
        )
    ).json()
    assert interaction == {
        "step": "consent",
        "client_name": "Foreign",
        "email": EMAIL,
        "scopes": ["Know who you are", "See your e-mail address"],
    }

    async def decide(*, allow: bool, **headers: str) -> httpx2.Response:
        body = {"parameters": application.request(), "allow": allow}
        return await application.auth.client.post(
            "/oauth2/consent", json=body, headers=cookie | headers
        )

    assert_problem(
        await decide(allow=True, Origin="https://evil.example"), 403, "origin_not_allowed"
    )
    refused = (await decide(allow=False)).json()["location"]
    assert "error=access_denied" in refused
    allowed = (await decide(allow=True)).json()["location"]
    assert allowed.startswith(CALLBACK)
    tokens = await application.sign_in()
    assert (
        (await application.authorize(scope="openid email roles"))
        .headers["location"]
        .startswith("/oauth2/sign-in?")
    ), "more than was allowed"

    own = bearer(application.session)
    [consent] = (await application.auth.client.get("/v1/auth/consents", headers=own)).json()[
        "items"
    ]
    assert consent["name"] == "Foreign"
    path = f"/v1/auth/consents/{application.client['client_id']}"
    assert (await application.auth.client.delete(path, headers=own)).status_code == 204
    assert (await application.userinfo(tokens["access_token"])).status_code == 401
    assert (await application.authorize()).headers["location"].startswith("/oauth2/sign-in?")


# Codes and refresh tokens


async def test_of_ten_redemptions_one_succeeds_and_the_second_ends_it(
    application: Application,
) -> None:
    code = await application.code()
    answers = await asyncio.gather(*(application.redeem(code) for _ in range(10)))
    good = [answer.json() for answer in answers if answer.status_code == 200]
    assert len(good) == 1
    assert (await application.userinfo(good[0]["access_token"])).status_code == 401
    again = await application.token(
        grant_type="refresh_token", refresh_token=good[0]["refresh_token"]
    )
    assert again.json()["error"] == "invalid_grant"


@pytest.mark.parametrize(
    ("form", "error"),
    [
        ({"code_verifier": "w" * 43}, "invalid_grant"),
        ({"code_verifier": "short"}, "invalid_grant"),
        ({"redirect_uri": "https://app.example.org/other"}, "invalid_grant"),
        ({"grant_type": "password", "username": EMAIL, "password": PASSWORD}, None),
        ({"grant_type": "client_credentials"}, None),
    ],
)
async def test_a_code_is_good_for_its_own_request_only(
    application: Application, form: dict[str, str], error: str | None
) -> None:
    answer = await application.redeem(await application.code(), **form)
    assert answer.status_code == 400
    assert answer.json()["error"] == (error or "unsupported_grant_type")


async def test_a_code_lives_for_a_minute(application: Application) -> None:
    code = await application.code()
    await application.auth.database.execute(
        "UPDATE oauth_codes SET expires_at = now() - interval '1 second'"
    )
    assert (await application.redeem(code)).json()["error"] == "invalid_grant"


async def test_another_client_gets_nothing_for_a_code_or_a_refresh_token(
    application: Application,
) -> None:
    tokens = await application.sign_in()
    code = await application.code()
    await application.register(name="Other")
    assert (await application.redeem(code)).json()["error"] == "invalid_grant"
    refreshed = await application.token(
        grant_type="refresh_token", refresh_token=tokens["refresh_token"]
    )
    assert refreshed.json()["error"] == "invalid_grant"
    seen = await application.post_form("/oauth2/introspect", token=tokens["access_token"])
    assert seen.json() == {"active": False}


@pytest.mark.parametrize("how", ["wrong secret", "no secret", "unknown", "twice", "not a form"])
async def test_a_client_that_is_not_who_it_says(application: Application, how: str) -> None:
    code = await application.code()
    client, form = application.client, {"code": code, "code_verifier": VERIFIER}
    if how == "wrong secret":
        client["client_secret"] = "guessed"
        answer = await application.token(**form)
    elif how == "no secret":
        answer = await application.token(basic=False, client_id=client["client_id"], **form)
    elif how == "unknown":
        answer = await application.token(basic=False, client_id="x", client_secret="y", **form)
    elif how == "twice":
        answer = await application.token(client_secret=client["client_secret"], **form)
    else:
        answer = await application.auth.client.post("/oauth2/token", json=form)
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")
        return
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")
    assert answer.headers["www-authenticate"].startswith("Basic")


@pytest.mark.parametrize("path", ["/oauth2/token", "/oauth2/revoke", "/oauth2/introspect"])
async def test_a_client_that_does_not_say_who_it_is_hears_that(
    application: Application, path: str
) -> None:
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    nobody = base64.b64encode(b":").decode()
    for given in ({}, {"Authorization": f"Basic {nobody}"}):
        answer = await application.auth.client.post(
            path, content="grant_type=refresh_token&client_id=", headers=headers | given
        )
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == 'Basic realm="Freehold"'
        assert answer.json() == {
            "error": "invalid_client",
            "error_description": "The application did not say who it is: send client_id, or "
            "authenticate by HTTP Basic.",
        }


@pytest.mark.usefixtures("long_grace")
async def test_a_refresh_token_is_replaced_and_an_older_one_ends_the_sign_in(
    application: Application,
) -> None:
    tokens = await application.sign_in(scope="openid email offline_access")

    async def refresh(token: str, **form: str) -> httpx2.Response:
        return await application.token(grant_type="refresh_token", refresh_token=token, **form)

    second = (await refresh(tokens["refresh_token"], scope="openid")).json()
    assert second["scope"] == "openid"
    assert read(second["id_token"])["sub"] == read(tokens["id_token"])["sub"]
    assert (await refresh(second["refresh_token"], scope="openid roles")).json()[
        "error"
    ] == "invalid_scope"
    repeated = (await refresh(tokens["refresh_token"])).json()
    assert repeated["refresh_token"] == second["refresh_token"], "an answer got lost"
    third = (await refresh(second["refresh_token"])).json()
    assert (await refresh(tokens["refresh_token"])).json()["error"] == "invalid_grant"
    assert (await refresh(third["refresh_token"])).json()["error"] == "invalid_grant"


async def test_a_public_client_needs_no_secret_and_has_none(application: Application) -> None:
    await application.register(name="App", is_public=True)
    assert application.client["client_secret"] is None
    answer = await application.token(
        basic=False,
        client_id=application.client["client_id"],
        code=await application.code(),
        code_verifier=VERIFIER,
    )
    assert answer.status_code == 200


async def test_an_applications_token_opens_nothing_of_the_house(application: Application) -> None:
    tokens = await application.sign_in()
    for token in (tokens["access_token"], tokens["id_token"]):
        answer = await application.auth.client.get(
            "/v1/auth/me", headers={"Authorization": f"Bearer {token}"}
        )
        assert_problem(answer, 401, "token_invalid")
    session_token = application.session["access_token"]
    for token in (session_token, tokens["id_token"], "nonsense"):
        assert (await application.userinfo(token)).status_code == 401


async def test_what_is_revoked_or_introspected(application: Application) -> None:
    tokens = await application.sign_in()
    seen = (await application.post_form("/oauth2/introspect", token=tokens["access_token"])).json()
    assert seen["active"] is True
    assert seen["client_id"] == application.client["client_id"]
    assert (await application.post_form("/oauth2/revoke", token="nonsense")).status_code == 200
    revoked = await application.post_form("/oauth2/revoke", token=tokens["refresh_token"])
    assert revoked.status_code == 200
    assert (await application.userinfo(tokens["access_token"])).status_code == 401
    seen = await application.post_form("/oauth2/introspect", token=tokens["access_token"])
    assert seen.json() == {"active": False}


async def test_answers_are_what_the_document_says(application: Application) -> None:
    tokens = await application.sign_in(scope="openid profile email roles offline_access")
    access = {"token": tokens["access_token"]}
    await application.auth.client.patch(
        "/v1/auth/me", json={"name": "Ada"}, headers=bearer(application.session)
    )

    info = (await application.userinfo(tokens["access_token"])).json()
    seen = (await application.post_form("/oauth2/introspect", **access)).json()
    error = (await application.token(grant_type="password")).json()

    assert set(tokens) == set(TokenAnswer.model_fields)
    assert set(info) == set(Userinfo.model_fields)
    assert set(seen) == set(Introspection.model_fields)
    assert set(error) == set(OAuthErrorAnswer.model_fields)
    TokenAnswer.model_validate(tokens, strict=True)
    Userinfo.model_validate(info, strict=True)
    Introspection.model_validate(seen, strict=True)


async def test_a_live_refresh_token_introspects_as_active(
    application: Application, long_grace: timedelta
) -> None:
    first = (await application.sign_in(scope="openid email offline_access"))["refresh_token"]

    async def seen(token: str) -> Any:
        return (await application.post_form("/oauth2/introspect", token=token)).json()

    said = await seen(first)
    assert said.pop("exp") > time.time() + 29 * 86400
    assert said == {
        "active": True,
        "iss": PUBLIC_URL,
        "sub": application.session["user"]["id"],
        "client_id": application.client["client_id"],
        "scope": "openid email offline_access",
    }
    answer = await application.token(grant_type="refresh_token", refresh_token=first)
    second = answer.json()["refresh_token"]
    assert (await seen(first))["active"] is (await seen(second))["active"] is True
    await application.auth.database.execute(
        "UPDATE oauth_grants SET refreshed_at = refreshed_at - $1::interval",
        long_grace + timedelta(seconds=1),
    )
    assert await seen(first) == {"active": False}
    assert (await seen(second))["active"] is True, "asking ends nothing"
    await application.register(name="Other")
    assert await seen(second) == {"active": False}
