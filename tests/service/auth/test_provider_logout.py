"""Signing out with an OpenID provider, and the applications that may ask, as a table."""

import json
from typing import Any

import pytest

from services.auth.provider import store
from tests.service.auth.auth_service import assert_problem, bearer, claims
from tests.service.auth.oauth_application import AFTER, Application

# The logout plans


async def test_the_end_of_the_session_ends_the_sign_in_unless_it_may_stay(
    application: Application,
) -> None:
    bound = await application.sign_in()
    stays = await application.sign_in(scope="openid offline_access")
    answer = await application.auth.post("/v1/auth/logout", {}, **bearer(application.session))
    assert answer.status_code == 204
    assert (await application.userinfo(bound["access_token"])).status_code == 401
    assert (await application.userinfo(stays["access_token"])).status_code == 200


@pytest.mark.parametrize(
    ("after", "location"),
    [
        (AFTER, f"{AFTER}?state=s"),
        (None, "/oauth2/logged-out"),
    ],
)
async def test_an_application_logs_its_user_out(
    application: Application, after: str | None, location: str
) -> None:
    tokens = await application.sign_in()
    query = {"id_token_hint": tokens["id_token"], "state": "s"}
    if after is not None:
        query["post_logout_redirect_uri"] = after
    answer = await application.auth.client.get(
        "/oauth2/logout", params=query, headers={"Cookie": application.cookie}
    )
    assert (answer.status_code, answer.headers["location"]) == (303, location)
    assert "Max-Age=0" in answer.headers["set-cookie"]
    assert claims(application.session)["sid"] in await application.auth.revoked()


@pytest.mark.parametrize("hint", ["none", "nonsense", "of another session", "of another client"])
async def test_without_proof_a_person_is_asked_before_the_session_ends(
    application: Application, hint: str
) -> None:
    query = {"post_logout_redirect_uri": AFTER}
    if hint == "nonsense":
        query["id_token_hint"] = "nonsense"
    elif hint != "none":
        query["id_token_hint"] = (await application.sign_in())["id_token"]
    if hint == "of another session":
        await application.log_in()
    if hint == "of another client":
        query["client_id"] = "another"
    answer = await application.auth.client.get(
        "/oauth2/logout", params=query, headers={"Cookie": application.cookie}
    )
    assert answer.headers["location"].startswith("/oauth2/sign-out?")
    assert await application.auth.revoked() == set()
    confirmed = await application.auth.post("/oauth2/logout", {}, cookie=application.cookie)
    assert confirmed.json() == {"location": "/oauth2/logged-out"}
    assert claims(application.session)["sid"] in await application.auth.revoked()


async def test_an_administrator_who_acts_as_somebody_signs_in_nowhere(
    application: Application,
) -> None:
    """The sign-in would outlast the hour for which an administrator may act."""
    answer = await application.auth.client.post(
        f"/v1/auth/users/{application.session['user']['id']}/impersonate",
        json={"reason": "ticket 7"},
        headers=bearer(application.admin),
    )
    application.cookie = f"freehold_refresh={answer.json()['refresh_token']}"
    asked = await application.authorize()
    assert asked.headers["location"].startswith("/oauth2/sign-in?")
    assert (
        "error=login_required" in (await application.authorize(prompt="none")).headers["location"]
    )


@pytest.mark.parametrize("scope", ["openid", "openid offline_access"])
async def test_a_session_that_ends_this_moment_brings_no_code(
    application: Application, monkeypatch: pytest.MonkeyPatch, scope: str
) -> None:
    found = store.find_browser_session

    async def find_and_end(*args: Any, **more: Any) -> store.BrowserSession | None:
        session = await found(*args, **more)
        await application.auth.post("/v1/auth/logout", {}, **bearer(application.session))
        return session

    monkeypatch.setattr(store, "find_browser_session", find_and_end)
    assert_problem(await application.authorize(scope=scope), 401, "authentication_required")
    assert await application.auth.database.fetchval("SELECT count(*) FROM oauth_grants") == 0


# Clients


async def test_pages_go_on_after_names_of_any_script(application: Application) -> None:
    names = ["Reports", "Zürich", "Ωmega", "測" * 100, "🐘" * 100]
    for name in names[1:]:
        await application.register(name=name)
    found: list[str] = []
    cursor: str | None = None
    for _ in names:
        listed = await application.auth.client.get(
            "/v1/auth/oauth-clients",
            params={"limit": "1"} | ({"cursor": cursor} if cursor else {}),
            headers=bearer(application.admin),
        )
        assert listed.status_code == 200, listed.text
        found += [item["name"] for item in listed.json()["items"]]
        cursor = listed.json()["next"]
    assert sorted(found) == sorted(names)
    assert cursor is None
    broken = await application.auth.client.get(
        "/v1/auth/oauth-clients", params={"cursor": "_w"}, headers=bearer(application.admin)
    )
    assert_problem(broken, 400, "invalid_cursor")


@pytest.mark.parametrize(
    "uri",
    [
        "http://app.example.org/callback",
        "https://app.example.org/#x",
        "https://*.example.org/",
        "https://user@app.example.org/",
        "javascript:alert(1)",
        "com.example.app:/callback",
        "nonsense",
    ],
)
async def test_an_address_that_nobody_should_be_sent_to_is_not_registered(
    application: Application, uri: str
) -> None:
    body = {"name": "x", "redirect_uris": [uri]}
    answer = await application.auth.client.post(
        "/v1/auth/oauth-clients", json=body, headers=bearer(application.admin)
    )
    assert_problem(answer, 422, "validation_failed")
    assert answer.json()["errors"][0]["field"] == "redirect_uris"


async def test_only_administrators_register_and_remove(application: Application) -> None:
    path = f"/v1/auth/oauth-clients/{application.client['client_id']}"
    tokens = await application.sign_in()
    own = bearer(application.session)
    for method, address in (("POST", "/v1/auth/oauth-clients"), ("DELETE", path)):
        answer = await application.auth.client.request(method, address, json={}, headers=own)
        assert_problem(answer, 403, "administrator_required")
    listed = await application.auth.client.get(
        "/v1/auth/oauth-clients", headers=bearer(application.admin)
    )
    assert [item["name"] for item in listed.json()["items"]] == ["Reports"]
    assert "secret" not in json.dumps(listed.json())
    answer = await application.auth.client.delete(path, headers=bearer(application.admin))
    assert answer.status_code == 204
    assert (await application.userinfo(tokens["access_token"])).status_code == 401
