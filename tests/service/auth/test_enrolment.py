"""How an account gets, changes and loses its second factors, and how a session proves more."""

import asyncio
from typing import Any
from uuid import UUID

import httpx2
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
CHANGES = [
    ("POST", "/v1/auth/mfa/totp", {}),
    ("POST", "/v1/auth/mfa/totp/confirm", {"code": "123456"}),
    ("DELETE", "/v1/auth/mfa/totp", {"code": "123456"}),
    ("POST", "/v1/auth/mfa/recovery-codes", {}),
]


@pytest.fixture
async def session(auth: AuthService) -> dict[str, Any]:
    """A session of an account without a second factor; the outbox is empty again."""
    session = await auth.register(EMAIL)
    await auth.forget_events()
    return session


@pytest.fixture
async def app(auth: AuthService, session: dict[str, Any]) -> Authenticator:
    """The app of the account, added in `session`."""
    return await enrol(auth, session)


@pytest.fixture
async def proved(auth: AuthService, app: Authenticator) -> dict[str, Any]:
    """A session that was opened with the second factor."""
    answer = await second_step(auth, await mfa_token(auth, EMAIL), app.code())
    await forget_used_codes(auth)
    proved: dict[str, Any] = answer.json()
    return proved


async def _call(
    auth: AuthService, session: dict[str, Any], method: str, path: str, body: object = None
) -> httpx2.Response:
    headers = {**bearer(session), "x-real-ip": OWNER_ADDRESS}
    return await auth.client.request(method, path, json=body, headers=headers)


async def _factors(auth: AuthService, session: dict[str, Any]) -> dict[str, Any]:
    answer = await _call(auth, session, "GET", "/v1/auth/mfa")
    assert answer.headers["cache-control"] == "no-store"
    factors: dict[str, Any] = answer.json()
    return factors


async def _step_up(auth: AuthService, session: dict[str, Any], **body: str) -> httpx2.Response:
    return await _call(auth, session, "POST", "/v1/auth/step-up", body)


async def _assert_told(auth: AuthService, change: str) -> None:
    """The last event has a mail sent that says what was changed."""
    event = (await auth.events())[-1]
    assert event["type"] == "notice.requested"
    mail = await auth.mail(UUID(event["data"]["link_id"]))
    assert (mail["to"], mail["template"]) == (EMAIL, "factor_changed")
    assert mail["variables"]["change"] == change


async def _last_action(auth: AuthService) -> str:
    action: str = await auth.database.fetchval(
        "SELECT action FROM audit_log ORDER BY id DESC LIMIT 1"
    )
    return action


async def _age_sessions(auth: AuthService, session: dict[str, Any]) -> dict[str, Any]:
    """Let the proof of all sessions be eleven minutes old, and return the session renewed."""
    await auth.database.execute(
        "UPDATE sessions SET authenticated_at = authenticated_at - interval '11 minutes'"
    )
    renewed: dict[str, Any] = (await auth.refresh(session["refresh_token"])).json()
    return renewed


async def test_an_account_begins_without_a_second_factor(
    auth: AuthService, session: dict[str, Any]
) -> None:
    assert await _factors(auth, session) == {"methods": [], "totp": None, "recovery_codes_left": 0}


async def test_asking_for_a_secret_takes_no_body(
    auth: AuthService, session: dict[str, Any]
) -> None:
    answer = await auth.client.post("/v1/auth/mfa/totp", headers=bearer(session))
    assert (answer.status_code, set(answer.json())) == (201, {"secret", "uri"})


async def test_an_app_counts_once_it_is_confirmed(
    auth: AuthService, session: dict[str, Any]
) -> None:
    started = await _call(auth, session, "POST", "/v1/auth/mfa/totp", {})
    app = Authenticator(started.json()["secret"], [])

    assert started.status_code == 201
    assert started.headers["cache-control"] == "no-store"
    assert f"secret={app.secret}" in started.json()["uri"]
    assert (await auth.log_in(EMAIL)).json()["access_token"]
    assert (await _factors(auth, session))["methods"] == []
    assert await auth.events() == []

    wrong = await _call(
        auth, session, "POST", "/v1/auth/mfa/totp/confirm", {"code": app.wrong_code()}
    )
    assert_problem(wrong, 400, "code_invalid")
    code = app.code()
    confirmed = await _call(auth, session, "POST", "/v1/auth/mfa/totp/confirm", {"code": code})

    assert confirmed.status_code == 200
    assert len(confirmed.json()["recovery_codes"]) == 10
    factors = await _factors(auth, session)
    assert factors["methods"] == ["totp", "recovery_code"]
    assert factors["totp"]["confirmed_at"] is not None
    assert await auth.event_types() == ["notice.requested"]
    await _assert_told(auth, "An authenticator app was added.")
    assert await _last_action(auth) == "factor.added"
    spent = await second_step(auth, await mfa_token(auth, EMAIL), code)
    assert_problem(spent, 400, "code_invalid")


async def test_ten_confirmations_at_once_show_one_set_of_recovery_codes(
    auth: AuthService, session: dict[str, Any]
) -> None:
    started = await _call(auth, session, "POST", "/v1/auth/mfa/totp", {})
    body = {"code": Authenticator(started.json()["secret"], []).code()}

    answers = await asyncio.gather(
        *(_call(auth, session, "POST", "/v1/auth/mfa/totp/confirm", body) for _ in range(10))
    )

    assert sorted(answer.status_code for answer in answers) == [200] + [409] * 9


async def test_only_the_session_that_asked_for_an_app_confirms_it(
    auth: AuthService, session: dict[str, Any]
) -> None:
    started = await _call(auth, session, "POST", "/v1/auth/mfa/totp", {})
    code = Authenticator(started.json()["secret"], []).code()
    other = (await auth.log_in(EMAIL)).json()

    answer = await _call(auth, other, "POST", "/v1/auth/mfa/totp/confirm", {"code": code})

    assert_problem(answer, 409, "factor_missing")


async def test_an_app_that_nobody_confirmed_in_time_is_worth_nothing(
    auth: AuthService, session: dict[str, Any]
) -> None:
    started = await _call(auth, session, "POST", "/v1/auth/mfa/totp", {})
    code = Authenticator(started.json()["secret"], []).code()
    await auth.database.execute(
        "UPDATE totp_factors SET created_at = created_at - interval '16 minutes'"
    )

    answer = await _call(auth, session, "POST", "/v1/auth/mfa/totp/confirm", {"code": code})

    assert_problem(answer, 409, "factor_missing")
    assert (await _factors(auth, session))["totp"] is None


@pytest.mark.parametrize(("method", "path", "body"), CHANGES)
async def test_s26_factors_change_only_after_a_fresh_proof(
    auth: AuthService, session: dict[str, Any], method: str, path: str, body: dict[str, str]
) -> None:
    old = await _age_sessions(auth, session)

    answer = await _call(auth, old, method, path, body)

    assert_problem(answer, 403, "reauthentication_required")


@pytest.mark.parametrize("change", [CHANGES[0], CHANGES[3]])
async def test_s26_a_session_without_the_second_factor_cannot_replace_it(
    auth: AuthService,
    app: Authenticator,
    session: dict[str, Any],
    change: tuple[str, str, dict[str, str]],
) -> None:
    method, path, body = change
    assert app.recovery_codes

    answer = await _call(auth, session, method, path, body)

    assert_problem(answer, 403, "reauthentication_required")
    assert (await _factors(auth, session))["recovery_codes_left"] == 10


async def test_s26_an_app_asked_for_before_cannot_replace_the_owners(
    auth: AuthService, session: dict[str, Any]
) -> None:
    intruder = (await auth.log_in(EMAIL)).json()
    await _call(auth, intruder, "POST", "/v1/auth/mfa/totp", {})
    app = await enrol(auth, session)

    answer = await _call(auth, intruder, "POST", "/v1/auth/mfa/totp/confirm", {"code": app.code()})

    assert_problem(answer, 409, "factor_missing")


async def test_s26_removing_the_app_takes_one_of_its_codes(
    auth: AuthService, app: Authenticator, proved: dict[str, Any]
) -> None:
    wrong = await _call(auth, proved, "DELETE", "/v1/auth/mfa/totp", {"code": app.wrong_code()})
    assert_problem(wrong, 400, "code_invalid")
    assert await auth.events() == []
    assert await auth.database.fetchval("SELECT failures FROM factor_failures") == 1

    answer = await _call(auth, proved, "DELETE", "/v1/auth/mfa/totp", {"code": app.code()})

    assert answer.status_code == 204
    assert await _factors(auth, proved) == {"methods": [], "totp": None, "recovery_codes_left": 0}
    assert await auth.event_types() == ["notice.requested"]
    await _assert_told(auth, "The authenticator app was removed.")
    assert await _last_action(auth) == "factor.removed"
    assert (await auth.log_in(EMAIL)).json()["access_token"]
    again = await _call(auth, proved, "DELETE", "/v1/auth/mfa/totp", {"code": app.code()})
    assert_problem(again, 409, "factor_missing")


async def test_an_app_that_is_lost_can_be_removed_with_a_recovery_code(
    auth: AuthService, app: Authenticator, proved: dict[str, Any]
) -> None:
    body = {"recovery_code": app.recovery_codes[0]}

    assert (await _call(auth, proved, "DELETE", "/v1/auth/mfa/totp", body)).status_code == 204


@pytest.mark.parametrize("body", [{}, {"code": "123456", "recovery_code": "abcd"}])
async def test_removing_takes_one_code_and_not_two(
    auth: AuthService, proved: dict[str, Any], body: dict[str, str]
) -> None:
    answer = await _call(auth, proved, "DELETE", "/v1/auth/mfa/totp", body)

    assert_problem(answer, 422, "validation_failed")


async def test_another_app_takes_the_place_of_the_first(
    auth: AuthService, app: Authenticator, proved: dict[str, Any]
) -> None:
    replacement = await enrol(auth, proved)

    answer = await second_step(auth, await mfa_token(auth, EMAIL), replacement.code())

    assert answer.status_code == 200
    old = await second_step(auth, await mfa_token(auth, EMAIL), app.code())
    assert_problem(old, 400, "code_invalid")
    old_recovery = await second_step(
        auth, await mfa_token(auth, EMAIL), app.recovery_codes[0], kind="recovery"
    )
    assert_problem(old_recovery, 400, "code_invalid")


async def test_new_recovery_codes_replace_the_old_ones(
    auth: AuthService, app: Authenticator, proved: dict[str, Any]
) -> None:
    answer = await _call(auth, proved, "POST", "/v1/auth/mfa/recovery-codes", {})

    codes = answer.json()["recovery_codes"]
    assert answer.status_code == 200
    assert not set(codes) & set(app.recovery_codes)
    await _assert_told(auth, "New recovery codes were made; the old ones do not work any more.")
    assert await _last_action(auth) == "recovery_codes.renewed"
    token = await mfa_token(auth, EMAIL)
    old = await second_step(auth, token, app.recovery_codes[0], kind="recovery")
    assert_problem(old, 400, "code_invalid")
    assert (await second_step(auth, token, codes[0], kind="recovery")).status_code == 200


async def test_there_are_no_recovery_codes_without_a_second_factor(
    auth: AuthService, session: dict[str, Any]
) -> None:
    answer = await _call(auth, session, "POST", "/v1/auth/mfa/recovery-codes", {})

    assert_problem(answer, 409, "factor_missing")


@pytest.mark.parametrize("ends_others", [False, True])
async def test_s9_a_changed_factor_ends_the_other_sessions_if_asked_to(
    auth: AuthService, app: Authenticator, proved: dict[str, Any], *, ends_others: bool
) -> None:
    other = (await auth.database.fetchval("SELECT count(*) FROM sessions")) - 1
    body = {"code": app.code(), "end_other_sessions": ends_others}

    answer = await _call(auth, proved, "DELETE", "/v1/auth/mfa/totp", body)

    assert answer.status_code == 204
    assert other == 1
    assert len(await auth.revoked()) == (1 if ends_others else 0)
    assert claims(proved)["sid"] not in await auth.revoked()


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [*CHANGES, ("GET", "/v1/auth/mfa", None), ("POST", "/v1/auth/step-up", {"password": PASSWORD})],
)
async def test_nobody_else_gets_at_somebodys_factors(
    auth: AuthService, method: str, path: str, body: dict[str, str] | None
) -> None:
    answer = await auth.client.request(method, path, json=body)

    assert_problem(answer, 401, "authentication_required")


# Step-up


async def test_s8_a_step_up_gives_the_session_another_id(
    auth: AuthService, session: dict[str, Any]
) -> None:
    old = await _age_sessions(auth, session)

    answer = await _step_up(auth, old, password=PASSWORD)

    new = answer.json()
    assert answer.status_code == 200
    assert claims(new)["sid"] != claims(old)["sid"]
    assert claims(new)["auth_time"] > claims(old)["auth_time"]
    assert claims(new)["amr"] == ["email", "pwd"]
    assert new["refresh_token"]
    assert await auth.revoked() == {claims(old)["sid"]}
    assert await auth.event_types() == ["session.revoked"]
    assert await _last_action(auth) == "session.stepped_up"
    assert_problem(await auth.refresh(old["refresh_token"]), 401, "refresh_token_invalid")
    assert (await _call(auth, new, "POST", "/v1/auth/mfa/totp", {})).status_code == 201


async def test_an_account_with_a_second_factor_steps_up_with_it(
    auth: AuthService, app: Authenticator, session: dict[str, Any]
) -> None:
    with_password = await _step_up(auth, session, password=PASSWORD)
    assert_problem(with_password, 403, "second_factor_required")
    wrong = await _step_up(auth, session, code=app.wrong_code())
    assert_problem(wrong, 400, "code_invalid")
    assert await auth.database.fetchval("SELECT failures FROM factor_failures") == 1

    answer = await _step_up(auth, session, code=app.code())

    assert answer.status_code == 200
    assert claims(answer.json())["amr"] == ["email", "otp"]
    renewed = await _call(auth, answer.json(), "POST", "/v1/auth/mfa/recovery-codes", {})
    assert renewed.status_code == 200


async def test_a_recovery_code_steps_up_once(
    auth: AuthService, app: Authenticator, session: dict[str, Any]
) -> None:
    code = app.recovery_codes[0]

    answer = await _step_up(auth, session, recovery_code=code)

    assert answer.status_code == 200
    again = await _step_up(auth, answer.json(), recovery_code=code)
    assert_problem(again, 400, "code_invalid")


async def test_of_ten_step_ups_of_one_session_one_succeeds(
    auth: AuthService, session: dict[str, Any]
) -> None:
    answers = await asyncio.gather(*(_step_up(auth, session, password=PASSWORD) for _ in range(10)))

    assert sorted(answer.status_code for answer in answers) == [200] + [401] * 9
    assert await auth.database.fetchval("SELECT count(*) FROM sessions") == 1


@pytest.mark.usefixtures("long_waits")
async def test_guessing_the_password_by_step_up_is_slowed_as_at_log_in(
    auth: AuthService, session: dict[str, Any]
) -> None:
    for _ in range(5):
        wrong = await _step_up(auth, session, password="not the password at all")
        assert_problem(wrong, 401, "invalid_credentials")

    assert_problem(await _step_up(auth, session, password=PASSWORD), 429, "too_many_attempts")
    assert (await auth.log_in(EMAIL)).status_code == 200, "whoever guesses here locks nobody out"


@pytest.mark.parametrize("body", [{}, {"code": "123456"}])
async def test_an_account_without_a_second_factor_needs_its_password(
    auth: AuthService, session: dict[str, Any], body: dict[str, str]
) -> None:
    assert_problem(await _step_up(auth, session, **body), 422, "validation_failed")


async def test_an_account_with_nothing_to_prove_is_told_to_log_in_again(
    auth: AuthService, session: dict[str, Any]
) -> None:
    await auth.database.execute("UPDATE users SET password_hash = NULL")

    assert_problem(await _step_up(auth, session), 403, "reauthentication_required")


async def test_a_session_that_has_ended_cannot_step_up(
    auth: AuthService, session: dict[str, Any]
) -> None:
    await _call(auth, session, "POST", "/v1/auth/logout", {})

    assert_problem(await _step_up(auth, session, password=PASSWORD), 401, "token_revoked")
