"""An application asks for a new log-in in a browser whose user has a session."""

from typing import Any

import pytest

from tests.service.auth.auth_service import PASSWORD, bearer, claims
from tests.service.auth.oauth_application import EMAIL, Application, answered

OTHER = "grace@example.com"
COOKIE = "freehold_reauthentication"


async def show_page(application: Application, **asked: str) -> None:
    """Do what the sign-in page does before it shows its form."""
    answer = await application.auth.client.get(
        "/oauth2/interaction",
        params=application.request(**asked),
        headers={"Cookie": application.cookie},
    )
    assert answer.json()["step"] == "login"
    kept = answer.cookies.get(COOKIE)
    application.auth.client.cookies.clear()
    assert kept is not None
    assert answer.headers["set-cookie"].endswith("; HttpOnly; Max-Age=3600; Path=/; SameSite=lax")
    application.cookie += f"; {COOKIE}={kept}"


async def log_in(application: Application, email: str = EMAIL) -> dict[str, Any]:
    """Log in on the page; the browser keeps its other cookies."""
    body = {"email": email, "password": PASSWORD}
    answer = await application.auth.post("/v1/auth/login", body, cookie=application.cookie)
    application.auth.client.cookies.clear()
    _, _, others = application.cookie.partition("; ")
    application.cookie = f"{answer.headers['set-cookie'].partition(';')[0]}; {others}"
    session: dict[str, Any] = answer.json()
    return session


@pytest.mark.parametrize("asked", [{"prompt": "login"}, {"max_age": "0"}])
async def test_the_new_session_takes_the_place_of_the_first(
    application: Application, asked: dict[str, str]
) -> None:
    first = application.session
    before = await application.sign_in()
    await show_page(application, **asked)
    second = await log_in(application)
    assert await application.auth.revoked() == set(), "nothing ends before the log-in was good"
    answer = await application.authorize()
    after = (await application.redeem(answered(answer)["code"])).json()
    assert f'{COOKIE}=""; HttpOnly; Max-Age=0' in answer.headers["set-cookie"]
    assert await application.auth.revoked() == {claims(first)["sid"]}
    [ended] = await application.auth.database.fetch(
        "SELECT session_id::text, details FROM audit_log WHERE action = 'session.ended'"
    )
    assert ended["session_id"] == claims(first)["sid"]
    assert ended["details"] == {"replaced_by": claims(second)["sid"]}

    sids = await application.auth.database.fetch(
        "SELECT session_id::text, sid::text FROM oauth_participants ORDER BY sid"
    )
    expected = [(claims(second)["sid"], claims(one)["sid"]) for one in (first, second)]
    assert [(row["session_id"], row["sid"]) for row in sids] == expected
    for tokens in (before, after):
        assert (await application.userinfo(tokens["access_token"])).status_code == 200
    await application.auth.client.post("/v1/auth/logout", headers=bearer(second))
    for tokens in (before, after):
        assert (await application.userinfo(tokens["access_token"])).status_code == 401


async def test_the_first_ends_before_its_user_is_asked_for_consent(
    application: Application,
) -> None:
    await application.register(name="Foreign", is_trusted=False)
    await show_page(application, prompt="login")
    await log_in(application)
    answer = await application.authorize()
    assert answer.headers["location"].startswith("/oauth2/sign-in?")
    assert await application.auth.revoked() == {claims(application.session)["sid"]}


async def test_another_account_leaves_the_first_session_alone(application: Application) -> None:
    await application.auth.register(OTHER)
    before = await application.sign_in()
    await show_page(application, prompt="select_account")
    await log_in(application, OTHER)
    assert "code" in answered(await application.authorize())
    assert await application.auth.revoked() == set()
    assert (await application.userinfo(before["access_token"])).status_code == 200


async def test_who_does_not_log_in_keeps_the_session(application: Application) -> None:
    await show_page(application, prompt="login")
    assert "code" in answered(await application.authorize())
    assert await application.auth.revoked() == set()


@pytest.mark.parametrize("how", ["nonsense", "a refresh token"])
async def test_a_cookie_that_is_not_of_the_page_ends_nothing(
    application: Application, how: str
) -> None:
    other = (await application.auth.log_in(EMAIL)).json()
    planted = other["refresh_token"] if how == "a refresh token" else "nonsense"
    application.cookie += f"; {COOKIE}={planted}"
    assert "code" in answered(await application.authorize())
    assert await application.auth.revoked() == set()


async def test_the_cookie_refreshes_nothing(application: Application) -> None:
    await show_page(application, prompt="login")
    token = application.cookie.rpartition("=")[2]
    answer = await application.auth.refresh(token)
    assert (answer.status_code, answer.json()["code"]) == (401, "refresh_token_invalid")
    refreshed = await application.token(grant_type="refresh_token", refresh_token=token)
    assert refreshed.json()["error"] == "invalid_grant"


async def test_a_session_that_ended_meanwhile_is_no_matter(application: Application) -> None:
    first = application.session
    await show_page(application, prompt="login")
    await log_in(application)
    await application.auth.client.post("/v1/auth/logout", headers=bearer(first))
    assert "code" in answered(await application.authorize())
    assert await application.auth.revoked() == {claims(first)["sid"]}
