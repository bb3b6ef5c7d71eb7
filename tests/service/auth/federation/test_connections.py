"""Setting connections up: who may, what is shown, and what is stored."""

from typing import Any

import httpx2
import pytest

from tests.service.auth.auth_service import (
    PUBLIC_URL,
    AuthService,
    assert_problem,
    bearer,
    running,
)
from tests.service.auth.federation.browser import Browser, connect
from tests.service.auth.federation.scripted_provider import (
    CLIENT_ID,
    CLIENT_SECRET,
    ScriptedProvider,
)

PATH = "/v1/auth/connections"


async def actions(auth: AuthService) -> list[tuple[str, Any]]:
    rows = await auth.database.fetch(
        "SELECT action, actor_id, details FROM audit_log WHERE action LIKE 'connection.%' "
        "ORDER BY id"
    )
    return [(row["action"], row["details"]) for row in rows]


async def test_a_connection_from_its_making_to_its_end(
    auth: AuthService, admin: dict[str, Any], provider: ScriptedProvider
) -> None:
    made = await connect(auth, admin, issuer=provider.issuer)
    assert made.status_code == 201
    assert made.headers["cache-control"] == "no-store"
    connection = made.json()
    assert connection | {"created_at": ""} == {
        "id": "other",
        "name": "Other House",
        "kind": "oidc",
        "issuer": provider.issuer,
        "client_id": CLIENT_ID,
        "scopes": ["openid", "email", "profile"],
        "team_id": None,
        "key_id": None,
        "is_enabled": True,
        "callback_url": f"{PUBLIC_URL}/v1/auth/oidc/other/callback",
        "created_at": "",
    }
    listed = await auth.client.get(PATH, headers=bearer(admin))
    assert listed.json() == {"items": [connection], "next": None}
    offered = (await auth.client.get("/v1/auth/oidc")).json()
    assert offered == {"items": [{"id": "other", "name": "Other House"}], "next": None}

    changes = {"name": "Same House", "scopes": ["email"], "is_enabled": False}
    changed = await auth.client.patch(f"{PATH}/other", json=changes, headers=bearer(admin))
    assert changed.json() == connection | changes | {"scopes": ["openid", "email"]}
    assert (await auth.client.get("/v1/auth/oidc")).json()["items"] == []
    answer = await auth.client.get("/v1/auth/oidc/other/start")
    assert_problem(answer, 404, "connection_not_found")

    assert (await auth.client.delete(f"{PATH}/other", headers=bearer(admin))).status_code == 204
    assert (await auth.client.get(PATH, headers=bearer(admin))).json()["items"] == []
    assert await actions(auth) == [
        ("connection.created", {"connection": "other"}),
        (
            "connection.changed",
            {"connection": "other", "changed": ["is_enabled", "name", "scopes"]},
        ),
        ("connection.removed", {"connection": "other"}),
    ]
    assert await auth.event_types() == ["signup.requested", "user.registered"], "and nothing else"


async def send(auth: AuthService, method: str, session: dict[str, Any] | None) -> httpx2.Response:
    path = PATH if method in {"GET", "POST"} else f"{PATH}/other"
    body = {"id": "x", "name": "x", "kind": "google", "client_id": "x", "client_secret": "x"}
    sent = {"POST": {"json": body}, "PATCH": {"json": {"name": "x"}}}.get(method, {})
    headers = {} if session is None else bearer(session)
    return await auth.client.request(method, path, headers=headers, **sent)


@pytest.mark.parametrize("method", ["GET", "POST", "PATCH", "DELETE"])
async def test_only_administrators_who_proved_it_lately_may(
    browser: Browser, admin: dict[str, Any], method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    auth = browser.auth
    user = await auth.register("user@example.com")
    assert_problem(await send(auth, method, None), 401, "authentication_required")
    assert_problem(await send(auth, method, user), 403, "administrator_required")
    monkeypatch.setattr("services.auth.access.RECENT_SECONDS", -1)
    if method == "GET":
        assert (await send(auth, method, admin)).status_code == 200
    else:
        answer = await send(auth, method, admin)
        assert_problem(answer, 403, "reauthentication_required")
        monkeypatch.undo()
        assert (await send(auth, method, admin)).status_code < 300


async def test_the_secret_is_encrypted_for_its_own_row_and_shown_to_nobody(
    browser: Browser, admin: dict[str, Any]
) -> None:
    auth = browser.auth
    sealed = await auth.database.fetchval("SELECT sealed_secret FROM connections")
    assert CLIENT_SECRET.encode() not in sealed
    shown = await auth.client.get(PATH, headers=bearer(admin))
    assert "secret" not in shown.text


async def test_a_secret_of_another_master_key_is_the_operators_affair(
    browser: Browser, provider: ScriptedProvider
) -> None:
    await browser.auth.database.execute("UPDATE connections SET sealed_secret = '\\x00'")
    assert_problem(await browser.log_in(provider), 503, "provider_unavailable")
    assert provider.asked == []


async def test_a_change_ends_the_log_ins_on_their_way(
    browser: Browser, provider: ScriptedProvider, admin: dict[str, Any]
) -> None:
    brought = provider.log_in(await browser.start())
    body = {"client_secret": "another one"}
    answer = await browser.auth.client.patch(f"{PATH}/other", json=body, headers=bearer(admin))
    assert answer.status_code == 200
    assert_problem(await browser.come_back(brought), 400, "sign_in_expired")
    assert (await browser.log_in(provider)).status_code == 303
    assert "another+one" not in str(provider.asked[0].form)


async def test_without_its_connection_an_account_stays_and_this_way_in_ends(
    browser: Browser, provider: ScriptedProvider, admin: dict[str, Any]
) -> None:
    await browser.log_in(provider)
    session = await browser.session()
    auth = browser.auth
    assert (await auth.client.delete(f"{PATH}/other", headers=bearer(admin))).status_code == 204
    own = await auth.client.get("/v1/auth/me/identities", headers=bearer(session))
    assert own.json()["items"][0]["connection_id"] is None
    # The same provider under another name is the same issuer: its people are who they were.
    await connect(auth, admin, id="again", issuer=provider.issuer)
    assert (await Browser(auth, "again").log_in(provider)).status_code == 303
    assert await auth.database.fetchval("SELECT count(*) FROM users") == 2


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"id": "Other"}, "id"),
        ({"id": "../x"}, "id"),
        ({"id": ""}, "id"),
        ({"name": ""}, "name"),
        ({"kind": "myspace"}, "kind"),
        ({"client_id": "a b"}, "client_id"),
        ({"client_secret": ""}, "client_secret"),
        ({"scopes": ["openid email"]}, "scopes.0"),
        ({"issuer": None}, "issuer"),
        ({"password": "x"}, "password"),
    ],
)
async def test_what_is_wrong_is_named(
    auth: AuthService,
    admin: dict[str, Any],
    provider: ScriptedProvider,
    body: dict[str, Any],
    field: str,
) -> None:
    answer = await connect(auth, admin, **({"issuer": provider.issuer} | body))
    assert_problem(answer, 422, "validation_failed")
    assert answer.json()["errors"][0]["field"] == field


async def test_an_id_is_given_once(
    browser: Browser, admin: dict[str, Any], provider: ScriptedProvider
) -> None:
    answer = await connect(browser.auth, admin, issuer=provider.issuer)
    assert_problem(answer, 422, "validation_failed")
    assert answer.json()["errors"][0]["field"] == "id"


async def test_connections_come_in_pages(auth: AuthService, admin: dict[str, Any]) -> None:
    for number in (2, 1, 3):
        await connect(auth, admin, id=f"google-{number}", name=f"Größe {number}", kind="google")
    first = (await auth.client.get(f"{PATH}?limit=2", headers=bearer(admin))).json()
    assert [item["id"] for item in first["items"]] == ["google-1", "google-2"]
    rest = await auth.client.get(f"{PATH}?cursor={first['next']}", headers=bearer(admin))
    assert [item["id"] for item in rest.json()["items"]] == ["google-3"]
    assert rest.json()["next"] is None


@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
async def test_a_connection_that_is_not_there(
    auth: AuthService, admin: dict[str, Any], method: str
) -> None:
    assert_problem(await send(auth, method, admin), 404, "connection_not_found")


async def test_a_request_sent_again_does_not_ask_the_provider_again(
    auth: AuthService, admin: dict[str, Any], provider: ScriptedProvider
) -> None:
    body = {
        "id": "other",
        "name": "Other House",
        "issuer": provider.issuer,
        "client_id": CLIENT_ID,
        "client_secret": CLIENT_SECRET,
    }
    headers = bearer(admin) | {"Idempotency-Key": "k"}
    first = await auth.client.post(PATH, json=body, headers=headers)
    assert first.status_code == 201
    assert provider.fetched == ["discovery"]
    async with running(auth.database, auth.settings) as another:  # which knows nothing of it yet
        again = await another.client.post(PATH, json=body, headers=headers)
    assert (again.status_code, again.json()) == (201, first.json())
    assert provider.fetched == ["discovery"]
    assert [action for action, _ in await actions(auth)] == ["connection.created"]
