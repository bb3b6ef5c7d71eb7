"""A passkey after a password, and again in an open session."""

import asyncio
from typing import Any
from uuid import UUID

import httpx2
import pytest

from tests.service.auth.auth_service import (
    PASSWORD,
    AuthService,
    assert_problem,
    bearer,
    claims,
)
from tests.service.auth.authenticator import enrol, mfa_token
from tests.service.auth.software_authenticator import (
    EMAIL,
    Lies,
    SoftwareAuthenticator,
    actions,
    add_passkey,
    encoded,
    options,
    rows,
)


async def _second_step(
    auth: AuthService, passkey: SoftwareAuthenticator, token: str, lies: Lies | None = None
) -> httpx2.Response:
    asked = await options(auth, "/v1/auth/mfa/passkey/options", {"mfa_token": token})
    body = {"mfa_token": token, "credential": passkey.sign(asked, lies or Lies())}
    return await auth.post("/v1/auth/mfa/passkey/verify", body)


async def test_a_passkey_follows_a_password(
    auth: AuthService, passkey: SoftwareAuthenticator
) -> None:
    first = (await auth.log_in(EMAIL)).json()
    assert first["methods"] == ["passkey", "recovery_code"]
    asked = await options(auth, "/v1/auth/mfa/passkey/options", {"mfa_token": first["mfa_token"]})
    assert [one["id"] for one in asked["allowCredentials"]] == [encoded(passkey.credential_id)]

    answer = await _second_step(auth, passkey, first["mfa_token"])

    assert claims(answer.json())["amr"] == ["pwd", "passkey"]
    assert await rows(auth, "factor_challenges") == 0


async def test_ten_second_steps_with_one_assertion_give_one_session(
    auth: AuthService, passkey: SoftwareAuthenticator
) -> None:
    token = await mfa_token(auth, EMAIL)
    asked = await options(auth, "/v1/auth/mfa/passkey/options", {"mfa_token": token})
    body = {"mfa_token": token, "credential": passkey.sign(asked)}

    answers = await asyncio.gather(
        *(auth.post("/v1/auth/mfa/passkey/verify", body) for _ in range(10))
    )

    assert sorted(answer.status_code for answer in answers) == [200] + [401] * 9


async def test_s33_five_refused_passkeys_end_the_log_in(
    auth: AuthService, passkey: SoftwareAuthenticator
) -> None:
    token = await mfa_token(auth, EMAIL)
    for _ in range(4):
        wrong = await _second_step(auth, passkey, token, Lies(signature=b"nonsense"))
        assert_problem(wrong, 401, "passkey_invalid")

    fifth = await _second_step(auth, passkey, token, Lies(signature=b"nonsense"))

    assert_problem(fifth, 401, "mfa_token_invalid")
    over = await auth.post("/v1/auth/mfa/passkey/options", {"mfa_token": token})
    assert_problem(over, 401, "mfa_token_invalid")
    assert await auth.event_types() == ["notice.requested"]


@pytest.mark.usefixtures("passkey")
async def test_somebody_elses_passkey_is_no_second_step(auth: AuthService) -> None:
    other = await add_passkey(auth, await auth.register("bob@example.com"))

    answer = await _second_step(auth, other, await mfa_token(auth, EMAIL))

    assert_problem(answer, 401, "passkey_invalid")


async def test_an_assertion_of_a_log_in_is_no_second_step(
    auth: AuthService, passkey: SoftwareAuthenticator
) -> None:
    asked = await options(auth, "/v1/auth/passkeys/options")
    token = await mfa_token(auth, EMAIL)
    body = {"mfa_token": token, "credential": passkey.sign(asked)}

    answer = await auth.post("/v1/auth/mfa/passkey/verify", body)

    assert_problem(answer, 401, "passkey_invalid")


async def test_accounts_without_a_passkey_are_asked_for_none(auth: AuthService) -> None:
    session = await auth.register(EMAIL)
    await enrol(auth, session)
    token = await mfa_token(auth, EMAIL)

    answer = await auth.post("/v1/auth/mfa/passkey/options", {"mfa_token": token})

    assert_problem(answer, 409, "factor_missing")
    answer = await auth.post("/v1/auth/step-up/passkey/options", {}, **bearer(session))
    assert_problem(answer, 409, "factor_missing")


async def test_s25_a_password_reset_leaves_the_second_step(
    auth: AuthService, passkey: SoftwareAuthenticator
) -> None:
    await auth.post("/v1/auth/password/forgot", {"email": EMAIL})
    link = UUID((await auth.events())[-1]["data"]["link_id"])
    body = {"token": await auth.mailed_token(link), "password": PASSWORD + " anew"}
    assert (await auth.post("/v1/auth/password/reset", body)).status_code == 204

    answer = await _second_step(auth, passkey, await mfa_token(auth, EMAIL, PASSWORD + " anew"))

    assert answer.status_code == 200


# Proving it again


async def test_s8_a_step_up_replaces_the_session(
    auth: AuthService, session: dict[str, Any], passkey: SoftwareAuthenticator
) -> None:
    asked = await options(auth, "/v1/auth/step-up/passkey/options", **bearer(session))
    body = {"credential": passkey.sign(asked)}

    answers = await asyncio.gather(
        *(auth.post("/v1/auth/step-up/passkey", body, **bearer(session)) for _ in range(10))
    )

    assert sorted(answer.status_code for answer in answers) == [200] + [401] * 9
    [stepped_up] = [answer.json() for answer in answers if answer.status_code == 200]
    assert "passkey" in claims(stepped_up)["amr"]
    assert claims(stepped_up)["sid"] != claims(session)["sid"]
    assert claims(session)["sid"] in await auth.revoked()
    assert (await actions(auth)).count("session.stepped_up") == 1


async def test_a_step_up_takes_a_passkey_of_the_caller_signed_for_this_session(
    auth: AuthService, session: dict[str, Any], passkey: SoftwareAuthenticator
) -> None:
    other_session = await auth.register("bob@example.com")
    other = await add_passkey(auth, other_session)

    asked = await options(auth, "/v1/auth/step-up/passkey/options", **bearer(session))
    answer = await auth.post(
        "/v1/auth/step-up/passkey", {"credential": other.sign(asked)}, **bearer(session)
    )
    assert_problem(answer, 401, "passkey_invalid")
    asked = await options(auth, "/v1/auth/step-up/passkey/options", **bearer(other_session))
    answer = await auth.post(
        "/v1/auth/step-up/passkey", {"credential": passkey.sign(asked)}, **bearer(session)
    )
    assert_problem(answer, 401, "passkey_invalid")
