"""The second step of a log-in: authenticator apps, recovery codes, and who guesses at them."""

import asyncio
from typing import Any
from uuid import UUID

import pytest

from tests.service.auth.auth_service import (
    OWNER_ADDRESS,
    PASSWORD,
    AuthService,
    assert_problem,
    bearer,
    claims,
)
from tests.service.auth.authenticator import (
    Authenticator,
    enrol,
    forget_used_codes,
    mfa_token,
    second_step,
)

EMAIL = "ada@example.com"


@pytest.fixture
async def session(auth: AuthService) -> dict[str, Any]:
    """The session in which the app was added: it was opened without a second factor."""
    return await auth.register(EMAIL)


@pytest.fixture
async def app(auth: AuthService, session: dict[str, Any]) -> Authenticator:
    """The app of an account that has one; the outbox is empty again."""
    return await enrol(auth, session)


async def _log_in(auth: AuthService, app: Authenticator, **headers: str) -> dict[str, Any]:
    answer = await second_step(auth, await mfa_token(auth, EMAIL), app.code(), **headers)
    assert answer.status_code == 200, answer.text
    await forget_used_codes(auth)
    opened: dict[str, Any] = answer.json()
    return opened


async def _actions(auth: AuthService) -> list[str]:
    rows = await auth.database.fetch("SELECT action FROM audit_log ORDER BY id")
    return [row["action"] for row in rows]


async def _pass_time(auth: AuthService, interval: str) -> None:
    await auth.database.execute(
        "UPDATE factor_failures SET last_failed_at = last_failed_at - $1::text::interval", interval
    )


@pytest.mark.usefixtures("app")
async def test_a_password_alone_opens_no_session(auth: AuthService) -> None:
    before = await auth.counts()

    answer = await auth.log_in(EMAIL)

    body = answer.json()
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    assert "set-cookie" not in answer.headers
    assert body.keys() == {"mfa_required", "mfa_token", "methods"}
    assert body["methods"] == ["totp", "recovery_code"]
    assert len(body["mfa_token"]) >= 43
    assert await auth.counts() == before
    assert await auth.events() == []
    stored = await auth.database.fetchrow("SELECT * FROM factor_challenges")
    assert body["mfa_token"] not in str(dict(stored))
    assert (await _actions(auth))[-1] == "factor.required"


async def test_the_code_of_the_app_finishes_the_log_in(
    auth: AuthService, app: Authenticator
) -> None:
    answer = await second_step(auth, await mfa_token(auth, EMAIL), app.code())

    said = claims(answer.json())
    assert answer.status_code == 200
    assert answer.json()["refresh_token"]
    assert said["amr"] == ["pwd", "otp"]
    assert await auth.database.fetchval("SELECT count(*) FROM factor_challenges") == 0
    assert await auth.events() == []


async def test_the_second_step_puts_the_refresh_token_where_the_first_asked_for_it(
    auth: AuthService, app: Authenticator
) -> None:
    first = await auth.post("/v1/auth/login", {"email": EMAIL, "password": PASSWORD})

    answer = await second_step(auth, first.json()["mfa_token"], app.code())

    assert "refresh_token" not in answer.json()
    assert answer.headers["set-cookie"].startswith("freehold_refresh=")


async def test_s28_a_code_is_good_once(auth: AuthService, app: Authenticator) -> None:
    code = app.code()
    assert (await second_step(auth, await mfa_token(auth, EMAIL), code)).status_code == 200

    again = await second_step(auth, await mfa_token(auth, EMAIL), code)

    assert_problem(again, 400, "code_invalid")


async def test_s28_codes_before_the_last_used_one_are_worth_nothing(
    auth: AuthService, app: Authenticator
) -> None:
    code = app.code()
    await auth.database.execute(
        "UPDATE totp_factors SET last_used_step = extract(epoch FROM now())::bigint / 30 + 1"
    )

    assert_problem(await second_step(auth, await mfa_token(auth, EMAIL), code), 400, "code_invalid")


async def test_ten_redemptions_of_one_challenge_give_one_session(
    auth: AuthService, app: Authenticator
) -> None:
    token, code = await mfa_token(auth, EMAIL), app.code()

    answers = await asyncio.gather(*(second_step(auth, token, code) for _ in range(10)))

    assert sorted(answer.status_code for answer in answers) == [200] + [401] * 9


@pytest.mark.parametrize("kind", ["totp", "recovery"])
async def test_ten_redemptions_of_one_code_give_one_session(
    auth: AuthService, app: Authenticator, kind: str
) -> None:
    tokens = [await mfa_token(auth, EMAIL) for _ in range(10)]
    code = app.code() if kind == "totp" else app.recovery_codes[0]

    answers = await asyncio.gather(*(second_step(auth, token, code, kind=kind) for token in tokens))

    statuses = sorted(answer.status_code for answer in answers)
    assert statuses[0] == 200
    assert set(statuses[1:]) <= {400, 429}


@pytest.mark.parametrize(
    "change",
    [
        (
            "UPDATE factor_challenges SET created_at = created_at - interval '1 hour', "
            "expires_at = now() - interval '1 second'"
        ),
        "DELETE FROM factor_challenges",
    ],
)
async def test_a_challenge_that_is_over_is_worth_nothing(
    auth: AuthService, app: Authenticator, change: str
) -> None:
    token = await mfa_token(auth, EMAIL)
    await auth.database.execute(change)

    assert_problem(await second_step(auth, token, app.code()), 401, "mfa_token_invalid")


async def test_s33_five_wrong_codes_end_the_log_in_and_tell_the_owner_once(
    auth: AuthService, app: Authenticator
) -> None:
    for attempt in range(2):
        token = await mfa_token(auth, EMAIL)
        for _ in range(4):
            assert_problem(
                await second_step(auth, token, app.wrong_code(), kind="recovery"),
                400,
                "code_invalid",
            )
        fifth = await second_step(auth, token, app.wrong_code(), kind="recovery")
        assert_problem(fifth, 401, "mfa_token_invalid")
        assert_problem(await second_step(auth, token, app.code()), 401, "mfa_token_invalid")
        assert await auth.event_types() == ["notice.requested"], attempt

    [event] = await auth.events()
    mail = await auth.mail(UUID(event["data"]["link_id"]))
    assert (mail["to"], mail["template"]) == (EMAIL, "factor_guessed")
    assert (await _actions(auth)).count("factor.failed") == 10


async def test_s33_wrong_codes_make_their_network_wait(
    auth: AuthService, app: Authenticator, long_waits: int
) -> None:
    for _ in range(3):
        await second_step(auth, await mfa_token(auth, EMAIL), app.wrong_code())

    waiting = await second_step(auth, await mfa_token(auth, EMAIL), app.code())
    assert_problem(waiting, 429, "too_many_attempts")
    assert 1 <= int(waiting.headers["retry-after"]) <= long_waits, "one second, so many times"
    elsewhere = await second_step(
        auth, await mfa_token(auth, EMAIL), app.code(), address="198.51.100.1"
    )
    assert elsewhere.status_code == 200
    await forget_used_codes(auth)
    await _pass_time(auth, f"{long_waits} seconds")
    token = await mfa_token(auth, EMAIL)
    assert (await second_step(auth, token, app.code())).status_code == 200


@pytest.mark.usefixtures("long_waits")
async def test_s33_ten_guesses_at_once_are_counted_one_by_one(
    auth: AuthService, app: Authenticator
) -> None:
    tokens = [await mfa_token(auth, EMAIL) for _ in range(10)]

    answers = await asyncio.gather(
        *(second_step(auth, token, app.wrong_code()) for token in tokens)
    )

    statuses = sorted(answer.status_code for answer in answers)
    assert statuses == [400] * 3 + [429] * 7


async def test_s33_who_knows_the_password_cannot_lock_the_owner_out(
    auth: AuthService, app: Authenticator
) -> None:
    await _log_in(auth, app)
    for guess in range(30):
        token = await mfa_token(auth, EMAIL)
        address = f"198.51.100.{guess}"
        wrong = await second_step(auth, token, app.wrong_code(), address=address)
        assert_problem(wrong, 400, "code_invalid")

    stranger = await second_step(
        auth, await mfa_token(auth, EMAIL), app.code(), address="198.51.100.99"
    )
    assert_problem(stranger, 429, "too_many_attempts")
    # Neither the password nor the recovery codes are counted with it, nor is the owner's network.
    with_recovery_code = await second_step(
        auth,
        await mfa_token(auth, EMAIL),
        app.recovery_codes[0],
        kind="recovery",
        address="198.51.100.99",
    )
    assert with_recovery_code.status_code == 200
    at_home = await second_step(
        auth, await mfa_token(auth, EMAIL), app.code(), address=OWNER_ADDRESS
    )
    assert at_home.status_code == 200
    assert await auth.database.fetchval("SELECT count(*) FROM login_failures") == 0


async def test_s37_a_recovery_code_is_good_once_and_its_owner_is_told(
    auth: AuthService, app: Authenticator
) -> None:
    code = app.recovery_codes[3]
    answer = await second_step(
        auth, await mfa_token(auth, EMAIL), code.upper().replace("-", " "), kind="recovery"
    )

    assert answer.status_code == 200
    assert claims(answer.json())["amr"] == ["pwd", "recovery"]
    [event] = await auth.events()
    mail = await auth.mail(UUID(event["data"]["link_id"]))
    assert mail["template"] == "factor_changed"
    assert "Codes left: 9." in mail["variables"]["change"]
    again = await second_step(auth, await mfa_token(auth, EMAIL), code, kind="recovery")
    assert_problem(again, 400, "code_invalid")
    factors = (await auth.client.get("/v1/auth/mfa", headers=bearer(answer.json()))).json()
    assert factors["recovery_codes_left"] == 9


@pytest.mark.usefixtures("app")
async def test_somebody_elses_codes_are_worth_nothing(auth: AuthService) -> None:
    other = await enrol(auth, await auth.register("bob@example.com"))
    token = await mfa_token(auth, EMAIL)

    for kind, code in [("totp", other.code()), ("recovery", other.recovery_codes[0])]:
        assert_problem(await second_step(auth, token, code, kind=kind), 400, "code_invalid")


async def test_a_disabled_account_is_told_after_the_second_step(
    auth: AuthService, app: Authenticator
) -> None:
    await auth.database.execute("UPDATE users SET disabled_at = now()")

    answer = await second_step(auth, await mfa_token(auth, EMAIL), app.code())

    assert_problem(answer, 403, "account_disabled")


async def test_secrets_stand_nowhere_in_the_clear(auth: AuthService, app: Authenticator) -> None:
    token = await mfa_token(auth, EMAIL)
    await second_step(auth, token, app.recovery_codes[0], kind="recovery")

    tables = ("audit_log", "outbox", "links", "totp_factors", "recovery_codes", "factor_challenges")
    stored = [
        str(dict(row))
        for table in tables
        for row in await auth.database.fetch(f"SELECT * FROM {table}")
    ]
    assert len(stored) > len(tables)
    for secret in (token, app.secret, app.code(), *app.recovery_codes):
        assert not any(secret in row for row in stored)


async def test_strange_origins_cannot_finish_a_log_in(
    auth: AuthService, app: Authenticator
) -> None:
    body = {"mfa_token": await mfa_token(auth, EMAIL), "code": app.code()}

    for path in ("/v1/auth/mfa/totp/verify", "/v1/auth/mfa/recovery/verify", "/v1/auth/step-up"):
        answer = await auth.post(path, body, origin="https://evil.example")
        assert_problem(answer, 403, "origin_not_allowed")
