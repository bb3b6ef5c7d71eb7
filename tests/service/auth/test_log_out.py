"""Logging out by what is at hand: an access token, a refresh token in the body, or the cookie."""

import asyncio
from typing import Any

import httpx2
import pytest

from tests.service.auth.auth_service import (
    ALLOWED_ORIGIN,
    PASSWORD,
    PUBLIC_URL,
    AuthService,
    assert_problem,
    bearer,
    claims,
    make_administrator,
)

EMAIL = "ada@example.com"
LOG_OUT = "/v1/auth/logout"
JSON = {"Content-Type": "application/json"}


@pytest.fixture
async def session(auth: AuthService) -> dict[str, Any]:
    """A session with its refresh token in the body; log and outbox are empty again."""
    session = await auth.register(EMAIL)
    await _forget(auth)
    return session


async def _forget(auth: AuthService) -> None:
    await auth.forget_events()
    await auth.database.execute("TRUNCATE audit_log")


async def _open_in_browser(auth: AuthService) -> tuple[dict[str, Any], str]:
    """Open a session for the cookie and return it with the header that a browser sends."""
    opened = await auth.post("/v1/auth/login", {"email": EMAIL, "password": PASSWORD})
    auth.client.cookies.clear()
    await _forget(auth)
    return opened.json(), opened.headers["set-cookie"].partition(";")[0]


async def _log_out(auth: AuthService, content: bytes = b"", **headers: str) -> httpx2.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return await auth.client.post(LOG_OUT, content=content, headers=named)


def _assert_done(answer: httpx2.Response) -> None:
    assert (answer.status_code, answer.content) == (204, b""), answer.text
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith("freehold_refresh=;")
    assert "Max-Age=0" in cookie


async def _assert_ended(auth: AuthService, *ended: dict[str, Any], act: str) -> None:
    """These sessions ended, the doors, the log and one event each say so, and nothing else."""
    ids = [claims(session)["sid"] for session in ended]
    assert await auth.revoked() == set(ids)
    rows = await auth.database.fetch("SELECT * FROM audit_log ORDER BY id")
    assert [(row["action"], str(row["session_id"])) for row in rows] == [(act, one) for one in ids]
    events = await auth.events()
    assert [event["type"] for event in events] == ["session.revoked"] * len(ids)
    assert [event["data"]["session_id"] for event in events] == ids


async def _assert_nothing_happened(auth: AuthService) -> None:
    assert (await auth.events(), await auth.acts(), await auth.revoked()) == ([], [], set())


@pytest.mark.parametrize("origin", [{}, {"Origin": PUBLIC_URL}, {"Origin": ALLOWED_ORIGIN}])
@pytest.mark.parametrize("content", [b"", b"{}", b'{"refresh_token": null}'])
async def test_the_cookie_alone_ends_its_session(
    auth: AuthService, session: dict[str, Any], origin: dict[str, str], content: bytes
) -> None:
    opened, cookie = await _open_in_browser(auth)

    _assert_done(await _log_out(auth, content, Cookie=cookie, **JSON, **origin))

    await _assert_ended(auth, opened, act="session.ended")
    row = await auth.database.fetchrow("SELECT user_id, actor_id FROM audit_log")
    assert {str(row["user_id"]), str(row["actor_id"])} == {session["user"]["id"]}
    refused = await auth.post("/v1/auth/refresh", {}, Cookie=cookie)
    assert_problem(refused, 401, "refresh_token_invalid")
    assert (await auth.refresh(session["refresh_token"])).status_code == 200

    _assert_done(await _log_out(auth, content, Cookie=cookie, **JSON, **origin))
    await _assert_ended(auth, opened, act="session.ended")


async def test_a_token_in_the_body_outranks_the_cookie(
    auth: AuthService, session: dict[str, Any]
) -> None:
    _, cookie = await _open_in_browser(auth)
    body = {"refresh_token": session["refresh_token"]}

    _assert_done(await auth.post(LOG_OUT, body, Cookie=cookie))

    await _assert_ended(auth, session, act="session.ended")
    assert (await auth.post("/v1/auth/refresh", {}, Cookie=cookie)).status_code == 200


async def test_a_live_access_token_outranks_both_and_needs_no_body(
    auth: AuthService, session: dict[str, Any]
) -> None:
    other = (await auth.log_in(EMAIL)).json()
    opened, cookie = await _open_in_browser(auth)
    body = f'{{"refresh_token": "{session["refresh_token"]}"}}'.encode()

    for content, headers in ((b"", {}), (body, {}), (b"no json", {"Origin": "https://evil.test"})):
        _assert_done(await _log_out(auth, content, Cookie=cookie, **bearer(other), **headers))

    await _assert_ended(auth, other, act="session.ended")
    assert (await auth.refresh(session["refresh_token"])).status_code == 200
    assert (await auth.post("/v1/auth/refresh", {}, Cookie=cookie)).status_code == 200
    assert claims(opened)["sid"] not in await auth.revoked()


async def test_who_comes_back_with_an_access_token_that_ran_out_logs_out_by_the_cookie(
    auth: AuthService, session: dict[str, Any]
) -> None:
    _, cookie = await _open_in_browser(auth)
    await auth.database.execute(
        "UPDATE sessions SET expires_at = now() + interval '1.2 seconds',"
        " idle_expires_at = now() + interval '1.2 seconds' WHERE id = $1",
        claims(session)["sid"],
    )
    short = (await auth.refresh(session["refresh_token"])).json()
    await asyncio.sleep(1.3)

    alone = await _log_out(auth, **JSON, **bearer(short))
    by_cookie = await _log_out(auth, Cookie=cookie, **JSON, **bearer(short))

    assert_problem(alone, 401, "token_expired")
    _assert_done(by_cookie)
    assert await auth.event_types() == ["session.revoked"]
    refused = await auth.post("/v1/auth/refresh", {}, Cookie=cookie)
    assert_problem(refused, 401, "refresh_token_invalid")


@pytest.mark.usefixtures("session")
async def test_a_token_that_is_wrong_is_not_passed_over_for_the_cookie(auth: AuthService) -> None:
    _, cookie = await _open_in_browser(auth)
    answer = await _log_out(auth, Cookie=cookie, **JSON, Authorization="Bearer a.b.c")
    assert_problem(answer, 401, "token_invalid")
    await _assert_nothing_happened(auth)


@pytest.mark.parametrize(
    ("headers", "content", "status", "code"),
    [
        ({}, b"", 415, "unsupported_media_type"),
        ({"Content-Type": "text/plain"}, b"{}", 415, "unsupported_media_type"),
        (JSON | {"Origin": "https://evil.example"}, b"{}", 403, "origin_not_allowed"),
        (JSON | {"Origin": "null"}, b"", 403, "origin_not_allowed"),
    ],
)
@pytest.mark.usefixtures("session")
async def test_s12_another_site_cannot_log_somebody_out(
    auth: AuthService,
    *,
    headers: dict[str, str],
    content: bytes,
    status: int,
    code: str,
) -> None:
    _, cookie = await _open_in_browser(auth)

    answer = await _log_out(auth, content, Cookie=cookie, **headers)

    assert_problem(answer, status, code)
    assert "set-cookie" not in answer.headers
    await _assert_nothing_happened(auth)
    assert (await auth.post("/v1/auth/refresh", {}, Cookie=cookie)).status_code == 200


@pytest.mark.parametrize("token", ["nonsense", "ü", "ended", "expired"])
async def test_what_opens_no_session_any_more_is_no_error(
    auth: AuthService, session: dict[str, Any], token: str
) -> None:
    if token == "ended":
        await auth.post(LOG_OUT, {}, **bearer(session))
        token = session["refresh_token"]
    elif token == "expired":
        await auth.database.execute(
            "UPDATE sessions SET created_at = created_at - interval '15 days',"
            " idle_expires_at = now() - interval '1 second'"
        )
        token = session["refresh_token"]
    revoked = await auth.revoked()
    await _forget(auth)

    _assert_done(await auth.post(LOG_OUT, {"refresh_token": token}))

    assert (await auth.events(), await auth.acts()) == ([], [])
    assert await auth.revoked() == revoked


@pytest.mark.usefixtures("session")
@pytest.mark.parametrize(("content", "headers"), [(b"", {}), (b"", JSON), (b"{}", JSON)])
async def test_nothing_that_names_a_session_is_a_401(
    auth: AuthService, content: bytes, headers: dict[str, str]
) -> None:
    for cookie in ({}, {"Cookie": "freehold_refresh="}, {"Cookie": "other=1"}):
        answer = await _log_out(auth, content, **headers, **cookie)
        assert_problem(answer, 401, "authentication_required")
        assert answer.headers["www-authenticate"] == "Bearer"
    await _assert_nothing_happened(auth)


async def test_the_token_just_replaced_logs_out_and_an_older_one_counts_as_copied(
    auth: AuthService, session: dict[str, Any]
) -> None:
    other = (await auth.log_in(EMAIL)).json()
    await auth.refresh(other["refresh_token"])
    second = (await auth.refresh(session["refresh_token"])).json()
    await auth.refresh(second["refresh_token"])
    await _forget(auth)

    _assert_done(await auth.post(LOG_OUT, {"refresh_token": other["refresh_token"]}))
    await _assert_ended(auth, other, act="session.ended")
    await _forget(auth)
    await auth.database.execute("DELETE FROM revocations")
    _assert_done(await auth.post(LOG_OUT, {"refresh_token": session["refresh_token"]}))
    await _assert_ended(auth, session, act="session.copied")


async def test_log_outs_and_refreshes_at_once_end_the_session_once(
    auth: AuthService, session: dict[str, Any]
) -> None:
    token = session["refresh_token"]
    answers = await asyncio.gather(
        *(auth.post(LOG_OUT, {"refresh_token": token}) for _ in range(5)),
        *(auth.post(LOG_OUT, {}, **bearer(session)) for _ in range(3)),
        *(auth.refresh(token) for _ in range(3)),
    )
    assert {answer.status_code for answer in answers[:8]} == {204}
    assert {answer.status_code for answer in answers[8:]} <= {200, 401}
    await _assert_ended(auth, session, act="session.ended")


async def test_whoever_acts_in_somebodys_name_stands_in_the_log(auth: AuthService) -> None:
    admin = await make_administrator(auth)
    ada = await auth.register(EMAIL)
    acting = await auth.post(
        f"/v1/auth/users/{ada['user']['id']}/impersonate", {"reason": "ticket 7"}, **bearer(admin)
    )
    await _forget(auth)

    _assert_done(await auth.post(LOG_OUT, {"refresh_token": acting.json()["refresh_token"]}))

    row = await auth.database.fetchrow("SELECT user_id, actor_id FROM audit_log")
    assert (str(row["user_id"]), str(row["actor_id"])) == (ada["user"]["id"], admin["user"]["id"])


async def test_another_field_is_named(auth: AuthService, session: dict[str, Any]) -> None:
    answer = await auth.post(LOG_OUT, {"token": session["refresh_token"]})
    assert_problem(answer, 422, "validation_failed")
    assert [error["field"] for error in answer.json()["errors"]] == ["token"]
    await _assert_nothing_happened(auth)
