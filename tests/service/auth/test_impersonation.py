"""An administrator acts in somebody's name: for a while, for all to see, and never for good."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from tests.service.auth.auth_service import (
    PASSWORD,
    AuthService,
    assert_problem,
    bearer,
    claims,
    make_administrator,
)

ADMIN, ADA = "admin@example.com", "ada@example.com"
WHY = {"reason": "ticket 7"}


@pytest.fixture
async def admin(auth: AuthService) -> dict[str, Any]:
    return await make_administrator(auth, ADMIN)


@pytest.fixture
async def ada(auth: AuthService) -> dict[str, Any]:
    session = await auth.register(ADA)
    await auth.forget_events()
    return session


async def begin(
    auth: AuthService, admin: dict[str, Any], user: dict[str, Any], body: Any = WHY
) -> Any:
    return await auth.client.post(
        f"/v1/auth/users/{user['user']['id']}/impersonate",
        json=body,
        headers=bearer(admin) | {"x-real-ip": "203.0.113.99"},
    )


@pytest.fixture
async def acting(auth: AuthService, admin: dict[str, Any], ada: dict[str, Any]) -> dict[str, Any]:
    answer = await begin(auth, admin, ada)
    assert answer.status_code == 200, answer.text
    session: dict[str, Any] = answer.json()
    return session


async def test_the_session_is_the_users_names_who_acts_and_ends_within_the_hour(
    auth: AuthService, admin: dict[str, Any], ada: dict[str, Any], acting: dict[str, Any]
) -> None:
    said = claims(acting)
    assert (said["sub"], said["amr"]) == (ada["user"]["id"], [])
    assert said["act"] == {"sub": admin["user"]["id"]}
    refreshed = await auth.refresh(acting["refresh_token"])
    assert claims(refreshed.json())["act"] == said["act"]
    ends = await auth.database.fetchrow(
        "SELECT created_at, expires_at FROM sessions WHERE id = $1", UUID(said["sid"])
    )
    assert ends is not None
    assert ends["expires_at"] - ends["created_at"] == timedelta(hours=1)


async def test_it_leaves_the_administrators_cookie_alone(
    auth: AuthService, admin: dict[str, Any], ada: dict[str, Any]
) -> None:
    assert "set-cookie" not in (await begin(auth, admin, ada)).headers


async def test_the_user_sees_it_everywhere_and_where_the_administrator_was_nowhere(
    auth: AuthService, admin: dict[str, Any], ada: dict[str, Any], acting: dict[str, Any]
) -> None:
    sessions = (await auth.client.get("/v1/auth/sessions", headers=bearer(ada))).json()["items"]
    assert [session["impersonated"] for session in sessions] == [True, False]
    activity = await auth.client.get("/v1/auth/me/activity", headers=bearer(ada))
    act = activity.json()["items"][0]
    assert (act["action"], act["by_yourself"]) == ("impersonation.begun", False)
    assert (act["address"], act["user_agent"]) == (None, None)
    log = await auth.client.get("/v1/auth/audit?action=impersonation.begun", headers=bearer(admin))
    [entry] = log.json()["items"]
    assert (entry["actor_id"], entry["user_id"]) == (admin["user"]["id"], ada["user"]["id"])
    assert (entry["session_id"], entry["details"]) == (claims(acting)["sid"], WHY)
    assert datetime.fromisoformat(entry["at"])
    [link_id] = [
        UUID(event["data"]["link_id"])
        for event in await auth.events()
        if event["type"] == "notice.requested"
    ]
    mail = await auth.mail(link_id)
    assert (mail["to"], mail["template"]) == (ADA, "account_entered")
    assert mail["variables"]["reason"] == "ticket 7"


async def test_what_is_done_in_it_is_logged_as_the_administrators(
    auth: AuthService, admin: dict[str, Any], acting: dict[str, Any]
) -> None:
    await auth.client.patch("/v1/auth/me", json={"name": "Ada"}, headers=bearer(acting))
    await auth.client.post("/v1/auth/logout", headers=bearer(acting))
    log = await auth.client.get(
        f"/v1/auth/audit?actor_id={admin['user']['id']}&user_id={acting['user']['id']}",
        headers=bearer(admin),
    )
    actions = [entry["action"] for entry in log.json()["items"]]
    assert actions == ["session.ended", "user.renamed", "impersonation.begun"]


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/v1/auth/api-keys", {"name": "app", "scopes": ["files:read"]}),
        (
            "POST",
            "/v1/auth/password/change",
            {"current_password": PASSWORD, "password": "another good password"},
        ),
        ("POST", "/v1/auth/me/email", {"email": "thief@example.com"}),
        ("DELETE", "/v1/auth/me", None),
        ("GET", "/v1/auth/me/export", None),
        ("DELETE", "/v1/auth/sessions", None),
        ("POST", "/v1/auth/step-up", {"password": PASSWORD}),
        ("POST", "/v1/auth/mfa/totp", {}),
        ("GET", "/v1/auth/me/identities", None),
    ],
)
async def test_what_would_take_the_account_over_is_refused(
    auth: AuthService, acting: dict[str, Any], method: str, path: str, body: Any
) -> None:
    await auth.forget_events()
    before = await auth.counts()
    answer = await auth.client.request(method, path, json=body, headers=bearer(acting))
    assert_problem(answer, 403, "forbidden")
    assert (await auth.counts(), await auth.event_types()) == (before, [])


@pytest.mark.parametrize("end", ["demoted", "disabled", "sessions ended", "password changed"])
async def test_it_ends_with_the_administrators_own_sessions(
    auth: AuthService, admin: dict[str, Any], acting: dict[str, Any], end: str
) -> None:
    await auth.register("chief@example.com")
    await auth.database.execute(
        "UPDATE users SET roles = '{administrator}' WHERE email = 'chief@example.com'"
    )
    chief = bearer((await auth.log_in("chief@example.com")).json())
    path = f"/v1/auth/users/{admin['user']['id']}"
    if end == "demoted":
        await auth.client.patch(path, json={"roles": []}, headers=chief)
    elif end == "disabled":
        await auth.client.post(f"{path}/disable", json={}, headers=chief)
    elif end == "sessions ended":
        await auth.client.delete(f"{path}/sessions", headers=chief)
    else:
        body = {"current_password": PASSWORD, "password": "another good password"}
        await auth.client.post("/v1/auth/password/change", json=body, headers=bearer(admin))
    assert claims(acting)["sid"] in await auth.revoked()
    assert (await auth.refresh(acting["refresh_token"])).status_code == 401


async def test_the_user_ends_it_in_the_list_of_sessions(
    auth: AuthService, ada: dict[str, Any], acting: dict[str, Any]
) -> None:
    path = f"/v1/auth/sessions/{claims(acting)['sid']}"
    assert (await auth.client.delete(path, headers=bearer(ada))).status_code == 204
    assert await auth.revoked() == {claims(acting)["sid"]}


async def test_nobody_becomes_an_administrator_by_it(
    auth: AuthService, admin: dict[str, Any]
) -> None:
    assert_problem(await begin(auth, admin, admin), 403, "forbidden")


async def test_a_disabled_account_is_not_entered(
    auth: AuthService, admin: dict[str, Any], ada: dict[str, Any]
) -> None:
    path = f"/v1/auth/users/{ada['user']['id']}/disable"
    await auth.client.post(path, json={}, headers=bearer(admin))
    assert_problem(await begin(auth, admin, ada), 403, "account_disabled")


async def test_only_an_administrator_with_a_fresh_proof_may(
    auth: AuthService, admin: dict[str, Any], ada: dict[str, Any], acting: dict[str, Any]
) -> None:
    before = await auth.counts()
    for caller in (ada, acting):
        assert_problem(await begin(auth, caller, ada), 403, "administrator_required")
    await auth.database.execute(
        "UPDATE sessions SET authenticated_at = now() - interval '11 minutes'"
    )
    stale = (await auth.refresh(admin["refresh_token"])).json()
    assert_problem(await begin(auth, stale, ada), 403, "reauthentication_required")
    assert await auth.counts() == before


@pytest.mark.parametrize("body", [{}, {"reason": ""}, {"reason": "x" * 301}])
async def test_it_takes_a_reason(
    auth: AuthService, admin: dict[str, Any], ada: dict[str, Any], body: Any
) -> None:
    assert_problem(await begin(auth, admin, ada, body), 422, "validation_failed")
