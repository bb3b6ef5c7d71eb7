"""What administrators do with other people's accounts, and that nobody else does."""

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from tests.service.auth.auth_service import (
    AuthService,
    assert_problem,
    bearer,
    claims,
    make_administrator,
)

ADMIN, ADA = "admin@example.com", "ada@example.com"
NOBODY = "0190b0a0-0000-7000-8000-000000000001"
ROUTES = [
    ("GET", "/v1/auth/users"),
    ("GET", "/v1/auth/users/{id}"),
    ("PATCH", "/v1/auth/users/{id}"),
    ("DELETE", "/v1/auth/users/{id}"),
    ("POST", "/v1/auth/users/{id}/disable"),
    ("POST", "/v1/auth/users/{id}/enable"),
    ("GET", "/v1/auth/users/{id}/sessions"),
    ("DELETE", "/v1/auth/users/{id}/sessions"),
    ("GET", "/v1/auth/audit"),
]


async def call(
    auth: AuthService, method: str, path: str, session: dict[str, Any], body: object = None
) -> Any:
    return await auth.client.request(method, path, json=body, headers=bearer(session))


@pytest.fixture
async def admin(auth: AuthService) -> dict[str, Any]:
    return await make_administrator(auth, ADMIN)


@pytest.fixture
async def ada(auth: AuthService) -> dict[str, Any]:
    session = await auth.register(ADA)
    await auth.forget_events()
    return session


async def acts(auth: AuthService, admin: dict[str, Any], user_id: str) -> list[str]:
    """Return what was done to a user, newest first, sessions that were opened left out."""
    answer = await call(auth, "GET", f"/v1/auth/audit?user_id={user_id}", admin)
    actions = [entry["action"] for entry in answer.json()["items"]]
    others = {"session.opened", "account.created", "api_key.created"}
    return [action for action in actions if action not in others]


@pytest.mark.parametrize(("method", "path"), ROUTES)
async def test_only_an_administrator_in_a_session_may(
    auth: AuthService, admin: dict[str, Any], ada: dict[str, Any], method: str, path: str
) -> None:
    path = path.format(id=ada["user"]["id"])
    body = {} if method in {"POST", "PATCH"} else None
    key = await call(
        auth, "POST", "/v1/auth/api-keys", admin, {"name": "app", "scopes": ["jobs", "events"]}
    )
    exchanged = await auth.internal(
        "POST", "/internal/api-keys/exchange", source="gateway", body={"key": key.json()["key"]}
    )
    before = await auth.counts()

    assert (await auth.client.request(method, path, json=body)).status_code == 401
    for caller in (ada, exchanged.json()):
        answer = await call(auth, method, path, caller, body)
        assert_problem(answer, 403, "administrator_required")
    assert await auth.counts() == before
    assert (await call(auth, method, path, admin, body)).status_code in {200, 204}


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", [ADA, ADMIN]),
        ("?query=ad", [ADA, ADMIN]),
        ("?query=ADA@", [ADA]),
        ("?query=lovel", []),
        ("?query=a_a", []),
        ("?role=administrator", [ADMIN]),
        ("?role=nobody", []),
        ("?disabled=true", []),
        ("?disabled=false&query=adm", [ADMIN]),
    ],
)
@pytest.mark.usefixtures("ada")
async def test_accounts_are_found_by_what_they_begin_with(
    auth: AuthService, admin: dict[str, Any], query: str, found: list[str]
) -> None:
    answer = await call(auth, "GET", f"/v1/auth/users{query}", admin)
    assert sorted(item["email"] for item in answer.json()["items"]) == found
    assert "password_hash" not in answer.text


@pytest.mark.parametrize(
    "path", ["users/x", f"users/{NOBODY}", f"users/{NOBODY}/enable", f"users/{NOBODY}/disable"]
)
async def test_who_does_not_exist_is_not_found(
    auth: AuthService, admin: dict[str, Any], path: str
) -> None:
    method = "POST" if path.endswith("able") else "GET"
    answer = await call(auth, method, f"/v1/auth/{path}", admin, {} if method == "POST" else None)
    assert_problem(answer, 404, "user_not_found")


async def test_a_disabled_account_is_out_at_once_and_told_so_only_by_its_password(
    auth: AuthService, admin: dict[str, Any], ada: dict[str, Any]
) -> None:
    user_id = ada["user"]["id"]
    key = await call(
        auth, "POST", "/v1/auth/api-keys", ada, {"name": "app", "scopes": ["files:read"]}
    )
    path = f"/v1/auth/users/{user_id}"

    answer = await call(auth, "POST", f"{path}/disable", admin, {"reason": "spam"})
    again = await call(auth, "POST", f"{path}/disable", admin, {"reason": "twice"})

    assert (answer.status_code, again.status_code) == (200, 200)
    assert answer.json()["disabled_reason"] == again.json()["disabled_reason"] == "spam"
    assert await auth.revoked() == {claims(ada)["sid"], key.json()["id"]}
    assert await auth.event_types() == ["session.revoked", "session.revoked", "user.disabled"]
    assert (await auth.refresh(ada["refresh_token"])).status_code == 401
    assert_problem(await auth.log_in(ADA), 403, "account_disabled")
    assert_problem(await auth.log_in(ADA, "a wrong one"), 401, "invalid_credentials")
    exchange = await auth.internal(
        "POST", "/internal/api-keys/exchange", source="gateway", body={"key": key.json()["key"]}
    )
    assert_problem(exchange, 401, "api_key_invalid")

    answer = await call(auth, "POST", f"{path}/enable", admin)
    assert answer.json()["disabled_at"] is None
    assert (await auth.log_in(ADA)).status_code == 200
    assert await acts(auth, admin, user_id) == ["user.enabled", "login.failed", "user.disabled"]


async def test_other_roles_end_the_sessions_that_name_the_old_ones(
    auth: AuthService, admin: dict[str, Any], ada: dict[str, Any]
) -> None:
    path = f"/v1/auth/users/{ada['user']['id']}"
    await call(auth, "PUT", "/v1/auth/roles/editor", admin, {"permissions": []})
    answer = await call(auth, "PATCH", path, admin, {"roles": ["editor"], "name": "Ada"})

    assert (answer.json()["roles"], answer.json()["name"]) == (["editor"], "Ada")
    assert await auth.revoked() == {claims(ada)["sid"]}
    assert claims((await auth.log_in(ADA)).json())["roles"] == ["editor"]
    assert await acts(auth, admin, ada["user"]["id"]) == ["user.renamed", "roles.changed"]


async def test_ending_a_users_sessions(
    auth: AuthService, admin: dict[str, Any], ada: dict[str, Any]
) -> None:
    other = (await auth.log_in(ADA)).json()
    path = f"/v1/auth/users/{ada['user']['id']}/sessions"
    listed = await call(auth, "GET", path, admin)
    assert {item["id"] for item in listed.json()["items"]} == {
        claims(ada)["sid"],
        claims(other)["sid"],
    }
    assert (await call(auth, "DELETE", f"{path}/{claims(ada)['sid']}", admin)).status_code == 204
    assert await auth.revoked() == {claims(ada)["sid"]}
    assert (await call(auth, "DELETE", path, admin)).status_code == 204
    assert await auth.revoked() == {claims(ada)["sid"], claims(other)["sid"]}


async def test_a_deleted_account_is_gone_and_the_others_hear_of_it(
    auth: AuthService, admin: dict[str, Any], ada: dict[str, Any]
) -> None:
    await call(auth, "POST", "/v1/auth/api-keys", ada, {"name": "app", "scopes": ["files:read"]})
    answer = await call(auth, "DELETE", f"/v1/auth/users/{ada['user']['id']}", admin)

    assert answer.status_code == 204
    assert await auth.counts() == {"users": 1, "sessions": 2, "revocations": 2, "links": 1}
    assert (await auth.event_types())[-1] == "user.deleted"
    assert_problem(await auth.log_in(ADA), 401, "invalid_credentials")
    assert await acts(auth, admin, ada["user"]["id"]) == ["user.deleted"]


async def test_an_account_is_disabled_without_a_word_of_why(
    auth: AuthService, admin: dict[str, Any], ada: dict[str, Any]
) -> None:
    path = f"/v1/auth/users/{ada['user']['id']}/disable"
    answer = await auth.client.post(path, headers=bearer(admin))
    assert (answer.status_code, answer.json()["disabled_reason"]) == (200, None)
    assert await acts(auth, admin, ada["user"]["id"]) == ["user.disabled"]


@pytest.mark.parametrize("act", ["disable", "delete", "demote"])
async def test_the_last_administrator_stays(
    auth: AuthService, admin: dict[str, Any], act: str
) -> None:
    path = f"/v1/auth/users/{admin['user']['id']}"
    if act == "disable":
        answer = await call(auth, "POST", f"{path}/disable", admin, {})
    elif act == "delete":
        answer = await call(auth, "DELETE", path, admin)
    else:
        answer = await call(auth, "PATCH", path, admin, {"roles": []})
    assert_problem(answer, 409, "last_administrator")
    assert await auth.revoked() == set()


async def test_of_two_administrators_who_shut_each_other_out_one_stays(
    auth: AuthService, admin: dict[str, Any]
) -> None:
    other = await make_administrator(auth, "other@example.com")
    answers = await asyncio.gather(
        call(auth, "POST", f"/v1/auth/users/{other['user']['id']}/disable", admin, {}),
        call(auth, "POST", f"/v1/auth/users/{admin['user']['id']}/disable", other, {}),
    )
    assert sorted(answer.status_code for answer in answers) == [200, 409]


async def test_the_log_is_not_rewritten(auth: AuthService, admin: dict[str, Any]) -> None:
    del admin
    with pytest.raises(asyncpg.RaiseError, match="not changed"):
        await auth.database.execute("UPDATE audit_log SET action = 'x.y'")


@pytest.mark.parametrize(
    "change",
    [{"roles": ["administrator"], "name": "a\nb"}, {"roles": ["nothing"], "name": "Ada"}],
)
async def test_of_a_change_that_is_half_wrong_nothing_happens(
    auth: AuthService, admin: dict[str, Any], ada: dict[str, Any], change: dict[str, Any]
) -> None:
    answer = await call(auth, "PATCH", f"/v1/auth/users/{ada['user']['id']}", admin, change)

    assert_problem(answer, 422, "validation_failed")
    row = await auth.database.fetchrow("SELECT name, roles FROM users WHERE email = $1", ADA)
    assert row is not None
    assert (row["name"], row["roles"]) == (None, [])
    assert await acts(auth, admin, ada["user"]["id"]) == []
    assert await auth.events() == []


async def test_a_key_that_was_good_again_for_a_while_is_refused_anew(
    auth: AuthService, admin: dict[str, Any], ada: dict[str, Any]
) -> None:
    key = await call(
        auth, "POST", "/v1/auth/api-keys", ada, {"name": "app", "scopes": ["files:read"]}
    )
    path = f"/v1/auth/users/{ada['user']['id']}"
    left = "SELECT expires_at - now() FROM revocations WHERE session_id = $1"

    await call(auth, "POST", f"{path}/disable", admin, {})
    assert await auth.database.fetchval(left, UUID(key.json()["id"])) <= timedelta(minutes=2)
    await auth.database.execute(
        "UPDATE revocations SET expires_at = now() + interval '1 second', recorded_by = '3'"
    )
    cursor = (await auth.internal("GET", "/internal/revocations", source="gateway")).json()[
        "cursor"
    ]
    await call(auth, "POST", f"{path}/enable", admin)
    await call(auth, "POST", f"{path}/disable", admin, {})

    assert await auth.database.fetchval(left, UUID(key.json()["id"])) > timedelta(minutes=1)
    news = await auth.internal("GET", f"/internal/revocations?since={cursor}", source="gateway")
    assert key.json()["id"] in {item["session_id"] for item in news.json()["items"]}
