"""Logging in: what is accepted, what a guesser meets, and what neither reveals."""

import asyncio
import itertools
import threading
from typing import Any

import pytest

from services.auth import passwords
from shared.chassis.database import Database
from tests.parts.waiting import PATIENCE_SECONDS
from tests.service.auth.auth_service import (
    OWNER_ADDRESS,
    PASSWORD,
    AuthService,
    assert_problem,
    bearer,
    claims,
    running,
    settings,
)

EMAIL = "ada@example.com"
LONG = "x" * 255


@pytest.mark.parametrize(
    ("chosen", "email", "typed", "status"),
    [
        (PASSWORD, EMAIL, PASSWORD, 200),
        (PASSWORD, " ADA@Example.com ", PASSWORD, 200),
        (PASSWORD, EMAIL, PASSWORD + "!", 401),
        (PASSWORD, EMAIL, PASSWORD.upper(), 401),
        (PASSWORD, "eve@example.com", PASSWORD, 401),
        (PASSWORD, "not an address", PASSWORD, 401),
        (LONG + "a", EMAIL, LONG + "a", 200),
        (LONG + "a", EMAIL, LONG + "b", 401),
        ("\x00nul is a character", EMAIL, "\x00nul is a character", 200),
        ("\x00nul is a character", EMAIL, "\x00", 401),
        ("Å in one code point", EMAIL, "A\u030a in one code point", 200),
        (PASSWORD, EMAIL, "x" * 257, 422),
        (PASSWORD, EMAIL, "", 422),
    ],
)
async def test_only_the_exact_password_opens_a_session(
    auth: AuthService, chosen: str, email: str, typed: str, status: int
) -> None:
    await auth.register(EMAIL, chosen)
    await auth.forget_events()
    before = await auth.counts()

    answer = await auth.log_in(email, typed)

    assert answer.status_code == status
    opened = {"sessions": before["sessions"] + 1} if status == 200 else {}
    # The network's at this account, and at all of them.
    failed = {"login_failures": 2} if status == 401 else {}
    assert await auth.counts() == before | opened | failed
    assert await auth.events() == []
    if status == 200:
        assert answer.json()["user"]["email"] == EMAIL


async def test_a_log_in_never_reuses_a_session(auth: AuthService) -> None:
    first = await auth.register(EMAIL)

    second = (await auth.log_in(EMAIL)).json()

    assert claims(first)["sid"] != claims(second)["sid"]


async def test_known_and_unknown_addresses_get_the_same_answer(auth: AuthService) -> None:
    await auth.register(EMAIL)

    known = await auth.log_in(EMAIL, "wrong password")
    unknown = await auth.log_in("eve@example.com", "wrong password")

    assert_problem(known, 401, "invalid_credentials")
    assert (known.text, known.headers) == (unknown.text, unknown.headers)


@pytest.mark.parametrize("email", ["a\0@example.com", "\0\0\0", "a@" + "é" * 300])
async def test_an_address_that_cannot_exist_is_an_unknown_one(
    auth: AuthService, email: str
) -> None:
    assert_problem(await auth.log_in(email), 401, "invalid_credentials")


async def test_the_table_of_failures_does_not_hold_what_was_typed(auth: AuthService) -> None:
    await auth.log_in("my secret password by mistake", "x")

    rows = await auth.database.fetch("SELECT to_jsonb(f)::text FROM login_failures f")

    assert len(rows) == 2
    assert "secret" not in str(rows)


async def _guess(auth: AuthService, times: int, email: str = EMAIL) -> list[int]:
    return [
        (await auth.log_in(email, f"guess number {number}")).status_code for number in range(times)
    ]


async def _let_seconds_pass(database: Database, seconds: int) -> None:
    await database.execute(
        "UPDATE login_failures SET last_failed_at = last_failed_at - make_interval(secs => $1)",
        seconds,
    )


@pytest.mark.usefixtures("long_waits")
@pytest.mark.parametrize("email", [EMAIL, "eve@example.com"])
async def test_forty_wrong_passwords_slow_only_the_guessing_address(
    auth: AuthService, email: str
) -> None:
    await auth.register(EMAIL)

    statuses = await _guess(auth, 40, email)

    assert statuses[:5] == [401] * 5
    assert set(statuses[5:]) == {429}
    refused = await auth.log_in(email, "guess")
    assert_problem(refused, 429, "too_many_attempts")
    assert 1 <= int(refused.headers["retry-after"]) <= 60
    assert (await auth.log_in(EMAIL, x_real_ip="198.51.100.1")).status_code == 200


async def test_the_owner_gets_in_from_the_guessed_address_within_a_minute(
    auth: AuthService,
) -> None:
    await auth.register(EMAIL)
    for _ in range(20):  # a patient guesser who waits each time, up to the longest delay
        await _guess(auth, 3)
        await _let_seconds_pass(auth.database, 31)
    await _guess(auth, 40)

    assert_problem(await auth.log_in(EMAIL), 429, "too_many_attempts")
    await _let_seconds_pass(auth.database, 31)

    assert (await auth.log_in(EMAIL)).status_code == 200
    left = (await auth.counts())["login_failures"]
    assert left == 1, "what its network failed at all accounts"


@pytest.mark.usefixtures("long_waits")
async def test_the_right_password_is_not_recognised_while_waiting(auth: AuthService) -> None:
    await auth.register(EMAIL)
    await _guess(auth, 6)

    right, wrong = await auth.log_in(EMAIL), await auth.log_in(EMAIL, "wrong")

    assert_problem(right, 429, "too_many_attempts")
    assert right.text == wrong.text


@pytest.mark.usefixtures("long_waits")
async def test_guesses_sent_at_once_get_no_further(auth: AuthService) -> None:
    await auth.register(EMAIL)

    answers = await asyncio.gather(*(auth.log_in(EMAIL, f"guess {n}") for n in range(40)))

    tried = sum(answer.status_code == 401 for answer in answers)
    assert tried <= 5 + auth.settings.bcrypt_threads
    assert all(answer.status_code in {401, 429} for answer in answers)


async def test_a_clock_set_back_keeps_nobody_out(auth: AuthService) -> None:
    await auth.register(EMAIL)
    await _guess(auth, 6)

    await _let_seconds_pass(auth.database, -3600)

    assert (await auth.log_in(EMAIL)).status_code == 200


@pytest.mark.usefixtures("long_waits")
@pytest.mark.parametrize(
    ("guesser", "owner", "owner_status"),
    [
        (OWNER_ADDRESS, OWNER_ADDRESS, 429),
        ("2001:db8::1", "2001:db8::ffff", 429),
        ("2001:db8::1", "2001:db8:0:1::1", 200),
        ("198.51.100.1", "198.51.100.2", 200),
        ("not an address", "198.51.100.2", 200),
    ],
)
async def test_what_counts_as_one_place(
    auth: AuthService, guesser: str, owner: str, owner_status: int
) -> None:
    await auth.register(EMAIL)
    for number in range(6):
        await auth.log_in(EMAIL, f"guess {number}", x_real_ip=guesser)

    assert (await auth.log_in(EMAIL, x_real_ip=owner)).status_code == owner_status


async def test_only_so_many_wait_for_a_thread(
    database: Database, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    verify, go_on = passwords.verify_evenly, threading.Event()

    def verify_slowly(*arguments: Any, **options: Any) -> bool:
        assert go_on.wait(PATIENCE_SECONDS)
        return verify(*arguments, **options)

    one_thread = settings(database_url, bcrypt_threads=1, bcrypt_queue=2)
    async with running(database, one_thread) as auth:
        await auth.register(EMAIL)
        monkeypatch.setattr(passwords, "verify_evenly", verify_slowly)
        attempts = [asyncio.create_task(auth.log_in(EMAIL)) for _ in range(12)]
        try:
            refusals = [await each for each in itertools.islice(asyncio.as_completed(attempts), 9)]
        finally:
            go_on.set()
        answers = await asyncio.gather(*attempts)

    assert sorted(answer.status_code for answer in answers) == [200] * 3 + [503] * 9
    refused = refusals[0]
    assert_problem(refused, 503, "overloaded")
    assert int(refused.headers["retry-after"]) > 0


async def test_the_session_list_shows_where_a_log_in_came_from(auth: AuthService) -> None:
    await auth.register(EMAIL)
    session = (
        await auth.log_in(EMAIL, user_agent="Browser/1.0\x7f", x_real_ip="2001:db8::1")
    ).json()

    listed = await auth.client.get("/v1/auth/sessions", headers=bearer(session))

    current: dict[str, Any] = listed.json()["items"][0]
    assert current["current"] is True
    assert current["id"] == claims(session)["sid"]
    assert (current["user_agent"], current["address"]) == ("Browser/1.0", "2001:db8::1")
    assert current["device"] == "an unknown program"
    assert current["last_used_address"] == "2001:db8::1"


async def test_the_session_list_shows_where_a_session_was_used_last(auth: AuthService) -> None:
    session = await auth.register(EMAIL)
    for address in ("198.51.100.4", "not an address"):
        body = {"refresh_token": session["refresh_token"]}
        session = (await auth.post("/v1/auth/refresh", body, x_real_ip=address)).json()

    listed = await auth.client.get("/v1/auth/sessions", headers=bearer(session))

    [current] = listed.json()["items"]
    assert (current["address"], current["last_used_address"]) == (OWNER_ADDRESS, "198.51.100.4")
