"""Forgotten and changed passwords."""

import asyncio
from typing import Any
from uuid import UUID

import pytest

from tests.service.auth.auth_service import PASSWORD, AuthService, assert_problem, bearer, claims

EMAIL = "ada@example.com"
OTHER = "another staple of horses"


async def forget(auth: AuthService, email: str = EMAIL) -> UUID:
    """Ask for a link and return its id."""
    answer = await auth.post("/v1/auth/password/forgot", {"email": email})
    assert answer.status_code == 202
    return UUID((await auth.events())[-1]["data"]["link_id"])


async def reset(auth: AuthService, token: str, password: str = OTHER) -> Any:
    return await auth.post("/v1/auth/password/reset", {"token": token, "password": password})


@pytest.fixture
async def session(auth: AuthService) -> dict[str, Any]:
    session = await auth.register(EMAIL)
    await auth.forget_events()
    return session


@pytest.mark.usefixtures("session")
@pytest.mark.parametrize(
    ("email", "template"), [(EMAIL, "password_reset"), ("nobody@example.com", "no_account")]
)
async def test_every_address_gets_the_same_answer_and_its_own_mail(
    auth: AuthService, email: str, template: str
) -> None:
    answer = await auth.post("/v1/auth/password/forgot", {"email": email})

    assert (answer.status_code, answer.json()) == (202, {"status": "mail_sent"})
    [event] = await auth.events()
    assert event["type"] == "notice.requested"
    assert event["data"].keys() == {"link_id"}
    mail = await auth.mail(UUID(event["data"]["link_id"]))
    assert (mail["to"], mail["template"]) == (email, template)
    assert ("#token=" in mail["variables"]["url"]) == (template == "password_reset")


@pytest.mark.usefixtures("session")
async def test_a_reset_ends_every_session_opens_none_and_tells_the_owner(auth: AuthService) -> None:
    token = await auth.mailed_token(await forget(auth))
    await forget(auth)
    await auth.forget_events()

    answer = await reset(auth, token)

    assert answer.status_code == 204
    assert "set-cookie" not in answer.headers
    assert answer.content == b""
    assert await auth.event_types() == ["session.revoked", "notice.requested"]
    notice = await auth.mail(UUID((await auth.events())[-1]["data"]["link_id"]))
    assert (notice["to"], notice["template"]) == (EMAIL, "password_changed")
    assert await auth.counts() == {"users": 1, "links": 1, "revocations": 1}, "no link is left"
    assert (await auth.log_in(EMAIL)).status_code == 401
    assert (await auth.log_in(EMAIL, OTHER)).status_code == 200


@pytest.mark.usefixtures("session")
async def test_ten_resets_at_once_have_one_success(auth: AuthService) -> None:
    token = await auth.mailed_token(await forget(auth))
    answers = await asyncio.gather(*(reset(auth, token, f"{OTHER} {n}") for n in range(10)))
    assert sorted(answer.status_code for answer in answers) == [204] + [400] * 9


@pytest.mark.usefixtures("session")
async def test_a_password_that_does_not_do_leaves_the_link_good(auth: AuthService) -> None:
    token = await auth.mailed_token(await forget(auth))
    for password in ("short", "password1", "x" * 257, "Ada@example.com"):
        answer = await reset(auth, token, password)
        assert answer.status_code == 422, password
        assert answer.json()["errors"][0]["field"] == "password"
    assert (await reset(auth, token)).status_code == 204


@pytest.mark.parametrize("spoil", ["spent", "expired", "of a sign-up", "made up"])
@pytest.mark.usefixtures("session")
async def test_a_link_that_is_no_good_changes_nothing(auth: AuthService, spoil: str) -> None:
    token = await auth.mailed_token(await forget(auth))
    if spoil == "spent":
        await reset(auth, token)
    elif spoil == "expired":
        await auth.database.execute(
            "UPDATE links SET created_at = now() - interval '2 hours',"
            " expires_at = now() - interval '1 hour'"
        )
    elif spoil == "of a sign-up":
        token = await auth.mailed_token(await auth.sign_up("new@example.com"))
    else:
        token = token[:-4] + "AAAA"
    assert_problem(await reset(auth, token, "yet another password"), 400, "link_invalid")
    assert (await auth.log_in(EMAIL, "yet another password")).status_code == 401


@pytest.mark.usefixtures("session")
async def test_nobody_is_flooded_with_mails(auth: AuthService) -> None:
    for _ in range(8):
        answer = await auth.post("/v1/auth/password/forgot", {"email": EMAIL})
        assert answer.status_code == 202
    assert await auth.event_types() == ["notice.requested"] * 5


async def test_a_change_needs_the_current_password_and_ends_the_other_sessions(
    auth: AuthService, session: dict[str, Any]
) -> None:
    other = (await auth.log_in(EMAIL)).json()

    async def change(current: str, chosen: str = OTHER) -> Any:
        body = {"current_password": current, "password": chosen}
        headers = bearer(session) | {"X-Real-IP": "203.0.113.9"}
        return await auth.client.post("/v1/auth/password/change", json=body, headers=headers)

    wrong = await change("a wrong one")
    assert_problem(wrong, 401, "invalid_credentials")
    assert wrong.json()["detail"] == "The current password is wrong."
    assert (await change(PASSWORD, "12345678")).status_code == 422
    assert (await change(PASSWORD)).status_code == 204
    assert (await auth.refresh(other["refresh_token"])).status_code == 401
    assert (await auth.refresh(session["refresh_token"])).status_code == 200
    assert (await auth.log_in(EMAIL, OTHER)).status_code == 200


async def test_an_api_key_changes_no_password(auth: AuthService, session: dict[str, Any]) -> None:
    key = await auth.client.post(
        "/v1/auth/api-keys",
        json={"name": "app", "scopes": ["files:read"]},
        headers=bearer(session),
    )
    exchanged = await auth.internal(
        "POST", "/internal/api-keys/exchange", source="gateway", body={"key": key.json()["key"]}
    )
    body = {"current_password": PASSWORD, "password": OTHER}
    answer = await auth.client.post(
        "/v1/auth/password/change", json=body, headers=bearer(exchanged.json())
    )
    assert_problem(answer, 403, "forbidden")


@pytest.mark.usefixtures("session")
async def test_opening_the_page_spends_nothing(auth: AuthService) -> None:
    token = await auth.mailed_token(await forget(auth))
    for path in ("/reset", "/reset/page.js", "/page.css"):
        answer = await auth.client.get(path)
        assert answer.status_code == 200
        assert answer.headers["referrer-policy"] == "no-referrer"
    assert (await reset(auth, token)).status_code == 204


async def test_a_session_that_guesses_its_password_ends(
    auth: AuthService, session: dict[str, Any]
) -> None:
    other = (await auth.log_in(EMAIL)).json()

    for number in range(20):
        await auth.database.execute(
            "UPDATE login_failures SET last_failed_at = last_failed_at - interval '31 seconds'"
        )
        assert await auth.revoked() == set()
        answer = await auth.post(
            "/v1/auth/step-up", {"password": f"guess {number}"}, **bearer(session)
        )
        assert_problem(answer, 401, "invalid_credentials")

    assert await auth.revoked() == {claims(session)["sid"]}
    assert_problem(await auth.refresh(session["refresh_token"]), 401, "refresh_token_invalid")
    assert (await auth.refresh(other["refresh_token"])).status_code == 200
