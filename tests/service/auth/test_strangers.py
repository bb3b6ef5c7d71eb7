"""Guessers with many networks: slowed for each account, and never able to lock its owner out."""

import asyncio
from collections import Counter
from http.cookies import SimpleCookie
from uuid import UUID

import httpx2
import pytest

from services.auth.throttle import NETWORK_FAILURES, STRANGER_FAILURES
from shared.chassis.database import Database
from tests.service.auth.auth_service import (
    PASSWORD,
    AuthService,
    assert_problem,
    bearer,
    running,
    settings,
)

EMAIL = "ada@example.com"
UNKNOWN = "eve@example.com"
NEW_NETWORK = "198.51.100.77"
NEW_PASSWORD = "another horse, another staple"


async def attack(
    auth: AuthService, times: int, email: str = EMAIL, *, first: int = 0
) -> list[httpx2.Response]:
    """Guess once from each of so many addresses."""
    return [
        await auth.log_in(
            email, f"guess {number}", x_real_ip=f"198.18.{number // 256}.{number % 256}"
        )
        for number in range(first, first + times)
    ]


async def browse(auth: AuthService, cookie: str | None = None, **headers: str) -> httpx2.Response:
    """Log in with the right password in a browser that has this cookie and no other."""
    auth.client.cookies.clear()
    if cookie is not None:
        headers["cookie"] = f"freehold_device={cookie}"
    answer = await auth.post("/v1/auth/login", {"email": EMAIL, "password": PASSWORD}, **headers)
    auth.client.cookies.clear()
    return answer


async def own_browser(auth: AuthService) -> str:
    """Make an account, log in to it with a browser, and return the browser's cookie."""
    await auth.register(EMAIL)
    cookies = SimpleCookie()
    for header in (await browse(auth)).headers.get_list("set-cookie"):
        cookies.load(header)
    return cookies["freehold_device"].value


async def let_strangers_wait(auth: AuthService, seconds: int) -> None:
    await auth.database.execute(
        "UPDATE stranger_failures SET last_let_in_at = last_let_in_at - make_interval(secs => $1),"
        " last_failed_at = last_failed_at - make_interval(secs => $1)",
        seconds,
    )


async def test_s33_an_attack_from_1000_addresses_does_not_lock_the_owner_out(
    auth: AuthService,
) -> None:
    cookie = await own_browser(auth)

    answers = await attack(auth, 1000)

    # Up to the limit, and the one that is let in every five minutes.
    assert [answer.status_code for answer in answers] == [401] * 101 + [429] * 899
    assert_problem(await browse(auth, x_real_ip=NEW_NETWORK), 429, "too_many_attempts")
    assert (await browse(auth, cookie, x_real_ip=NEW_NETWORK)).status_code == 200
    assert (await auth.log_in(EMAIL)).status_code == 200, "from a network that is known"


async def test_an_address_without_an_account_is_treated_alike(auth: AuthService) -> None:
    await auth.register(EMAIL)

    known = await attack(auth, 103)
    unknown = await attack(auth, 103, UNKNOWN)

    def seen(answers: list[httpx2.Response]) -> list[tuple[int, str]]:
        return [(answer.status_code, answer.text) for answer in answers]

    assert seen(known) == seen(unknown)
    rows = await auth.database.fetch("SELECT failures FROM stranger_failures")
    assert [row["failures"] for row in rows] == [101, 101]


async def test_the_table_does_not_tell_whose_failures_it_counts(auth: AuthService) -> None:
    await attack(auth, 1)

    rows = await auth.database.fetch("SELECT to_jsonb(s)::text FROM stranger_failures s")

    assert len(rows) == 1
    assert EMAIL not in str(rows)


async def test_strangers_are_counted_over_all_processes(
    auth: AuthService, database: Database, database_url: str
) -> None:
    await auth.register(EMAIL)
    async with running(database, settings(database_url)) as other:
        for number in range(STRANGER_FAILURES + 1):
            await attack((auth, other)[number % 2], 1, first=number)

        refused = [await attack(one, 1, first=500) for one in (auth, other)]

    assert [answer.status_code for [answer] in refused] == [429, 429]


async def test_one_stranger_is_let_in_every_five_minutes(auth: AuthService) -> None:
    await auth.register(EMAIL)
    await attack(auth, STRANGER_FAILURES + 1)
    refused = await browse(auth, x_real_ip=NEW_NETWORK)
    assert_problem(refused, 429, "too_many_attempts")
    assert 200 <= int(refused.headers["retry-after"]) <= 300
    assert "link by mail" in refused.json()["detail"]

    await let_strangers_wait(auth, 301)
    answers = await asyncio.gather(
        *(auth.log_in(EMAIL, "guess", x_real_ip=f"198.19.0.{number}") for number in range(20))
    )
    assert Counter(answer.status_code for answer in answers) == {401: 1, 429: 19}

    await let_strangers_wait(auth, 301)
    assert (await browse(auth, x_real_ip=NEW_NETWORK)).status_code == 200
    assert (await browse(auth, x_real_ip=NEW_NETWORK)).status_code == 200, "known from now on"


async def test_a_clock_set_back_keeps_no_stranger_out(auth: AuthService) -> None:
    await auth.register(EMAIL)
    await attack(auth, STRANGER_FAILURES + 1)

    await let_strangers_wait(auth, -3600)

    assert (await browse(auth, x_real_ip=NEW_NETWORK)).status_code == 200


async def test_the_owners_success_gives_guessers_nothing_back(auth: AuthService) -> None:
    cookie = await own_browser(auth)
    await attack(auth, STRANGER_FAILURES + 1)

    assert (await browse(auth, cookie)).status_code == 200

    [answer] = await attack(auth, 1, first=500)
    assert_problem(answer, 429, "too_many_attempts")


async def test_the_owners_own_mistakes_are_not_a_strangers(auth: AuthService) -> None:
    cookie = await own_browser(auth)
    for _ in range(3):
        await auth.post(
            "/v1/auth/login",
            {"email": EMAIL, "password": "mistyped"},
            cookie=f"freehold_device={cookie}",
            x_real_ip=NEW_NETWORK,
        )
        await auth.log_in(EMAIL, "mistyped")

    answers = await attack(auth, STRANGER_FAILURES + 2)

    assert [answer.status_code for answer in answers] == [401] * 101 + [429]


@pytest.mark.usefixtures("long_waits")
async def test_a_known_browser_has_a_counter_of_its_own(auth: AuthService) -> None:
    cookie = await own_browser(auth)
    for number in range(10):  # somebody behind the same address
        await auth.log_in(EMAIL, f"guess {number}")
    assert_problem(await auth.log_in(EMAIL), 429, "too_many_attempts")

    assert (await browse(auth, cookie)).status_code == 200

    wrong = {"email": EMAIL, "password": "mistyped"}
    for _ in range(5):
        await auth.post("/v1/auth/login", wrong, cookie=f"freehold_device={cookie}")
    assert_problem(await browse(auth, cookie), 429, "too_many_attempts")
    elsewhere = await browse(auth, cookie, x_real_ip=NEW_NETWORK)
    assert_problem(elsewhere, 429, "too_many_attempts")


async def test_a_cookie_of_another_account_makes_nobody_known(auth: AuthService) -> None:
    await auth.register(UNKNOWN)
    auth.client.cookies.clear()
    answer = await auth.post("/v1/auth/login", {"email": UNKNOWN, "password": PASSWORD})
    cookie = answer.cookies["freehold_device"]
    await auth.register(EMAIL)
    await attack(auth, STRANGER_FAILURES + 1)

    answer = await browse(auth, cookie, x_real_ip=NEW_NETWORK)

    assert_problem(answer, 429, "too_many_attempts")


async def test_a_day_without_failures_ends_it(auth: AuthService) -> None:
    await auth.register(EMAIL)
    await attack(auth, STRANGER_FAILURES + 1)
    await auth.database.execute("DELETE FROM login_failures")
    await let_strangers_wait(auth, 86_000)
    assert await auth.clean_up() == 0
    await let_strangers_wait(auth, 500)

    statuses = [answer.status_code for answer in await attack(auth, 3, first=500)]

    assert statuses == [401] * 3
    assert await auth.database.fetchval("SELECT max(failures) FROM stranger_failures") == 3
    await let_strangers_wait(auth, 86_500)
    await auth.database.execute("DELETE FROM login_failures")
    assert await auth.clean_up() == 1


async def test_mailed_links_and_new_passwords_let_the_owner_in_meanwhile(
    auth: AuthService,
) -> None:
    await auth.register(EMAIL)
    await attack(auth, STRANGER_FAILURES + 1)
    await auth.forget_events()
    elsewhere = {"x_real_ip": NEW_NETWORK}

    await auth.post("/v1/auth/magic-link", {"email": EMAIL}, **elsewhere)
    link = UUID((await auth.events())[-1]["data"]["link_id"])
    token = await auth.mailed_token(link)
    entered = await auth.post("/v1/auth/magic-link/verify", {"token": token}, x_real_ip="192.0.2.1")
    assert entered.status_code == 200

    await auth.post("/v1/auth/password/forgot", {"email": EMAIL}, **elsewhere)
    token = await auth.mailed_token(UUID((await auth.events())[-1]["data"]["link_id"]))
    reset = await auth.post(
        "/v1/auth/password/reset", {"token": token, "password": NEW_PASSWORD}, **elsewhere
    )
    assert reset.status_code == 204
    auth.client.cookies.clear()
    assert (await auth.log_in(EMAIL, NEW_PASSWORD, **elsewhere)).status_code == 200


@pytest.mark.usefixtures("long_waits")
async def test_an_open_session_proves_its_password_by_a_counter_of_its_own(
    auth: AuthService,
) -> None:
    session = await auth.register(EMAIL)
    await attack(auth, STRANGER_FAILURES + 1)
    elsewhere = {"x_real_ip": NEW_NETWORK} | bearer(session)

    proved = await auth.post("/v1/auth/step-up", {"password": PASSWORD}, **elsewhere)
    assert proved.status_code == 200

    stolen = {"x_real_ip": NEW_NETWORK} | bearer(proved.json())
    for number in range(5):  # from another network each time, which helps no thief
        stolen["x_real_ip"] = f"192.0.2.{number}"
        wrong = await auth.post("/v1/auth/step-up", {"password": "guess"}, **stolen)
        assert_problem(wrong, 401, "invalid_credentials")
        assert wrong.json()["detail"] == "The current password is wrong."
    refused = await auth.post("/v1/auth/step-up", {"password": PASSWORD}, **stolen)
    assert_problem(refused, 429, "too_many_attempts")
    assert (await auth.log_in(EMAIL)).status_code == 200


@pytest.mark.parametrize("email", [EMAIL, UNKNOWN])
async def test_attempts_that_are_sent_at_once_get_little_further(
    auth: AuthService, email: str
) -> None:
    await auth.register(EMAIL)

    answers = await asyncio.gather(
        *(auth.log_in(email, "guess", x_real_ip=f"198.19.1.{number}") for number in range(60)),
        *(auth.log_in(email, "guess", x_real_ip=f"198.19.2.{number}") for number in range(60)),
    )

    looked_at = sum(answer.status_code == 401 for answer in answers)
    assert looked_at <= STRANGER_FAILURES + auth.settings.bcrypt_threads + 1


async def make_network_suspect(auth: AuthService) -> None:
    """Let the usual network fail at two accounts, and make a thousand of the two failures."""
    for email in (UNKNOWN, "mallory@example.com"):
        assert (await auth.log_in(email, "a guess")).status_code == 401
    counted = await auth.database.fetch(
        "UPDATE login_failures SET failures = $1 WHERE failures = 2 RETURNING network::text",
        NETWORK_FAILURES,
    )
    assert len(counted) == 1, "failures at both accounts are counted together"


async def let_network_wait(auth: AuthService, seconds: float) -> None:
    await auth.database.execute(
        "UPDATE login_failures SET last_failed_at = last_failed_at - make_interval(secs => $1)",
        seconds,
    )


@pytest.mark.parametrize("email", [EMAIL, UNKNOWN, "never@example.com"])
async def test_a_network_that_fails_at_many_accounts_is_slowed_at_every_one(
    auth: AuthService, email: str
) -> None:
    await auth.register(EMAIL)
    await make_network_suspect(auth)

    refused = await auth.log_in(email)
    assert_problem(refused, 429, "too_many_attempts")
    assert "from your network" in refused.json()["detail"]
    assert refused.headers["retry-after"] == "5"
    elsewhere = await auth.log_in(EMAIL, x_real_ip=NEW_NETWORK)
    assert elsewhere.status_code == 200, "others do not notice"

    await let_network_wait(auth, 5)
    answers = [await auth.log_in(email, "a guess") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [401, 429, 429]


async def test_a_known_browser_in_a_slowed_network_does_not_notice(auth: AuthService) -> None:
    cookie = await own_browser(auth)
    await make_network_suspect(auth)
    assert_problem(await browse(auth), 429, "too_many_attempts")
    assert (await browse(auth, cookie)).status_code == 200


async def test_who_proves_the_password_in_a_session_does_not_notice(auth: AuthService) -> None:
    session = await auth.register(EMAIL)
    await make_network_suspect(auth)
    answer = await auth.post("/v1/auth/step-up", {"password": PASSWORD}, **bearer(session))
    assert answer.status_code == 200


@pytest.mark.parametrize(("seconds", "status"), [(-60, 200), (3601, 401)])
async def test_a_clock_set_back_and_a_quiet_hour_end_the_wait(
    auth: AuthService, seconds: float, status: int
) -> None:
    await auth.register(EMAIL)
    await make_network_suspect(auth)
    await let_network_wait(auth, seconds)
    answer = await auth.log_in(EMAIL, PASSWORD if status == 200 else "a guess")
    assert answer.status_code == status
    if status == 401:
        assert (await auth.log_in(EMAIL)).status_code == 200, "the count has begun anew"
