"""Somebody is on the way in while their account is disabled or gets another password.

Each test holds the account's row as the act that ends its access does, lets a log-in run into it,
and commits: whatever opens afterwards would outlive the end.
"""

import asyncio
from typing import Any
from uuid import UUID

import pytest

from services.auth.passwords import hash_password
from services.auth.store import lock_user
from tests.service.auth.auth_service import (
    PASSWORD,
    PUBLIC_URL,
    AuthService,
    assert_problem,
    bearer,
    claims,
)
from tests.service.auth.authenticator import enrol, mfa_token, second_step
from tests.service.auth.held_account import while_held
from tests.service.auth.test_passwords import forget, reset

EMAIL = "ada@example.com"
DISABLE = "UPDATE users SET disabled_at = now()"


@pytest.fixture
async def session(auth: AuthService) -> dict[str, Any]:
    return await auth.register(EMAIL)


@pytest.mark.parametrize("way", ["password", "mail", "second step", "step-up"])
async def test_a_disabled_account_opens_nothing(
    auth: AuthService, session: dict[str, Any], way: str
) -> None:
    async def enter() -> Any:
        if way == "password":
            return await auth.log_in(EMAIL)
        if way == "mail":
            body = {"token": link, "token_delivery": "body"}
            return await auth.post("/v1/auth/magic-link/verify", body)
        if way == "second step":
            return await second_step(auth, token, app.code())
        return await auth.post("/v1/auth/step-up", {"password": PASSWORD}, **bearer(session))

    if way == "mail":
        await auth.post("/v1/auth/magic-link", {"email": EMAIL})
        link = await auth.mailed_token(UUID((await auth.events())[-1]["data"]["link_id"]))
    if way == "second step":
        app = await enrol(auth, session)
        token = await mfa_token(auth, EMAIL)
    before = await auth.database.fetch("SELECT id FROM sessions")

    async with while_held(auth, EMAIL, enter) as (entering, transaction):
        await transaction.execute(DISABLE)

    assert_problem(entering.result(), 403, "account_disabled")
    assert await auth.database.fetch("SELECT id FROM sessions") == before


@pytest.mark.usefixtures("session")
async def test_whoever_is_disabled_meanwhile_replaces_no_session(auth: AuthService) -> None:
    """What ends the access of one account says nothing of the other one's browser session."""
    await auth.register("grace@example.com")
    other = {"email": "grace@example.com", "password": PASSWORD}
    others = (await auth.post("/v1/auth/login", other)).json()
    before = await auth.counts()

    async def enter() -> Any:
        own = {"email": EMAIL, "password": PASSWORD}
        return await auth.post("/v1/auth/login", own, origin=PUBLIC_URL)

    async with while_held(auth, EMAIL, enter) as (entering, transaction):
        await transaction.execute(f"{DISABLE} WHERE email = $1", EMAIL)

    assert_problem(entering.result(), 403, "account_disabled")
    assert await auth.counts() == before
    assert (await auth.client.get("/v1/auth/me", headers=bearer(others))).status_code == 200


async def test_a_log_in_of_another_account_does_not_wait_for_who_is_being_disabled(
    auth: AuthService, session: dict[str, Any]
) -> None:
    """Its browser's session ends in either order, as by a log-out, and once."""
    await auth.register("grace@example.com")
    await auth.post("/v1/auth/login", {"email": EMAIL, "password": PASSWORD})
    await auth.forget_events()
    other = {"email": "grace@example.com", "password": PASSWORD}
    user_id = UUID(session["user"]["id"])

    async with auth.database.transaction() as transaction:
        await lock_user(transaction, user_id)
        entered = await auth.post("/v1/auth/login", other, origin=PUBLIC_URL)
        sessions = await transaction.fetch("SELECT id FROM sessions WHERE user_id = $1", user_id)

    assert entered.status_code == 200, entered.text
    assert [str(row["id"]) for row in sessions] == [claims(session)["sid"]]
    assert await auth.event_types() == ["session.revoked", "notice.requested"]


@pytest.mark.usefixtures("session")
async def test_a_password_that_was_replaced_while_it_was_checked_opens_nothing(
    auth: AuthService,
) -> None:
    before = await auth.counts()
    replaced = hash_password(b"another staple of horses", 4)

    async with while_held(auth, EMAIL, lambda: auth.log_in(EMAIL)) as (entering, transaction):
        await transaction.execute("UPDATE users SET password_hash = $1", replaced)

    assert_problem(entering.result(), 401, "invalid_credentials")
    assert await auth.counts() == before


@pytest.mark.usefixtures("session")
async def test_a_password_renewed_by_another_log_in_is_the_same_password(
    auth: AuthService,
) -> None:
    await auth.database.execute(
        "UPDATE users SET password_hash = $1", hash_password(PASSWORD.encode(), 5)
    )

    answers = await asyncio.gather(*(auth.log_in(EMAIL) for _ in range(10)))

    assert [answer.status_code for answer in answers] == [200] * 10


async def test_a_reset_ends_log_ins_that_wait_for_their_second_proof(
    auth: AuthService, session: dict[str, Any]
) -> None:
    app = await enrol(auth, session)
    token = await mfa_token(auth, EMAIL)

    assert (await reset(auth, await auth.mailed_token(await forget(auth)))).status_code == 204

    assert_problem(await second_step(auth, token, app.code()), 401, "mfa_token_invalid")


async def test_ending_the_other_sessions_ends_log_ins_that_wait_for_their_second_proof(
    auth: AuthService, session: dict[str, Any]
) -> None:
    app = await enrol(auth, session)
    token = await mfa_token(auth, EMAIL)

    ended = await auth.client.delete("/v1/auth/sessions", headers=bearer(session))

    assert ended.is_success, ended.text
    assert_problem(await second_step(auth, token, app.code()), 401, "mfa_token_invalid")


@pytest.mark.usefixtures("session")
async def test_who_is_disabled_meanwhile_begins_to_act_as_nobody(auth: AuthService) -> None:
    await auth.database.execute("UPDATE users SET roles = '{administrator}'")
    administrator = (await auth.log_in(EMAIL)).json()
    other = await auth.register("grace@example.com")
    before = await auth.counts()

    async def begin() -> Any:
        path = f"/v1/auth/users/{claims(other)['sub']}/impersonate"
        return await auth.post(path, {"reason": "ticket 7"}, **bearer(administrator))

    async with while_held(auth, EMAIL, begin) as (beginning, transaction):
        await transaction.execute(f"{DISABLE} WHERE email = $1", EMAIL)

    assert_problem(beginning.result(), 403, "account_disabled")
    assert await auth.counts() == before


async def test_an_imported_password_can_be_changed_before_it_ever_logged_in(
    auth: AuthService, session: dict[str, Any]
) -> None:
    await auth.database.execute(
        "UPDATE users SET password_hash = $1", hash_password(PASSWORD.encode(), 5)
    )

    answer = await auth.post(
        "/v1/auth/password/change",
        {"current_password": PASSWORD, "password": "another staple of horses"},
        **bearer(session),
    )

    assert answer.is_success, answer.text


@pytest.mark.parametrize("way", ["password", "mail"])
async def test_a_factor_that_was_just_added_is_asked_for(
    auth: AuthService, session: dict[str, Any], way: str
) -> None:
    async def enter() -> Any:
        if way == "password":
            return await auth.log_in(EMAIL)
        return await auth.post("/v1/auth/magic-link/verify", {"token": link})

    await enrol(auth, session)
    await auth.database.execute("UPDATE totp_factors SET confirmed_at = NULL")
    await auth.post("/v1/auth/magic-link", {"email": EMAIL})
    link = await auth.mailed_token(UUID((await auth.events())[-1]["data"]["link_id"]))

    async with while_held(auth, EMAIL, enter) as (entering, transaction):
        await transaction.execute("UPDATE totp_factors SET confirmed_at = now()")

    assert entering.result().json()["mfa_required"] is True


async def test_no_step_up_survives_the_end_of_the_other_sessions(
    auth: AuthService, session: dict[str, Any]
) -> None:
    for _ in range(10):
        other = (await auth.log_in(EMAIL)).json()
        stepped_up, ended = await asyncio.gather(
            auth.post("/v1/auth/step-up", {"password": PASSWORD}, **bearer(other)),
            auth.client.delete("/v1/auth/sessions", headers=bearer(session)),
        )
        assert ended.status_code == 204, ended.text
        assert stepped_up.status_code in {200, 401}, stepped_up.text
        left = await auth.database.fetch("SELECT id::text FROM sessions")
        assert [row["id"] for row in left] == [claims(session)["sid"]]
