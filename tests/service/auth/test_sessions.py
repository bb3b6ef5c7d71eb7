"""Sessions: refresh, replay, expiry, log-out, and the list."""

import asyncio
import base64
import re
from typing import Any
from uuid import UUID

import httpx2
import pytest

from services.auth import store
from shared.chassis.database import Database
from tests.service.auth.auth_service import (
    PASSWORD,
    AuthService,
    assert_problem,
    bearer,
    claims,
    running,
    settings,
)

EMAIL = "ada@example.com"


@pytest.fixture
async def session(auth: AuthService) -> dict[str, Any]:
    """A session whose refresh token is in the body; the outbox is empty again."""
    session = await auth.register(EMAIL)
    await auth.forget_events()
    return session


async def _age(database: Database, column: str, interval: str) -> None:
    await database.execute(
        f"UPDATE sessions SET {column} = {column} - $1::text::interval",
        interval,
    )


async def _assert_ended(auth: AuthService, session: dict[str, Any]) -> None:
    """The session is gone, the doors know, and one event says so; nothing else happened."""
    session_id = claims(session)["sid"]
    assert await auth.counts() == {"users": 1, "revocations": 1}
    assert await auth.revoked() == {session_id}
    [event] = await auth.events()
    assert event["type"] == "session.revoked"
    assert event["data"] == {"session_id": session_id, "user_id": session["user"]["id"]}


@pytest.mark.parametrize(
    ("public_url", "name", "attributes"),
    [
        (
            "http://127.0.0.1:8080",
            "freehold_refresh",
            ["HttpOnly", "Max-Age=…", "Path=/", "SameSite=Lax"],
        ),
        (
            "https://app.example.com",
            "__Host-freehold_refresh",
            ["HttpOnly", "Max-Age=…", "Path=/", "SameSite=Lax", "Secure"],
        ),
    ],
)
async def test_browsers_keep_the_refresh_token_in_a_cookie(
    database: Database, database_url: str, public_url: str, name: str, attributes: list[str]
) -> None:
    async with running(database, settings(database_url, public_url=public_url)) as auth:
        await auth.register(EMAIL)

        answer = await auth.post("/v1/auth/login", {"email": EMAIL, "password": PASSWORD})
        cookie = answer.headers.get_list("set-cookie")[0]
        auth.client.cookies.clear()
        refreshed = await auth.post(
            "/v1/auth/refresh", {}, cookie=cookie.partition(";")[0], origin=public_url
        )

    assert set(answer.json()) == {"access_token", "token_type", "expires_in", "user"}
    assert answer.json()["user"]["name"] is None
    assert cookie.startswith(f"{name}=")
    assert re.sub(r"Max-Age=\d+", "Max-Age=…", cookie).split("; ")[1:] == attributes
    assert refreshed.status_code == 200
    assert "refresh_token" not in refreshed.json()
    assert refreshed.headers["set-cookie"].startswith(f"{name}=")
    assert refreshed.headers["set-cookie"].split(";")[0] != cookie.split(";")[0]


async def test_a_refresh_replaces_the_token_and_nothing_else(
    auth: AuthService, session: dict[str, Any]
) -> None:
    before = await auth.counts()

    answer = await auth.refresh(session["refresh_token"])

    renewed = answer.json()
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    assert renewed["refresh_token"] != session["refresh_token"]
    assert renewed["access_token"] != session["access_token"]
    assert renewed["user"] == session["user"]
    assert claims(renewed)["sid"] == claims(session)["sid"]
    assert await auth.counts() == before
    assert await auth.events() == []


@pytest.mark.usefixtures("long_grace")
async def test_the_token_just_replaced_yields_the_current_one(
    auth: AuthService, session: dict[str, Any]
) -> None:
    current = (await auth.refresh(session["refresh_token"])).json()["refresh_token"]

    for _ in range(3):
        repeated = await auth.refresh(session["refresh_token"])
        assert repeated.status_code == 200
        assert repeated.json()["refresh_token"] == current
    assert (await auth.refresh(current)).status_code == 200
    assert await auth.events() == []


@pytest.mark.usefixtures("long_grace")
async def test_many_tabs_refreshing_at_once_all_stay_logged_in(
    auth: AuthService, session: dict[str, Any]
) -> None:
    answers = await asyncio.gather(*(auth.refresh(session["refresh_token"]) for _ in range(10)))

    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.json()["refresh_token"] for answer in answers}) == 1
    assert await auth.events() == []


@pytest.mark.parametrize("passed", ["11 seconds", "-1 hour"])
async def test_a_replaced_token_outside_the_grace_ends_the_session(
    auth: AuthService, session: dict[str, Any], passed: str
) -> None:
    current = (await auth.refresh(session["refresh_token"])).json()
    await _age(auth.database, "refreshed_at", passed)

    replayed = await auth.refresh(session["refresh_token"])

    assert_problem(replayed, 401, "refresh_token_reused")
    await _assert_ended(auth, session)
    assert_problem(await auth.refresh(current["refresh_token"]), 401, "refresh_token_invalid")
    assert await auth.event_types() == ["session.revoked"]


async def test_an_older_token_ends_the_session_at_once(
    auth: AuthService, session: dict[str, Any]
) -> None:
    second = (await auth.refresh(session["refresh_token"])).json()
    third = (await auth.refresh(second["refresh_token"])).json()

    replayed = await auth.refresh(session["refresh_token"])

    assert_problem(replayed, 401, "refresh_token_reused")
    await _assert_ended(auth, session)
    assert_problem(await auth.refresh(third["refresh_token"]), 401, "refresh_token_invalid")
    entry = await auth.database.fetchrow("SELECT * FROM audit_log ORDER BY id DESC LIMIT 1")
    assert (entry["action"], entry["actor_id"]) == ("session.copied", None), "by whom is not known"
    assert (str(entry["user_id"]), str(entry["session_id"])) == (
        session["user"]["id"],
        claims(session)["sid"],
    )


@pytest.mark.parametrize("replays", [2, 10])
async def test_replays_at_once_end_the_session_once(
    auth: AuthService, session: dict[str, Any], replays: int
) -> None:
    second = (await auth.refresh(session["refresh_token"])).json()
    await auth.refresh(second["refresh_token"])

    answers = await asyncio.gather(
        *(auth.refresh(session["refresh_token"]) for _ in range(replays))
    )

    assert {answer.status_code for answer in answers} == {401}
    await _assert_ended(auth, session)


@pytest.mark.parametrize(
    ("column", "interval"), [("idle_expires_at", "14 days"), ("expires_at", "30 days")]
)
@pytest.mark.parametrize("within_grace", [False, True])
async def test_an_expired_session_stays_dead(
    auth: AuthService, session: dict[str, Any], *, column: str, interval: str, within_grace: bool
) -> None:
    current = (await auth.refresh(session["refresh_token"])).json()["refresh_token"]
    await _age(auth.database, "created_at", "30 days 1 minute")
    if column == "expires_at":
        await _age(auth.database, "idle_expires_at", interval)
    await _age(auth.database, column, interval)

    token = session["refresh_token"] if within_grace else current

    assert_problem(await auth.refresh(token), 401, "refresh_token_invalid")
    assert await auth.events() == []


async def test_use_moves_the_idle_end_but_never_past_the_absolute_one(
    auth: AuthService, session: dict[str, Any]
) -> None:
    await _age(auth.database, "created_at", "29 days")
    await _age(auth.database, "idle_expires_at", "29 days")
    await auth.database.execute("UPDATE sessions SET idle_expires_at = now() + interval '1 hour'")
    await _age(auth.database, "expires_at", "29 days")

    assert (await auth.refresh(session["refresh_token"])).status_code == 200

    row = await auth.database.fetchrow("SELECT idle_expires_at = expires_at AS met FROM sessions")
    assert row is not None
    assert row["met"]


async def test_an_access_token_does_not_outlast_its_session(
    auth: AuthService, session: dict[str, Any]
) -> None:
    await _age(auth.database, "created_at", "29 days 23:55")
    await auth.database.execute(
        "UPDATE sessions SET expires_at = now() + interval '5 minutes',"
        " idle_expires_at = now() + interval '5 minutes'"
    )

    renewed = (await auth.refresh(session["refresh_token"])).json()

    assert 200 <= renewed["expires_in"] <= 300
    assert claims(renewed)["exp"] - claims(renewed)["iat"] == renewed["expires_in"]


def _with_counter(token: str, counter: int) -> str:
    data = base64.urlsafe_b64decode(token + "=")
    return base64.urlsafe_b64encode(data[:16] + counter.to_bytes(8, "big") + data[24:]).decode()


async def test_made_up_refresh_tokens_end_nothing(
    auth: AuthService, session: dict[str, Any]
) -> None:
    token = session["refresh_token"]
    for made_up in ("x", "ü", token[:-4], token[::-1], _with_counter(token, 1).rstrip("=")):
        assert_problem(await auth.refresh(made_up), 401, "refresh_token_invalid")
    assert (await auth.refresh(token)).status_code == 200
    assert await auth.events() == []


async def test_a_token_in_the_body_outranks_the_cookie_and_delivery_stays(
    auth: AuthService, session: dict[str, Any]
) -> None:
    opened = await auth.post("/v1/auth/login", {"email": EMAIL, "password": PASSWORD})
    auth.client.cookies.clear()
    cookie = opened.headers["set-cookie"].partition(";")[0]

    both = await auth.post(
        "/v1/auth/refresh", {"refresh_token": session["refresh_token"]}, cookie=cookie
    )
    by_body = await auth.post("/v1/auth/refresh", {"refresh_token": cookie.partition("=")[2]})

    assert claims(both.json())["sid"] == claims(session)["sid"]
    assert both.json()["refresh_token"]
    assert "set-cookie" not in both.headers
    assert claims(by_body.json())["sid"] == claims(opened.json())["sid"]
    assert "refresh_token" not in by_body.json()
    assert "set-cookie" in by_body.headers


@pytest.mark.parametrize(
    ("headers", "content", "status", "code"),
    [
        ({}, b"", 415, "unsupported_media_type"),
        ({"Authorization": "Bearer x"}, b"", 415, "unsupported_media_type"),
        (
            {"Content-Type": "application/x-www-form-urlencoded"},
            b"",
            415,
            "unsupported_media_type",
        ),
        (
            {"Content-Type": "application/json", "Origin": "https://evil.example"},
            b"{}",
            403,
            "origin_not_allowed",
        ),
        ({"Content-Type": "application/json"}, b"", 200, None),
        ({"Content-Type": "application/json; charset=utf-8"}, b"{}", 200, None),
    ],
)
async def test_another_site_cannot_refresh_with_the_cookie(
    auth: AuthService, headers: dict[str, str], content: bytes, status: int, code: str | None
) -> None:
    await auth.register(EMAIL)
    opened = await auth.post("/v1/auth/login", {"email": EMAIL, "password": PASSWORD})
    auth.client.cookies.clear()
    cookie = opened.headers["set-cookie"].partition(";")[0]

    answer = await auth.client.post(
        "/v1/auth/refresh", headers={**headers, "Cookie": cookie}, content=content
    )

    assert answer.status_code == status
    if code is not None:
        assert_problem(answer, status, code)
    counters = await auth.database.fetch("SELECT refresh_counter FROM sessions ORDER BY id")
    assert counters[-1]["refresh_counter"] == (1 if status == 200 else 0)


async def test_a_dead_cookie_is_taken_back(auth: AuthService) -> None:
    for headers in ({"cookie": "freehold_refresh=nonsense"}, {}):
        answer = await auth.post("/v1/auth/refresh", {}, **headers)
        assert_problem(answer, 401, "refresh_token_invalid")
        assert ("Max-Age=0" in answer.headers.get("set-cookie", "")) is bool(headers)


async def test_log_out_ends_the_session_everywhere(
    auth: AuthService, session: dict[str, Any]
) -> None:
    answer = await auth.post("/v1/auth/logout", {}, **bearer(session))

    assert answer.status_code == 204
    assert answer.content == b""
    assert "Max-Age=0" in answer.headers["set-cookie"]
    await _assert_ended(auth, session)
    assert_problem(await auth.refresh(session["refresh_token"]), 401, "refresh_token_invalid")

    again = await auth.post("/v1/auth/logout", {}, **bearer(session))
    assert again.status_code == 204
    await _assert_ended(auth, session)


async def _listed(auth: AuthService, session: dict[str, Any], **query: str) -> httpx2.Response:
    return await auth.client.get("/v1/auth/sessions", headers=bearer(session), params=query)


async def test_a_user_lists_and_ends_own_sessions_only(
    auth: AuthService, session: dict[str, Any]
) -> None:
    other = (await auth.log_in(EMAIL)).json()
    stranger = await auth.register("eve@example.com")
    await auth.forget_events()

    listed = (await _listed(auth, session)).json()
    assert [item["id"] for item in listed["items"]] == [
        claims(other)["sid"],
        claims(session)["sid"],
    ]
    assert [item["current"] for item in listed["items"]] == [False, True]
    assert listed["next"] is None

    foreign = f"/v1/auth/sessions/{claims(stranger)['sid']}"
    refused = await auth.client.delete(foreign, headers=bearer(session))
    assert_problem(refused, 404, "session_not_found")
    unknown = await auth.client.delete("/v1/auth/sessions/x", headers=bearer(session))
    assert_problem(unknown, 404, "session_not_found")
    assert await auth.events() == []

    mine = f"/v1/auth/sessions/{claims(other)['sid']}"
    assert (await auth.client.delete(mine, headers=bearer(session))).status_code == 204
    assert await auth.revoked() == {claims(other)["sid"]}
    assert await auth.event_types() == ["session.revoked"]
    assert (await auth.refresh(stranger["refresh_token"])).status_code == 200


async def test_s9_ending_other_sessions_takes_a_fresh_proof(
    auth: AuthService, session: dict[str, Any]
) -> None:
    other = (await auth.log_in(EMAIL)).json()
    await auth.database.execute(
        "UPDATE sessions SET authenticated_at = now() - interval '11 minutes'"
    )
    stale = (await auth.refresh(session["refresh_token"])).json()
    for path in ("/v1/auth/sessions", f"/v1/auth/sessions/{claims(other)['sid']}"):
        answer = await auth.client.delete(path, headers=bearer(stale))
        assert_problem(answer, 403, "reauthentication_required")
    assert await auth.revoked() == set()

    own = f"/v1/auth/sessions/{claims(stale)['sid']}"
    assert (await auth.client.delete(own, headers=bearer(stale))).status_code == 204
    assert await auth.revoked() == {claims(stale)["sid"]}


async def test_ending_all_others_keeps_the_callers_own(
    auth: AuthService, session: dict[str, Any]
) -> None:
    others = [(await auth.log_in(EMAIL)).json() for _ in range(3)]
    await auth.register("eve@example.com")
    await auth.forget_events()

    answer = await auth.client.delete("/v1/auth/sessions", headers=bearer(session))

    assert answer.status_code == 204
    assert await auth.revoked() == {claims(other)["sid"] for other in others}
    assert await auth.event_types() == ["session.revoked"] * 3
    assert await auth.counts() == {"users": 2, "sessions": 2, "revocations": 3}
    assert (await auth.refresh(session["refresh_token"])).status_code == 200


async def test_the_list_comes_in_pages(auth: AuthService, session: dict[str, Any]) -> None:
    for _ in range(4):
        await auth.log_in(EMAIL)

    pages: list[list[str]] = []
    query: dict[str, str] = {"limit": "2"}
    while True:
        page = (await _listed(auth, session, **query)).json()
        pages.append([item["id"] for item in page["items"]])
        if page["next"] is None:
            break
        query["cursor"] = page["next"]

    assert [len(page) for page in pages] == [2, 2, 1]
    assert len({item for page in pages for item in page}) == 5
    assert_problem(await _listed(auth, session, cursor="x"), 400, "invalid_cursor")
    assert_problem(await _listed(auth, session, limit="101"), 422, "validation_failed")


async def test_beyond_a_thousand_the_session_unused_for_longest_ends(
    auth: AuthService, session: dict[str, Any]
) -> None:
    await auth.database.execute(
        "INSERT INTO sessions (id, user_id, token_delivery, refreshed_at, idle_expires_at,"
        "                      expires_at, methods)"
        " SELECT gen_random_uuid(), user_id, token_delivery, now() - interval '1 minute',"
        "        idle_expires_at, expires_at, methods FROM sessions, generate_series(1, 998)"
    )
    await _age(auth.database, "refreshed_at", "1 hour")
    kept = (await auth.log_in(EMAIL)).json()
    assert await auth.revoked() == set()

    await auth.refresh(session["refresh_token"])
    await auth.log_in(EMAIL)

    [ended] = await auth.revoked()
    assert ended not in {claims(session)["sid"], claims(kept)["sid"]}
    assert (await auth.counts())["sessions"] == 1000


async def test_sessions_within_a_thousand_are_not_held_while_another_one_opens(
    auth: AuthService, session: dict[str, Any]
) -> None:
    async with auth.database.transaction() as opening:
        user_id = UUID(session["user"]["id"])
        assert await store.end_surplus_sessions(opening, user_id, keep=1000) == []
        async with auth.database.transaction() as other:
            free = await other.fetch("SELECT id FROM sessions FOR UPDATE SKIP LOCKED")
    assert [str(row["id"]) for row in free] == [claims(session)["sid"]]
