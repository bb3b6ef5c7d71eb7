"""Logging in by mail: links for any device, codes for the one that asked."""

import asyncio
from typing import Any
from uuid import UUID

import httpx2
import pytest

from tests.service.auth.auth_service import (
    ALLOWED_ORIGIN,
    AuthService,
    assert_problem,
    claims,
)
from tests.service.auth.authenticator import enrol, second_step

EMAIL = "ada@example.com"
NOBODY = "nobody@example.com"


@pytest.fixture
async def account(auth: AuthService) -> dict[str, Any]:
    """An account with one session; the outbox is empty again."""
    session = await auth.register(EMAIL)
    await auth.forget_events()
    return session


async def _ask(auth: AuthService, email: str = EMAIL, address: str = "203.0.113.7") -> str:
    """Ask for a link and return the id of the request."""
    answer = await auth.post("/v1/auth/magic-link", {"email": email}, x_real_ip=address)
    assert answer.status_code == 202, answer.text
    assert answer.headers["cache-control"] == "no-store"
    assert answer.json().keys() == {"status", "request_id"}
    request_id: str = answer.json()["request_id"]
    return request_id


async def _mail(auth: AuthService) -> dict[str, Any]:
    event = (await auth.events())[-1]
    assert event["type"] == "notice.requested"
    return await auth.mail(UUID(event["data"]["link_id"]))


async def _token(auth: AuthService) -> str:
    url: str = (await _mail(auth))["variables"]["url"]
    return url.partition("#token=")[2]


async def _code(auth: AuthService) -> str:
    code: str = (await _mail(auth))["variables"]["code"]
    return code


def _other(code: str) -> str:
    return f"{(int(code) + 1) % 1_000_000:06}"


async def _redeem(auth: AuthService, **body: str) -> httpx2.Response:
    return await auth.post("/v1/auth/magic-link/verify", {**body, "token_delivery": "body"})


async def test_the_mail_has_a_link_and_a_code(auth: AuthService, account: dict[str, Any]) -> None:
    request_id = await _ask(auth, " ADA@Example.com ")

    mail = await _mail(auth)
    assert account["user"]["email"] == mail["to"] == EMAIL
    assert mail["template"] == "magic_link"
    assert mail["variables"]["url"].startswith("http://127.0.0.1:8080/magic-link#token=")
    assert len(mail["variables"]["code"]) == 6
    assert mail["variables"]["code"].isdigit()
    assert len(request_id) >= 43
    assert await auth.event_types() == ["notice.requested"]


async def test_s32_asking_tells_nobody_whether_an_address_is_known(
    auth: AuthService, account: dict[str, Any]
) -> None:
    assert account
    for email in (EMAIL, NOBODY):
        assert await _ask(auth, email)
    rows = await auth.database.fetch("SELECT purpose, user_id, has_code, path FROM links")
    [known, unknown] = await auth.events()

    assert known["type"] == unknown["type"] == "notice.requested"
    assert known["data"].keys() == unknown["data"].keys()
    assert dict(rows[0]) == dict(rows[1])
    answer = await auth.internal(
        "GET", f"/internal/links/{unknown['data']['link_id']}", source="mail"
    )
    assert answer.status_code == 404


async def test_the_link_logs_in_once(auth: AuthService, account: dict[str, Any]) -> None:
    await _ask(auth)
    token = await _token(auth)

    answer = await _redeem(auth, token=token)

    assert answer.status_code == 200
    assert answer.json()["user"] == account["user"]
    assert claims(answer.json())["amr"] == ["email"]
    assert await auth.event_types() == ["notice.requested"]
    assert await auth.database.fetchval("SELECT count(*) FROM magic_link_requests") == 0
    assert_problem(await _redeem(auth, token=token), 400, "link_invalid")


async def test_the_code_logs_in_once_where_it_was_asked_for(
    auth: AuthService, account: dict[str, Any]
) -> None:
    request_id = await _ask(auth)
    token, code = await _token(auth), await _code(auth)

    answer = await _redeem(auth, request_id=request_id, code=f"{code[:3]} {code[3:]}")

    assert answer.status_code == 200
    assert answer.json()["user"] == account["user"]
    assert_problem(await _redeem(auth, request_id=request_id, code=code), 400, "link_invalid")
    assert_problem(await _redeem(auth, token=token), 400, "link_invalid")


async def test_s28_a_code_is_bound_to_the_request_that_asked_for_it(
    auth: AuthService, account: dict[str, Any]
) -> None:
    assert account
    await _ask(auth)
    code = await _code(auth)
    other_request = await _ask(auth)

    assert_problem(await _redeem(auth, request_id=other_request, code=code), 400, "code_invalid")
    assert_problem(await _redeem(auth, request_id="made up", code=code), 400, "link_invalid")


async def test_s28_five_wrong_codes_end_the_link(
    auth: AuthService, account: dict[str, Any]
) -> None:
    assert account
    request_id = await _ask(auth)
    token, code = await _token(auth), await _code(auth)
    for _ in range(4):
        wrong = await _redeem(auth, request_id=request_id, code=_other(code))
        assert_problem(wrong, 400, "code_invalid")

    fifth = await _redeem(auth, request_id=request_id, code=_other(code))

    assert_problem(fifth, 400, "link_invalid")
    assert_problem(await _redeem(auth, request_id=request_id, code=code), 400, "link_invalid")
    assert_problem(await _redeem(auth, token=token), 400, "link_invalid")


async def test_s28_ten_guesses_at_once_are_counted_one_by_one(
    auth: AuthService, account: dict[str, Any]
) -> None:
    assert account
    request_id = await _ask(auth)
    wrong = _other(await _code(auth))

    answers = await asyncio.gather(
        *(_redeem(auth, request_id=request_id, code=wrong) for _ in range(10))
    )

    codes = sorted(answer.json()["code"] for answer in answers)
    assert codes == ["code_invalid"] * 4 + ["link_invalid"] * 6


@pytest.mark.parametrize("email", [EMAIL, NOBODY])
async def test_s28_ten_wrong_codes_a_day_stop_codes_but_not_links(
    auth: AuthService, account: dict[str, Any], email: str
) -> None:
    assert account
    for _ in range(2):
        request_id = await _ask(auth, email)
        for _ in range(5):
            answer = await _redeem(auth, request_id=request_id, code="no code")
            assert answer.status_code == 400
    request_id = await _ask(auth, email)

    answer = await _redeem(auth, request_id=request_id, code="no code")

    assert_problem(answer, 429, "too_many_attempts")
    if email == EMAIL:
        code = await _code(auth)
        answer = await _redeem(auth, request_id=request_id, code=code)
        assert_problem(answer, 429, "too_many_attempts")
        assert (await _redeem(auth, token=await _token(auth))).status_code == 200


async def test_right_codes_are_not_counted(auth: AuthService, account: dict[str, Any]) -> None:
    assert account
    for attempt in range(12):
        request_id = await _ask(auth, address=f"198.51.100.{attempt}")
        answer = await _redeem(auth, request_id=request_id, code=await _code(auth))
        assert answer.status_code == 200


@pytest.mark.parametrize("way", ["link", "code"])
async def test_ten_redemptions_at_once_give_one_session(
    auth: AuthService, account: dict[str, Any], way: str
) -> None:
    assert account
    request_id = await _ask(auth)
    body = (
        {"token": await _token(auth)}
        if way == "link"
        else {"request_id": request_id, "code": await _code(auth)}
    )

    answers = await asyncio.gather(*(_redeem(auth, **body) for _ in range(10)))

    assert sorted(answer.status_code for answer in answers) == [200] + [400] * 9


async def test_a_link_and_its_code_at_once_give_one_session(
    auth: AuthService, account: dict[str, Any]
) -> None:
    assert account
    request_id = await _ask(auth)
    token, code = await _token(auth), await _code(auth)
    bodies: list[dict[str, str]] = [{"token": token}, {"request_id": request_id, "code": code}] * 5

    answers = await asyncio.gather(*(_redeem(auth, **body) for body in bodies))

    assert sorted(answer.status_code for answer in answers) == [200] + [400] * 9


async def test_s28_fetching_the_page_spends_nothing(
    auth: AuthService, account: dict[str, Any]
) -> None:
    assert account
    await _ask(auth)
    url: str = (await _mail(auth))["variables"]["url"]
    token = url.partition("#token=")[2]

    for address in (url, url.replace("#", "?"), "/magic-link/page.js", "/page.css"):
        fetched = await auth.client.get(address)
        assert fetched.status_code == 200
        assert "script-src 'self'" in fetched.headers["content-security-policy"]
        assert fetched.headers["referrer-policy"] == "no-referrer"
    refused = await auth.client.get(f"/v1/auth/magic-link/verify?token={token}")

    assert_problem(refused, 405, "method_not_allowed")
    assert (await _redeem(auth, token=token)).status_code == 200


@pytest.mark.parametrize("way", ["link", "code"])
async def test_s28_after_ten_minutes_link_and_code_are_worth_nothing(
    auth: AuthService, account: dict[str, Any], way: str
) -> None:
    assert account
    request_id = await _ask(auth)
    token, code = await _token(auth), await _code(auth)
    remaining = await auth.database.fetchval("SELECT expires_at - created_at FROM links")
    await auth.database.execute(
        "UPDATE links SET created_at = created_at - interval '11 minutes', expires_at = now()"
    )
    body = {"token": token} if way == "link" else {"request_id": request_id, "code": code}

    assert remaining.total_seconds() == 600
    assert_problem(await _redeem(auth, **body), 400, "link_invalid")


async def test_s25_a_link_does_not_get_past_the_second_factor(
    auth: AuthService, account: dict[str, Any]
) -> None:
    app = await enrol(auth, account)
    await _ask(auth)

    answer = await _redeem(auth, token=await _token(auth))

    assert answer.json()["mfa_required"] is True
    assert answer.json().keys() == {"mfa_required", "mfa_token", "methods"}
    finished = await second_step(auth, answer.json()["mfa_token"], app.code())
    assert claims(finished.json())["amr"] == ["email", "otp"]


async def test_an_address_gets_only_so_many_mails_an_hour_and_nobody_is_told(
    auth: AuthService, account: dict[str, Any]
) -> None:
    assert account
    for _ in range(8):
        await _ask(auth)
    assert len(await auth.events()) == 5
    for network in range(5):
        for _ in range(6):
            await _ask(auth, address=f"198.51.100.{network}")
    assert len(await auth.events()) == 20

    await auth.database.execute(
        "UPDATE magic_link_counts SET since = since - interval '61 minutes'"
    )
    await _ask(auth)
    assert len(await auth.events()) == 21


async def test_strangers_cannot_use_up_the_mails_of_who_is_known(
    auth: AuthService, account: dict[str, Any]
) -> None:
    assert account, "whose owner's network is known from then on"
    for network in range(5):
        for _ in range(6):
            await _ask(auth, address=f"198.51.100.{network}")
    assert len(await auth.events()) == 20

    await _ask(auth, address="198.51.100.99")
    assert len(await auth.events()) == 20
    await _ask(auth)
    assert len(await auth.events()) == 21


async def test_links_of_another_purpose_do_not_log_in(auth: AuthService) -> None:
    token = await auth.mailed_token(await auth.sign_up("bob@example.com"))

    assert_problem(await _redeem(auth, token=token), 400, "link_invalid")


async def test_a_disabled_account_is_not_let_in(auth: AuthService, account: dict[str, Any]) -> None:
    assert account
    await _ask(auth)
    token = await _token(auth)
    await auth.database.execute("UPDATE users SET disabled_at = now()")

    assert_problem(await _redeem(auth, token=token), 403, "account_disabled")


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"code": "123456"},
        {"request_id": "some request"},
        {"token": "some token", "code": "123456"},
        {"token": "some token", "request_id": "some request", "code": "123456"},
    ],
)
async def test_a_redemption_names_either_a_link_or_a_request_and_its_code(
    auth: AuthService, body: dict[str, str]
) -> None:
    assert_problem(await _redeem(auth, **body), 422, "validation_failed")


@pytest.mark.parametrize("path", ["/v1/auth/magic-link", "/v1/auth/magic-link/verify"])
async def test_s12_strange_origins_are_refused(auth: AuthService, path: str) -> None:
    body = {"email": EMAIL} if path.endswith("link") else {"token": "some token"}

    refused = await auth.post(path, body, origin="https://evil.example")
    allowed = await auth.post(path, body, origin=ALLOWED_ORIGIN)

    assert_problem(refused, 403, "origin_not_allowed")
    assert allowed.status_code in {202, 400}


async def test_secrets_stand_nowhere_in_the_clear(
    auth: AuthService, account: dict[str, Any]
) -> None:
    assert account
    request_id = await _ask(auth)
    token, code = await _token(auth), await _code(auth)
    await _redeem(auth, request_id=request_id, code=_other(code))

    tables = ("audit_log", "outbox", "links", "magic_link_requests", "magic_link_counts")
    stored = [
        str(dict(row))
        for table in tables
        for row in await auth.database.fetch(f"SELECT * FROM {table}")
    ]
    for secret in (request_id, token, f"'{code}'"):
        assert not any(secret in row for row in stored)
    events = await auth.database.fetch("SELECT * FROM outbox")
    assert not any(EMAIL in str(dict(row)) for row in events)
