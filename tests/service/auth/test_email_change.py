"""Another address for an account: both have to agree, and the old one is told (S23)."""

import asyncio
from typing import Any
from uuid import UUID

import httpx2
import pytest

from tests.service.auth.auth_service import PASSWORD, AuthService, assert_problem, bearer, claims

OLD, NEW, OTHER = "ada@old.example", "ada@new.example", "bob@example.com"


@pytest.fixture
async def session(auth: AuthService) -> dict[str, Any]:
    session = await auth.register(OLD)
    await auth.forget_events()
    return session


async def ask(auth: AuthService, session: dict[str, Any], email: str = NEW) -> httpx2.Response:
    return await auth.client.post(
        "/v1/auth/me/email", json={"email": email}, headers=bearer(session)
    )


async def mails(auth: AuthService) -> dict[str, dict[str, Any]]:
    """Return the mails that were asked for since events were forgotten, by their template."""
    link_ids = [
        UUID(event["data"]["link_id"])
        for event in await auth.events()
        if event["type"] == "notice.requested"
    ]
    sent = [await auth.internal("GET", f"/internal/links/{id_}", source="mail") for id_ in link_ids]
    return {mail.json()["template"]: mail.json() for mail in sent if mail.status_code == 200}


async def tokens(auth: AuthService, session: dict[str, Any], email: str = NEW) -> tuple[str, str]:
    """Ask for a change and return the tokens that went to the old and to the new address."""
    await auth.forget_events()
    answer = await ask(auth, session, email)
    assert (answer.status_code, answer.json()) == (202, {"status": "confirmations_sent"})
    sent = await mails(auth)
    old, new = sent["email_change_old"], sent["email_change_new"]
    assert (old["to"], old["variables"]["new_email"]) == (OLD, email)
    assert (new["to"], "new_email" in new["variables"]) == (email, False)
    return tuple(mail["variables"]["url"].partition("/email#token=")[2] for mail in (old, new))


async def confirm(auth: AuthService, token: str) -> httpx2.Response:
    return await auth.post("/v1/auth/email/confirm", {"token": token})


async def address(auth: AuthService, session: dict[str, Any]) -> Any:
    answer = await auth.client.get("/v1/auth/me", headers=bearer(session))
    return answer.json()["email"]


@pytest.mark.parametrize("first", [0, 1], ids=["the old address first", "the new address first"])
async def test_the_account_moves_when_both_addresses_have_agreed(
    auth: AuthService, session: dict[str, Any], first: int
) -> None:
    other = (await auth.log_in(OLD)).json()
    pair = await tokens(auth, session)
    await auth.forget_events()

    assert (await confirm(auth, pair[first])).json() == {"status": "waiting_for_other"}
    assert await address(auth, session) == OLD
    assert await auth.event_types() == []

    assert (await confirm(auth, pair[1 - first])).json() == {"status": "changed"}
    assert await address(auth, session) == NEW
    assert await auth.revoked() == {claims(other)["sid"]}
    told = (await mails(auth))["email_changed"]
    assert (told["to"], "new_email" in told["variables"]) == (OLD, False)
    assert_problem(await auth.log_in(OLD), 401, "invalid_credentials")
    assert (await auth.log_in(NEW)).status_code == 200


async def test_s23_links_to_the_old_address_open_nothing_afterwards(
    auth: AuthService, session: dict[str, Any]
) -> None:
    await auth.post("/v1/auth/password/forgot", {"email": OLD})
    reset = (await mails(auth))["password_reset"]["variables"]["url"].partition("#token=")[2]
    for token in await tokens(auth, session):
        await confirm(auth, token)
    answer = await auth.post(
        "/v1/auth/password/reset", {"token": reset, "password": "another good password"}
    )
    assert_problem(answer, 400, "link_invalid")
    assert (await auth.log_in(NEW, PASSWORD)).status_code == 200


async def test_an_address_that_is_taken_is_asked_like_any_other_and_its_owner_is_told(
    auth: AuthService, session: dict[str, Any]
) -> None:
    await auth.register(OTHER)
    await auth.forget_events()
    answer = await ask(auth, session, OTHER)
    assert (answer.status_code, answer.json()) == (202, {"status": "confirmations_sent"})
    sent = await mails(auth)
    assert set(sent) == {"email_change_old", "email_taken"}
    assert sent["email_taken"]["to"] == OTHER
    assert "token" not in sent["email_taken"]["variables"]["url"]


async def test_an_address_that_got_an_account_meanwhile_is_not_taken_away(
    auth: AuthService, session: dict[str, Any]
) -> None:
    old, new = await tokens(auth, session)
    await confirm(auth, old)
    owner = await auth.register(NEW, "a password of somebody else")
    assert_problem(await confirm(auth, new), 409, "email_taken")
    assert await address(auth, session) == OLD
    assert await address(auth, owner) == NEW
    assert_problem(await confirm(auth, new), 400, "link_invalid")


@pytest.mark.parametrize("side", [0, 1])
async def test_of_ten_confirmations_of_one_link_one_counts(
    auth: AuthService, session: dict[str, Any], side: int
) -> None:
    pair = await tokens(auth, session)
    answers = await asyncio.gather(*(confirm(auth, pair[side]) for _ in range(10)))
    assert sorted(answer.status_code for answer in answers) == [200] + [400] * 9


async def test_both_sides_at_once_move_it_once(auth: AuthService, session: dict[str, Any]) -> None:
    answers = await asyncio.gather(*(confirm(auth, token) for token in await tokens(auth, session)))
    statuses = sorted(answer.json()["status"] for answer in answers)
    assert statuses == ["changed", "waiting_for_other"]
    assert await address(auth, session) == NEW


async def test_a_later_request_takes_the_place_of_an_earlier_one(
    auth: AuthService, session: dict[str, Any]
) -> None:
    earlier = await tokens(auth, session)
    later = await tokens(auth, session, "ada@third.example")
    for token in earlier:
        assert_problem(await confirm(auth, token), 400, "link_invalid")
    for token in later:
        assert (await confirm(auth, token)).status_code == 200
    assert await address(auth, session) == "ada@third.example"


@pytest.mark.parametrize("end", ["taken back", "password changed", "expired", "account deleted"])
async def test_a_change_that_is_over_leads_nowhere(
    auth: AuthService, session: dict[str, Any], end: str
) -> None:
    pair = await tokens(auth, session)
    if end == "taken back":
        answer = await auth.client.delete("/v1/auth/me/email", headers=bearer(session))
        assert answer.status_code == 204
    elif end == "password changed":
        body = {"current_password": PASSWORD, "password": "another good password"}
        await auth.client.post("/v1/auth/password/change", json=body, headers=bearer(session))
    elif end == "expired":
        await auth.database.execute(
            "UPDATE email_changes SET created_at = now() - interval '3 hours', expires_at = now()"
        )
    else:
        await auth.client.delete("/v1/auth/me", headers=bearer(session))
    for token in pair:
        assert_problem(await confirm(auth, token), 400, "link_invalid")
    moved = await auth.database.fetchval("SELECT count(*) FROM users WHERE email = $1", NEW)
    assert moved == 0


@pytest.mark.parametrize("email", ["", "ada", OLD, OLD.upper()])
async def test_what_is_no_other_address(
    auth: AuthService, session: dict[str, Any], email: str
) -> None:
    answer = await ask(auth, session, email)
    assert_problem(answer, 422, "validation_failed")
    assert [error["field"] for error in answer.json()["errors"]] == ["email"]
    assert await auth.event_types() == []


async def test_it_takes_a_fresh_proof(auth: AuthService, session: dict[str, Any]) -> None:
    await auth.database.execute(
        "UPDATE sessions SET authenticated_at = now() - interval '11 minutes'"
    )
    stale = (await auth.refresh(session["refresh_token"])).json()
    assert_problem(await ask(auth, stale), 403, "reauthentication_required")
    assert await auth.event_types() == []


async def test_nobody_is_flooded(auth: AuthService, session: dict[str, Any]) -> None:
    for _ in range(5):
        assert (await ask(auth, session)).status_code == 202
    answer = await ask(auth, session)
    assert_problem(answer, 429, "too_many_attempts")
    assert answer.headers["retry-after"] == "7200"


async def test_opening_the_page_spends_nothing(auth: AuthService, session: dict[str, Any]) -> None:
    old, _ = await tokens(auth, session)
    for path in ("/email", "/email/page.js", "/page.css"):
        assert (await auth.client.get(path)).status_code == 200
    assert (await confirm(auth, old)).status_code == 200
