"""How long sign-ins at applications last, and what ends them."""

from typing import Any

import httpx2

from tests.service.auth.auth_service import PASSWORD, bearer, claims
from tests.service.auth.oauth_application import Application

STAYING = "openid offline_access"


async def refresh(application: Application, tokens: dict[str, Any]) -> httpx2.Response:
    return await application.token(
        grant_type="refresh_token", refresh_token=tokens["refresh_token"]
    )


async def assert_ended(application: Application, tokens: dict[str, Any]) -> None:
    assert (await application.userinfo(tokens["access_token"])).status_code == 401
    refreshed = await refresh(application, tokens)
    assert (refreshed.status_code, refreshed.json()["error"]) == (400, "invalid_grant")


async def assert_alive(application: Application, tokens: dict[str, Any]) -> None:
    assert (await application.userinfo(tokens["access_token"])).status_code == 200
    refreshed = await refresh(application, tokens)
    assert refreshed.status_code == 200
    tokens |= refreshed.json()


# With the session


async def run_out(application: Application) -> None:
    """Let the sessions reach the end of their idle time."""
    await application.auth.database.execute(
        "UPDATE sessions SET idle_expires_at = created_at + interval '1 microsecond'"
    )


async def test_a_sign_in_ends_with_the_idle_time_of_its_session(application: Application) -> None:
    bound = await application.sign_in()
    stays = await application.sign_in(scope=STAYING)
    await run_out(application)
    await assert_ended(application, bound)
    await assert_alive(application, stays)


async def test_a_code_is_worth_nothing_once_its_session_ran_out(application: Application) -> None:
    code = await application.code()
    await run_out(application)
    assert (await application.redeem(code)).json()["error"] == "invalid_grant"


async def test_the_cookie_just_replaced_names_its_session_for_ten_seconds(
    application: Application,
) -> None:
    await application.auth.post("/v1/auth/refresh", {}, cookie=application.cookie)
    application.auth.client.cookies.clear()
    await application.code()
    await application.auth.database.execute(
        "UPDATE sessions SET refreshed_at = refreshed_at - interval '11 seconds'"
    )
    answer = await application.authorize()
    assert answer.headers["location"].startswith("/oauth2/sign-in?")


async def test_notices_are_due_for_as_long_as_the_session_that_took_the_place(
    application: Application,
) -> None:
    database = application.auth.database
    await application.sign_in()
    await database.execute("UPDATE oauth_participants SET expires_at = now() + interval '1 minute'")
    stepped = await application.auth.client.post(
        "/v1/auth/step-up", json={"password": PASSWORD}, headers=bearer(application.session)
    )
    kept, due = await database.fetchrow(
        "SELECT session_id, oauth_participants.expires_at = sessions.expires_at"
        " FROM oauth_participants JOIN sessions ON sessions.id = session_id"
    )
    assert (str(kept), due) == (claims(stepped.json())["sid"], True)
