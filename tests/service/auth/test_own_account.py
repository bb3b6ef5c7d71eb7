"""What people do with their own accounts: export, activity, deletion."""

from typing import Any

import pytest

from tests.service.auth.auth_service import AuthService, assert_problem, bearer, claims

EMAIL = "ada@example.com"


@pytest.fixture
async def session(auth: AuthService) -> dict[str, Any]:
    session = await auth.register(EMAIL)
    await auth.forget_events()
    return session


async def test_an_export_has_everything_but_secrets(
    auth: AuthService, session: dict[str, Any]
) -> None:
    key = await auth.client.post(
        "/v1/auth/api-keys", json={"name": "app", "scopes": ["files:read"]}, headers=bearer(session)
    )
    await auth.post("/v1/auth/organisations", {"name": "Acme"}, **bearer(session))
    answer = await auth.client.get("/v1/auth/me/export", headers=bearer(session))

    export = answer.json()
    assert answer.headers["content-disposition"].startswith("attachment")
    assert export["user"] == session["user"]
    assert [item["id"] for item in export["sessions"]] == [claims(session)["sid"]]
    assert [item["name"] for item in export["api_keys"]] == ["app"]
    assert [item["action"] for item in export["activity"]] == [
        *("organisation.created", "api_key.created", "session.opened", "account.created"),
    ]
    assert [(item["name"], item["role"]) for item in export["organisations"]] == [("Acme", "owner")]
    assert key.json()["key"] not in answer.text
    assert "hash" not in answer.text


async def test_deleting_takes_a_fresh_proof(auth: AuthService, session: dict[str, Any]) -> None:
    await auth.database.execute(
        "UPDATE sessions SET authenticated_at = now() - interval '11 minutes'"
    )
    stale = (await auth.refresh(session["refresh_token"])).json()
    answer = await auth.client.delete("/v1/auth/me", headers=bearer(stale))
    assert_problem(answer, 403, "reauthentication_required")
    assert await auth.counts() == {"users": 1, "sessions": 1}


async def test_activity_hides_where_an_administrator_was(
    auth: AuthService, session: dict[str, Any]
) -> None:
    await auth.register("admin@example.com")
    await auth.database.execute(
        "UPDATE users SET roles = '{administrator}' WHERE email = 'admin@example.com'"
    )
    admin = (await auth.log_in("admin@example.com")).json()
    await auth.client.patch(
        f"/v1/auth/users/{session['user']['id']}", json={"name": "Ada"}, headers=bearer(admin)
    )
    answer = await auth.client.get("/v1/auth/me/activity?limit=1", headers=bearer(session))
    [act] = answer.json()["items"]
    assert (act["action"], act["by_yourself"], act["address"]) == ("user.renamed", False, None)
    assert answer.json()["next"]
