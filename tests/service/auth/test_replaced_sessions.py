"""A log-in takes the place of the session that its browser had, whosever that was."""

import asyncio
from typing import Any
from uuid import UUID

import httpx2
import pytest

from tests.service.auth.auth_service import (
    PASSWORD,
    PUBLIC_URL,
    AuthService,
    assert_problem,
    bearer,
    claims,
)
from tests.service.auth.authenticator import enrol, mfa_token
from tests.service.auth.oauth_application import EMAIL, Application

OTHER = "grace@example.com"
COOKIE = "freehold_refresh"
ENDS = "SELECT action, user_id::text, actor_id::text, session_id::text, details FROM audit_log"


@pytest.fixture
async def session(auth: AuthService) -> dict[str, Any]:
    """The session that Ada's browser has, of two that she has."""
    await auth.register(EMAIL)
    return await enter(auth, EMAIL)


async def enter(auth: AuthService, email: str, **headers: str) -> dict[str, Any]:
    """Log in at a browser, and return the session with its refresh token."""
    return kept(auth, await auth.post("/v1/auth/login", by_password(email), **headers))


def by_password(email: str, password: str = PASSWORD) -> dict[str, str]:
    return {"email": email, "password": password}


def kept(auth: AuthService, answer: httpx2.Response) -> dict[str, Any]:
    """Return a session that came by cookie; the tests say which cookies a request carries."""
    assert answer.status_code == 200, answer.text
    token = answer.cookies[COOKIE]
    auth.client.cookies.clear()
    return {**answer.json(), "refresh_token": token}


def cookie_of(session: dict[str, Any]) -> dict[str, str]:
    return by_browser(f"{COOKIE}={session['refresh_token']}")


def by_browser(cookie: str) -> dict[str, str]:
    """Return the headers by which a browser's posts are known."""
    return {"cookie": cookie, "origin": PUBLIC_URL}


def sid(session: dict[str, Any]) -> str:
    return str(claims(session)["sid"])


async def live(auth: AuthService) -> set[str]:
    return {row["id"] for row in await auth.database.fetch("SELECT id::text FROM sessions")}


async def revoked_events(auth: AuthService) -> list[str]:
    """Return the sessions whose end was told, as often as it was."""
    events = await auth.events()
    return [event["data"]["session_id"] for event in events if event["type"] == "session.revoked"]


async def ends_logged(auth: AuthService) -> list[dict[str, Any]]:
    rows = await auth.database.fetch(
        f"{ENDS} WHERE action IN ('session.ended', 'session.copied') ORDER BY id"
    )
    return [dict(row) for row in rows]


def replaced(before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
    """Return what the log says of a session and the one that took its place."""
    return {
        "action": "session.ended",
        "user_id": before["user"]["id"],
        "actor_id": after["user"]["id"],
        "session_id": sid(before),
        "details": {"replaced_by": sid(after)},
    }


def copied(before: dict[str, Any]) -> dict[str, Any]:
    """Return what the log says of a session whose refresh token somebody copied."""
    return {
        "action": "session.copied",
        "user_id": before["user"]["id"],
        "actor_id": None,
        "session_id": sid(before),
        "details": {},
    }


@pytest.mark.parametrize("way", ["password", "mail", "second step", "sign-up"])
async def test_however_somebody_logs_in_the_session_of_the_browser_ends(
    auth: AuthService, session: dict[str, Any], way: str
) -> None:
    path, body = "/v1/auth/login", by_password(EMAIL)
    if way == "mail":
        await auth.post("/v1/auth/magic-link", {"email": EMAIL})
        link_id = UUID((await auth.events())[-1]["data"]["link_id"])
        path, body = "/v1/auth/magic-link/verify", {"token": await auth.mailed_token(link_id)}
    if way == "second step":
        app = await enrol(auth, session)
        asked = await auth.post(path, body, **cookie_of(session))
        path = "/v1/auth/mfa/totp/verify"
        body = {"mfa_token": asked.json()["mfa_token"], "code": app.code()}
    if way == "sign-up":
        token = await auth.mailed_token(await auth.sign_up(OTHER))
        path, body = "/v1/auth/verify", {"token": token}
    before = await live(auth)
    assert sid(session) in before, "the first step of two ends nothing"

    after = kept(auth, await auth.post(path, body, **cookie_of(session)))

    assert await live(auth) == before - {sid(session)} | {sid(after)}
    assert await auth.revoked() == {sid(session)}
    assert await revoked_events(auth) == [sid(session)]
    assert await ends_logged(auth) == [replaced(session, after)]
    assert_problem(await auth.refresh(session["refresh_token"]), 401, "refresh_token_invalid")
    assert (await auth.refresh(after["refresh_token"])).status_code == 200


async def test_another_account_takes_the_place_as_well(
    auth: AuthService, session: dict[str, Any]
) -> None:
    await auth.register(OTHER)
    before = await live(auth)

    after = await enter(auth, OTHER, **cookie_of(session))

    assert await live(auth) == before - {sid(session)} | {sid(after)}
    assert await revoked_events(auth) == [sid(session)]
    assert await ends_logged(auth) == [replaced(session, after)]
    other = (await auth.log_in(EMAIL)).json()
    activity = await auth.client.get("/v1/auth/me/activity", headers=bearer(other))
    [ended] = [act for act in activity.json()["items"] if act["action"] == "session.ended"]
    assert (ended["by_yourself"], ended["address"], ended["user_agent"]) == (False, None, None)


async def test_applications_stay_signed_in_with_the_same_account(application: Application) -> None:
    auth, first = application.auth, application.session
    tokens = await application.sign_in()
    second = await enter(auth, EMAIL, **by_browser(application.cookie))

    assert (await application.userinfo(tokens["access_token"])).status_code == 200
    renewed = await application.token(
        grant_type="refresh_token", refresh_token=tokens["refresh_token"]
    )
    assert renewed.status_code == 200
    rows = await auth.database.fetch("SELECT session_id::text, sid::text FROM oauth_participants")
    assert [(row["session_id"], row["sid"]) for row in rows] == [(sid(second), sid(first))]
    await auth.post("/v1/auth/logout", {}, **bearer(second))
    assert (await application.userinfo(tokens["access_token"])).status_code == 401


async def test_applications_are_signed_out_with_another_account(application: Application) -> None:
    auth, first = application.auth, application.session
    tokens = await application.sign_in()
    await auth.register(OTHER)
    await enter(auth, OTHER, **by_browser(application.cookie))

    assert (await application.userinfo(tokens["access_token"])).status_code == 401
    rows = await auth.database.fetch("SELECT session_id::text FROM oauth_participants")
    assert [row["session_id"] for row in rows] == [sid(first)], "who is to be told of it"


@pytest.mark.parametrize("asks_first", [False, True])
async def test_who_wants_the_tokens_in_the_body_replaces_nothing(
    auth: AuthService,
    session: dict[str, Any],
    asks_first: bool,  # noqa: FBT001 - a parameter of the table
) -> None:
    before = await live(auth)
    if asks_first:
        app = await enrol(auth, session)
        token = await mfa_token(auth, EMAIL)
        body = {"mfa_token": token, "code": app.code()}
        answer = await auth.post("/v1/auth/mfa/totp/verify", body, **cookie_of(session))
    else:
        answer = await auth.log_in(EMAIL, **cookie_of(session))

    assert answer.status_code == 200, answer.text
    assert await live(auth) == before | {sid(answer.json())}
    assert await ends_logged(auth) == []


@pytest.mark.parametrize("email", [EMAIL, OTHER])
async def test_a_program_that_keeps_cookies_keeps_its_sessions(
    auth: AuthService, session: dict[str, Any], email: str
) -> None:
    await auth.register(OTHER)
    before = await live(auth)

    after = await enter(auth, email, cookie=cookie_of(session)["cookie"])

    assert await live(auth) == before | {sid(after)}
    assert await ends_logged(auth) == []
    assert (await auth.refresh(session["refresh_token"])).status_code == 200


async def test_a_log_in_that_fails_ends_nothing(auth: AuthService, session: dict[str, Any]) -> None:
    before = await live(auth)
    wrong = by_password(EMAIL, "wrong password")
    answer = await auth.post("/v1/auth/login", wrong, **cookie_of(session))
    assert_problem(answer, 401, "invalid_credentials")
    app = await enrol(auth, session)
    token = await mfa_token(auth, EMAIL)
    body = {"mfa_token": token, "code": app.wrong_code()}
    answer = await auth.post("/v1/auth/mfa/totp/verify", body, **cookie_of(session))
    assert_problem(answer, 400, "code_invalid")

    assert await live(auth) == before
    assert await auth.revoked() == set()


@pytest.mark.parametrize("held", ["nothing", "nonsense", "a session that has ended"])
async def test_a_cookie_that_opens_nothing_ends_nothing(
    auth: AuthService, session: dict[str, Any], held: str
) -> None:
    headers = {"nothing": {}, "nonsense": by_browser(f"{COOKIE}=nonsense")}.get(held)
    if headers is None:
        headers = cookie_of(session)
        await auth.post("/v1/auth/logout", {}, **bearer(session))
    before, ends = await live(auth), await ends_logged(auth)

    after = await enter(auth, EMAIL, **headers)

    assert await live(auth) == before | {sid(after)}
    assert await ends_logged(auth) == ends


async def test_the_cookie_that_was_just_replaced_still_names_the_session(
    auth: AuthService, session: dict[str, Any]
) -> None:
    assert (await auth.refresh(session["refresh_token"])).status_code == 200

    after = await enter(auth, EMAIL, **cookie_of(session))

    assert await auth.revoked() == {sid(session)}
    assert await ends_logged(auth) == [replaced(session, after)]


@pytest.mark.parametrize("how_old", ["replaced twice", "replaced a while ago"])
@pytest.mark.parametrize("email", [EMAIL, OTHER])
async def test_an_older_cookie_was_copied_as_at_a_refresh(
    application: Application, how_old: str, email: str
) -> None:
    auth, first = application.auth, application.session
    tokens = await application.sign_in()
    await auth.register(OTHER)
    copy = kept(auth, await auth.post("/v1/auth/refresh", {}, cookie=application.cookie))
    if how_old == "replaced twice":
        copy = kept(auth, await auth.post("/v1/auth/refresh", {}, **cookie_of(copy)))
    else:
        await auth.database.execute(
            "UPDATE sessions SET refreshed_at = refreshed_at - interval '11 seconds'"
        )
    before = await live(auth)

    after = await enter(auth, email, **by_browser(application.cookie))

    assert await live(auth) == before - {sid(first)} | {sid(after)}
    assert await revoked_events(auth) == [sid(first)]
    assert await ends_logged(auth) == [copied(first)]
    answer = await auth.post("/v1/auth/refresh", {}, **cookie_of(copy))
    assert_problem(answer, 401, "refresh_token_invalid")
    assert (await application.userinfo(tokens["access_token"])).status_code == 401


async def test_of_many_log_ins_at_once_one_ends_it_and_once(
    auth: AuthService, session: dict[str, Any]
) -> None:
    before = await live(auth)
    body = by_password(EMAIL)
    answers = await asyncio.gather(
        *(auth.post("/v1/auth/login", body, **cookie_of(session)) for _ in range(5)),
        auth.post("/v1/auth/logout", {}, **bearer(session)),
    )
    auth.client.cookies.clear()

    assert [answer.status_code for answer in answers] == [200] * 5 + [204]
    opened = {sid(answer.json()) for answer in answers[:5]}
    assert await live(auth) == before - {sid(session)} | opened
    assert await revoked_events(auth) == [sid(session)]
    assert len(await ends_logged(auth)) == 1


async def test_two_browsers_that_change_accounts_do_not_wait_for_each_other(
    auth: AuthService, session: dict[str, Any]
) -> None:
    await auth.register(OTHER)
    others = await enter(auth, OTHER)
    before = await live(auth)
    for _ in range(10):
        answers = await asyncio.gather(
            auth.post("/v1/auth/login", by_password(OTHER), **cookie_of(session)),
            auth.post("/v1/auth/login", by_password(EMAIL), **cookie_of(others)),
        )
        old = {sid(session), sid(others)}
        others, session = ({**answer.json(), **token(answer)} for answer in answers)
        auth.client.cookies.clear()
        before = before - old | {sid(session), sid(others)}
        assert await live(auth) == before


def token(answer: httpx2.Response) -> dict[str, str]:
    assert answer.status_code == 200, answer.text
    return {"refresh_token": answer.cookies[COOKIE]}


async def test_a_step_up_replaces_the_session_of_the_cookie_besides_its_own(
    auth: AuthService, session: dict[str, Any]
) -> None:
    own = await enter(auth, EMAIL)
    before = await live(auth)

    answer = await auth.post(
        "/v1/auth/step-up", {"password": PASSWORD}, **bearer(own), **cookie_of(session)
    )

    after = kept(auth, answer)
    assert await live(auth) == before - {sid(own), sid(session)} | {sid(after)}
    assert await ends_logged(auth) == [replaced(session, after)]


async def test_a_step_up_in_the_session_of_the_cookie_ends_it_once(
    auth: AuthService, session: dict[str, Any]
) -> None:
    before = await live(auth)

    answer = await auth.post(
        "/v1/auth/step-up", {"password": PASSWORD}, **bearer(session), **cookie_of(session)
    )

    after = kept(auth, answer)
    assert await live(auth) == before - {sid(session)} | {sid(after)}
    assert await revoked_events(auth) == [sid(session)]
    assert await ends_logged(auth) == []


async def test_whoever_begins_to_act_as_somebody_keeps_the_own_session(
    auth: AuthService, session: dict[str, Any]
) -> None:
    user = await auth.register(OTHER)
    await auth.database.execute(
        "UPDATE users SET roles = '{administrator}' WHERE email = $1", EMAIL
    )
    administrator = await enter(auth, EMAIL, **cookie_of(session))
    before = await live(auth)

    answer = await auth.post(
        f"/v1/auth/users/{user['user']['id']}/impersonate",
        {"reason": "ticket 7"},
        **bearer(administrator),
        **cookie_of(administrator),
    )

    acting = answer.json()
    assert await live(auth) == before | {sid(acting)}
    await enter(auth, OTHER)
    assert sid(acting) in await live(auth), "a log-in elsewhere ends nobody's"
