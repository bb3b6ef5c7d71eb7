"""Devices that an account was used on before, and the mail about the others."""

import asyncio
from http.cookies import SimpleCookie
from typing import Any
from uuid import UUID

import httpx2
import pytest

from services.auth.protections.known_devices import MOST_DEVICES
from shared.chassis.database import Database
from tests.service.auth.auth_service import (
    OWNER_ADDRESS,
    PASSWORD,
    AuthService,
    bearer,
    running,
    settings,
)
from tests.service.auth.authenticator import enrol

EMAIL = "ada@example.com"
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0"
NEWER_FIREFOX = FIREFOX.replace("145", "146")
CHROME = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/142.0.0.0 Safari/537.36"
)


async def browse(
    auth: AuthService, cookie: str | None = None, email: str = EMAIL, **headers: str
) -> httpx2.Response:
    """Log in as a browser does that has this cookie and no other."""
    auth.client.cookies.clear()
    if cookie is not None:
        headers["cookie"] = f"freehold_device={cookie}"
    answer = await auth.post("/v1/auth/login", {"email": email, "password": PASSWORD}, **headers)
    auth.client.cookies.clear()
    return answer


def device_token(answer: httpx2.Response, name: str = "freehold_device") -> str:
    cookies = SimpleCookie()
    for header in answer.headers.get_list("set-cookie"):
        cookies.load(header)
    return cookies[name].value


async def told(auth: AuthService) -> list[dict[str, Any]]:
    """Return the variables of the mails about new devices, oldest first."""
    mails = [
        await auth.mail(UUID(event["data"]["link_id"]))
        for event in await auth.events()
        if event["type"] == "notice.requested"
    ]
    assert {mail["to"] for mail in mails} <= {EMAIL}
    return [mail["variables"] for mail in mails if mail["template"] == "new_device"]


async def devices(auth: AuthService) -> int:
    count: int = await auth.database.fetchval("SELECT count(*) FROM known_devices")
    return count


async def test_the_first_session_brings_no_mail_and_the_next_new_device_does(
    auth: AuthService,
) -> None:
    await auth.register(EMAIL)
    assert await auth.event_types() == ["signup.requested", "user.registered"]

    answer = await browse(auth, user_agent=CHROME, x_real_ip="198.51.100.7")

    assert answer.status_code == 200
    [mail] = await told(auth)
    assert mail["device"] == "Chrome on Windows"
    assert mail["address"] == "198.51.100.7"
    assert mail["when"].endswith(" UTC")
    assert await devices(auth) == 2
    assert await auth.counts() == {"users": 1, "sessions": 2, "links": 1}


async def test_a_browser_is_known_by_its_cookie_wherever_it_is(auth: AuthService) -> None:
    await auth.register(EMAIL)
    first = await browse(auth, user_agent=FIREFOX)
    await auth.forget_events()

    again = await browse(auth, device_token(first), user_agent=CHROME, x_real_ip="2001:db8::9")

    assert device_token(again) == device_token(first)
    assert await told(auth) == []
    assert await devices(auth) == 2


async def test_a_browser_without_its_cookie_is_new_even_at_the_same_place(
    auth: AuthService,
) -> None:
    await auth.register(EMAIL)
    first = await browse(auth, user_agent=FIREFOX)
    second = await browse(auth, user_agent=FIREFOX)

    assert device_token(first) != device_token(second)
    assert len(await told(auth)) == 2


@pytest.mark.parametrize(
    ("user_agent", "address", "mails"),
    [
        (NEWER_FIREFOX, OWNER_ADDRESS, 0),
        (FIREFOX, "203.0.113.200", 0),
        (CHROME, OWNER_ADDRESS, 1),
        (FIREFOX, "203.0.114.7", 1),
        ("", "203.0.113.7", 1),
    ],
)
async def test_a_client_without_cookies_is_known_by_its_program_and_neighbourhood(
    auth: AuthService, user_agent: str, address: str, mails: int
) -> None:
    await auth.register(EMAIL)
    await auth.log_in(EMAIL, user_agent=FIREFOX)
    await auth.forget_events()

    answer = await auth.log_in(EMAIL, user_agent=user_agent, x_real_ip=address)

    assert "set-cookie" not in answer.headers
    assert len(await told(auth)) == mails


@pytest.mark.parametrize("cookie", ["", "short", "x" * 44, "x" * 42 + "=", "x" * 4000])
async def test_a_cookie_that_is_not_ours_by_its_form_is_replaced(
    auth: AuthService, cookie: str
) -> None:
    await auth.register(EMAIL)

    answer = await browse(auth, cookie)

    assert device_token(answer) != cookie
    assert len(device_token(answer)) == 43


async def test_accounts_that_share_a_browser_share_its_cookie_and_nothing_else(
    auth: AuthService,
) -> None:
    await auth.register("eve@example.com")
    await auth.register(EMAIL)
    eves = await browse(auth, email="eve@example.com")
    await auth.forget_events()

    adas = await browse(auth, device_token(eves))

    assert device_token(adas) == device_token(eves)
    assert len(await told(auth)) == 1


async def test_the_cookie_is_out_of_reach_and_bound_to_the_host(
    auth: AuthService, database: Database, database_url: str
) -> None:
    await auth.register(EMAIL)
    plain = (await browse(auth)).headers.get_list("set-cookie")[1]
    async with running(database, settings(database_url, public_url="https://a.example")) as secure:
        encrypted = (await browse(secure)).headers.get_list("set-cookie")[1]

    for header in (plain, encrypted):
        assert {"HttpOnly", "Path=/", "SameSite=Lax", "Max-Age=34560000"} <= set(header.split("; "))
        assert "Domain" not in header
    assert plain.startswith("freehold_device=")
    assert "Secure" not in plain
    assert encrypted.startswith("__Host-freehold_device=")
    assert "Secure" in encrypted


async def test_the_answers_body_does_not_show_the_cookie(auth: AuthService) -> None:
    await auth.register(EMAIL)

    answer = await browse(auth)

    assert answer.json().keys() == {"access_token", "token_type", "expires_in", "user"}
    assert device_token(answer) not in answer.text


async def test_the_table_holds_neither_cookie_nor_user_agent(auth: AuthService) -> None:
    await auth.register(EMAIL)
    answer = await browse(auth, user_agent=FIREFOX)

    rows = await auth.database.fetch("SELECT to_jsonb(d)::text FROM known_devices d")

    assert device_token(answer) not in str(rows)
    assert "Firefox" not in str(rows)


async def test_refreshing_and_stepping_up_bring_no_mail(auth: AuthService) -> None:
    session = await auth.register(EMAIL)
    elsewhere = {"x_real_ip": "198.51.100.7", "user_agent": CHROME}

    refreshed = await auth.post(
        "/v1/auth/refresh", {"refresh_token": session["refresh_token"]}, **elsewhere
    )
    stepped_up = await auth.post(
        "/v1/auth/step-up", {"password": PASSWORD}, **elsewhere, **bearer(session)
    )

    assert (refreshed.status_code, stepped_up.status_code) == (200, 200)
    assert await told(auth) == []
    assert await devices(auth) == 1


async def test_a_log_in_that_stops_at_the_second_factor_brings_no_mail_yet(
    auth: AuthService,
) -> None:
    session = await auth.register(EMAIL)
    authenticator = await enrol(auth, session)
    await auth.forget_events()

    first = await auth.log_in(EMAIL, user_agent=CHROME)
    assert first.json()["mfa_required"] is True
    assert await told(auth) == []
    second = await auth.post(
        "/v1/auth/mfa/totp/verify",
        {"mfa_token": first.json()["mfa_token"], "code": authenticator.code()},
        user_agent=CHROME,
    )

    assert second.status_code == 200, second.text
    assert [mail["device"] for mail in await told(auth)] == ["Chrome on Windows"]


async def test_one_mail_for_log_ins_of_one_new_device_at_the_same_time(auth: AuthService) -> None:
    await auth.register(EMAIL)

    answers = await asyncio.gather(*(auth.log_in(EMAIL, user_agent=CHROME) for _ in range(10)))

    assert {answer.status_code for answer in answers} == {200}
    assert len(await told(auth)) == 1
    assert await devices(auth) == 2


async def test_of_many_devices_the_oldest_fall_out(auth: AuthService) -> None:
    await auth.register(EMAIL)
    oldest = device_token(await browse(auth))
    for number in range(MOST_DEVICES):
        await auth.log_in(EMAIL, user_agent=f"program{number}/1")
    assert await devices(auth) == MOST_DEVICES
    await auth.forget_events()

    await browse(auth, oldest)

    assert len(await told(auth)) == 1
    assert await devices(auth) == MOST_DEVICES


async def test_devices_are_forgotten_after_400_days_and_new_again(auth: AuthService) -> None:
    await auth.register(EMAIL)
    cookie = device_token(await browse(auth))
    await auth.forget_events()
    await auth.database.execute(
        "UPDATE known_devices SET last_seen_at = now() - interval '399 days'"
    )
    assert await auth.clean_up() == 0
    await auth.database.execute(
        "UPDATE known_devices SET last_seen_at = now() - interval '401 days'"
    )

    assert await auth.clean_up(batch=1) == 2
    await browse(auth, cookie)

    assert len(await told(auth)) == 1


async def test_a_changed_password_makes_strangers_of_other_devices(auth: AuthService) -> None:
    session = await auth.register(EMAIL)
    thiefs = device_token(await browse(auth, x_real_ip="198.51.100.7"))
    changed = await auth.post(
        "/v1/auth/password/change",
        {"current_password": PASSWORD, "password": "another horse, another staple"},
        **bearer(session),
    )
    assert changed.status_code == 204
    assert await devices(auth) == 1
    await auth.forget_events()

    auth.client.cookies.clear()
    await auth.post(
        "/v1/auth/login",
        {"email": EMAIL, "password": "another horse, another staple"},
        cookie=f"freehold_device={thiefs}",
        x_real_ip="198.51.100.7",
    )

    assert len(await told(auth)) == 1


async def test_devices_go_with_their_account(auth: AuthService) -> None:
    session = await auth.register(EMAIL)

    gone = await auth.client.delete("/v1/auth/me", headers=bearer(session))

    assert gone.status_code == 204
    assert await devices(auth) == 0
