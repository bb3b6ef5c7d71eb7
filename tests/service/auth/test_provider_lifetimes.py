"""How long sign-ins at applications last, and what ends them."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx2
import pytest

from tests.service.auth.auth_service import PASSWORD, assert_problem, bearer, claims
from tests.service.auth.held_account import while_held
from tests.service.auth.oauth_application import EMAIL, Application

STAYING = "openid offline_access"
ANOTHER_PASSWORD = "another good password"


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
    application: Application, long_grace: timedelta
) -> None:
    await application.auth.post("/v1/auth/refresh", {}, cookie=application.cookie)
    application.auth.client.cookies.clear()
    await application.code()
    await application.auth.database.execute(
        "UPDATE sessions SET refreshed_at = refreshed_at - $1::interval",
        long_grace + timedelta(seconds=1),
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


# With what the application may do


async def change(application: Application, **fields: Any) -> None:
    answer = await application.auth.client.patch(
        f"/v1/auth/oauth-clients/{application.client['client_id']}",
        json=fields,
        headers=bearer(application.admin),
    )
    assert answer.status_code == 200, answer.text


async def test_scopes_that_are_taken_away_are_taken_from_who_is_signed_in(
    application: Application,
) -> None:
    tokens = await application.sign_in(scope="openid email roles")
    await change(application, scopes=["openid", "email"])
    token = tokens["access_token"]
    assert "roles" not in (await application.userinfo(token)).json()
    seen = await application.post_form("/oauth2/introspect", token=token)
    assert seen.json()["scope"] == "openid email"
    refreshed = await refresh(application, tokens)
    assert refreshed.json()["scope"] == "openid email"
    assert "roles" not in claims({"access_token": refreshed.json()["id_token"]})
    again = await application.token(
        grant_type="refresh_token",
        refresh_token=refreshed.json()["refresh_token"],
        scope="openid roles",
    )
    assert again.json()["error"] == "invalid_scope"


async def test_an_application_that_may_stay_no_longer_is_signed_out(
    application: Application,
) -> None:
    stays, bound = await application.sign_in(scope=STAYING), await application.sign_in()
    await change(application, scopes=["openid", "email"])
    await assert_ended(application, stays)
    await assert_alive(application, bound)


async def test_who_was_never_asked_is_asked_once_the_application_is_not_trusted(
    application: Application,
) -> None:
    tokens = await application.sign_in(scope=STAYING)
    await change(application, name="Renamed", is_trusted=True)
    await assert_alive(application, tokens)
    await change(application, is_trusted=False)
    await assert_ended(application, tokens)
    answer = await application.authorize(scope=STAYING)
    assert answer.headers["location"].startswith("/oauth2/sign-in?")
    consents = await application.auth.client.get(
        "/v1/auth/consents", headers=bearer(application.session)
    )
    assert consents.json()["items"] == []


# With the account's access


async def end(application: Application, how: str) -> None:
    auth, client = application.auth, application.auth.client
    user = f"/v1/auth/users/{application.session['user']['id']}"
    administrator = bearer(application.admin)
    if how == "disabled":
        await client.post(f"{user}/disable", json={}, headers=administrator)
        answer = await client.post(f"{user}/enable", json={}, headers=administrator)
    elif how == "ended by an administrator":
        answer = await client.delete(f"{user}/sessions", headers=administrator)
    elif how == "other roles":
        answer = await client.patch(user, json={"roles": ["administrator"]}, headers=administrator)
    elif how == "reset":
        await auth.forget_events()
        await auth.post("/v1/auth/password/forgot", {"email": EMAIL})
        link = UUID((await auth.events())[-1]["data"]["link_id"])
        token = await auth.mailed_token(link)
        body = {"token": token, "password": ANOTHER_PASSWORD}
        answer = await auth.post("/v1/auth/password/reset", body)
    else:
        other = bearer((await auth.log_in(EMAIL)).json())
        if how == "ended elsewhere":
            answer = await client.delete("/v1/auth/sessions", headers=other)
        else:
            body = {"current_password": PASSWORD, "password": ANOTHER_PASSWORD}
            answer = await client.post("/v1/auth/password/change", json=body, headers=other)
    assert answer.status_code in {200, 204}, answer.text


@pytest.mark.parametrize(
    "how",
    [
        *("disabled", "ended by an administrator", "other roles", "reset"),
        *("ended elsewhere", "password changed elsewhere"),
    ],
)
async def test_what_ends_all_sessions_ends_who_may_stay(application: Application, how: str) -> None:
    stays = await application.sign_in(scope=STAYING)
    logged_out = await application.sign_in(scope=STAYING)
    await application.auth.client.post("/v1/auth/logout", headers=bearer(application.session))
    await assert_alive(application, logged_out)
    await end(application, how)
    await assert_ended(application, stays)
    await assert_ended(application, logged_out)


async def test_a_changed_password_leaves_what_its_own_session_signed_into(
    application: Application,
) -> None:
    elsewhere = await application.sign_in(scope=STAYING)
    await application.log_in()
    before = await application.sign_in(scope=STAYING)
    stepped = await application.auth.client.post(
        "/v1/auth/step-up", json={"password": PASSWORD}, headers=bearer(application.session)
    )
    application.cookie = stepped.headers["set-cookie"].partition(";")[0]
    application.auth.client.cookies.clear()
    after = await application.sign_in(scope=STAYING)
    bound = await application.sign_in()
    changed = await application.auth.client.post(
        "/v1/auth/password/change",
        json={"current_password": PASSWORD, "password": ANOTHER_PASSWORD},
        headers=bearer(stepped.json()),
    )
    assert changed.status_code == 204, changed.text
    for tokens in (before, after, bound):
        await assert_alive(application, tokens)
    await assert_ended(application, elsewhere)


async def test_others_stay_signed_in(application: Application) -> None:
    stays = await application.sign_in(scope=STAYING)
    path = f"/v1/auth/users/{application.admin['user']['id']}/sessions"
    answer = await application.auth.client.delete(path, headers=bearer(application.admin))
    assert answer.status_code == 204
    await assert_alive(application, stays)


@pytest.mark.parametrize("scope", ["openid", STAYING])
async def test_no_sign_in_comes_into_being_while_access_ends(
    application: Application, scope: str
) -> None:
    async with while_held(application.auth, EMAIL, lambda: application.authorize(scope=scope)) as (
        signing_in,
        transaction,
    ):
        await transaction.execute("DELETE FROM sessions WHERE user_id <> $1", UUID(int=0))

    assert_problem(signing_in.result(), 401, "authentication_required")
    for table in ("oauth_grants", "oauth_codes", "oauth_participants"):
        count = await application.auth.database.fetchval(f"SELECT count(*) FROM {table}")
        assert count == 0, table
