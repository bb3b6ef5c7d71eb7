"""The CAPTCHA hook, against a provider that answers, errs, stalls and lies."""

import json
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import parse_qs

import httpx2
import pytest
from pydantic import ValidationError

from services.auth.protections import captcha
from services.auth.throttle import STRANGER_FAILURES
from shared.chassis.database import Database
from tests.parts.receiver import (
    Behaviour,
    Receiver,
    answer,
    endless_body,
    garbage,
    hang,
    reset,
)
from tests.parts.waiting import PATIENCE_SECONDS
from tests.service.auth.auth_service import (
    PASSWORD,
    AuthService,
    assert_problem,
    running,
    settings,
)

EMAIL = "ada@example.com"
pytestmark = pytest.mark.usefixtures("account")

SECRET = "the provider's & secret"
FORMS: dict[str, dict[str, Any]] = {
    "/v1/auth/signup": {"email": "eve@example.com", "password": PASSWORD},
    "/v1/auth/password/forgot": {"email": EMAIL},
    "/v1/auth/magic-link": {"email": EMAIL},
}
OPEN = ["/v1/auth/password/forgot", "/v1/auth/magic-link"]


def says(**told: object) -> Behaviour:
    return answer(200, json.dumps(told).encode())


PERSON = says(success=True)
PROGRAM = says(success=False, **{"error-codes": ["invalid-input-response"]})
OUTAGES: dict[str, Behaviour] = {
    "no answer": hang,
    "cut off": reset,
    "not HTTP": garbage,
    "endless": endless_body,
    "500": answer(500),
    "yes in an error": answer(403, b'{"success": true}'),
    "a redirect": answer(302, b"", Location="http://127.0.0.1:1/"),
    "not JSON": answer(200, b"<html>"),
    "nothing": answer(200),
    "nested": answer(200, b"[" * 5000),
    "a list": answer(200, b'[{"success": true}]'),
    "a word": says(success="true"),
    "a number": says(success=1),
    "no word": answer(200, b"{}"),
    "a wrong secret": says(success=False, **{"error-codes": ["invalid-input-secret"]}),
}
PROGRAMS: dict[str, Behaviour] = {
    "a program": PROGRAM,
    "no reason": says(success=False),
    "a strange reason": says(success=False, **{"error-codes": 7}),
    "no reasons": says(success=False, **{"error-codes": None}),
}


@pytest.fixture
async def provider() -> AsyncIterator[Receiver]:
    receiver = Receiver()
    await receiver.start()
    yield receiver
    await receiver.stop()


@pytest.fixture
async def guarded(
    database: Database, database_url: str, provider: Receiver
) -> AsyncIterator[AuthService]:
    chosen = settings(database_url, captcha_verify_url=provider.url, captcha_secret=SECRET)
    async with running(database, chosen) as service:
        yield service


@pytest.fixture(autouse=True)
def patient(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait for the provider's answer on a machine that stalls too, unless it never comes."""
    parameters = request.node.callspec.params if hasattr(request.node, "callspec") else {}
    if parameters.get("behaviour") is not hang:
        monkeypatch.setattr(captcha, "ANSWER_SECONDS", PATIENCE_SECONDS)


@pytest.fixture
async def account(auth: AuthService) -> AuthService:
    """Make an account where there is no CAPTCHA."""
    await auth.register(EMAIL)
    await auth.forget_events()
    return auth


async def test_without_the_settings_nothing_is_asked_for(account: AuthService) -> None:
    for path, body in FORMS.items():
        assert (await account.post(path, body)).status_code == 202
        assert (await account.post(path, body | {"captcha_token": "x"})).status_code == 202


@pytest.mark.parametrize("given", ["verify_url", "secret"])
def test_half_of_the_settings_is_refused(given: str) -> None:
    value = "https://example.com/siteverify" if given == "verify_url" else SECRET

    with pytest.raises(ValidationError, match="set together"):
        settings("postgresql://nobody@127.0.0.1:1/x", **{f"captcha_{given}": value})


@pytest.mark.parametrize("path", FORMS)
async def test_a_form_without_a_token_is_refused_and_nobody_asked(
    guarded: AuthService, provider: Receiver, path: str
) -> None:
    before = await guarded.counts()
    for token in (None, ""):
        refused = await guarded.post(path, FORMS[path] | {"captcha_token": token})
        assert_problem(refused, 403, "captcha_required")

    assert provider.received == []
    assert await guarded.counts() == before
    assert await guarded.events() == []


@pytest.mark.parametrize("path", FORMS)
async def test_a_token_is_verified_where_the_operator_says(
    guarded: AuthService, provider: Receiver, path: str
) -> None:
    provider.behaviours = [PERSON]

    taken = await guarded.post(
        path, FORMS[path] | {"captcha_token": "a&b=c"}, x_real_ip="2001:db8::7"
    )

    assert taken.status_code == 202
    [asked] = provider.received
    assert asked.line == "POST /in HTTP/1.1"
    assert asked.headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert parse_qs(asked.body.decode()) == {
        "secret": [SECRET],
        "response": ["a&b=c"],
        "remoteip": ["2001:db8::7"],
    }


@pytest.mark.parametrize("behaviour", PROGRAMS.values(), ids=PROGRAMS.keys())
@pytest.mark.parametrize("path", FORMS)
async def test_a_program_is_refused(
    guarded: AuthService, provider: Receiver, path: str, behaviour: Behaviour
) -> None:
    provider.behaviours = [behaviour]
    before = await guarded.counts()

    refused = await guarded.post(path, FORMS[path] | {"captcha_token": "x"})

    assert_problem(refused, 403, "captcha_required")
    assert await guarded.counts() == before
    assert await guarded.events() == []


@pytest.mark.parametrize("behaviour", OUTAGES.values(), ids=OUTAGES.keys())
async def test_while_the_provider_is_away_nobody_signs_up(
    guarded: AuthService, provider: Receiver, behaviour: Behaviour
) -> None:
    provider.behaviours = [behaviour]

    refused = await guarded.post(
        "/v1/auth/signup", FORMS["/v1/auth/signup"] | {"captcha_token": "x"}
    )

    assert_problem(refused, 503, "dependency_unavailable")
    assert "sign up" in refused.json()["detail"]
    assert int(refused.headers["retry-after"]) > 0
    assert "signups" not in await guarded.counts()
    assert await guarded.events() == []


@pytest.mark.parametrize("behaviour", [reset, answer(500), garbage])
@pytest.mark.parametrize("path", OPEN)
async def test_while_the_provider_is_away_owners_still_get_their_mails(
    guarded: AuthService, provider: Receiver, path: str, behaviour: Behaviour
) -> None:
    provider.behaviours = [behaviour]

    taken = await guarded.post(path, FORMS[path] | {"captcha_token": "x"})

    assert taken.status_code == 202
    assert await guarded.event_types() == ["notice.requested"]


async def _attack(auth: AuthService, email: str = EMAIL) -> None:
    for number in range(STRANGER_FAILURES + 1):
        await auth.log_in(email, "guess", x_real_ip=f"198.18.0.{number}")


async def _stranger(
    auth: AuthService, token: str | None, password: str = PASSWORD, email: str = EMAIL
) -> httpx2.Response:
    body = {"email": email, "password": password, "token_delivery": "body"}
    return await auth.post(
        "/v1/auth/login", body | {"captcha_token": token}, x_real_ip="198.51.100.77"
    )


async def test_log_ins_ask_for_it_only_of_strangers_after_many_failures(
    guarded: AuthService, provider: Receiver
) -> None:
    assert (await guarded.log_in(EMAIL)).status_code == 200
    await _attack(guarded)
    assert provider.received == []

    refused = await _stranger(guarded, None)
    assert_problem(refused, 403, "captcha_required")
    assert int(refused.headers["retry-after"]) > 0
    provider.behaviours = [PROGRAM, PERSON, PERSON]
    assert_problem(await _stranger(guarded, "x"), 403, "captcha_required")
    assert_problem(await _stranger(guarded, "x", "wrong"), 401, "invalid_credentials")
    assert (await _stranger(guarded, "x")).status_code == 200

    # Of whoever is known nothing is asked, whatever the provider does.
    asked = len(provider.received)
    assert asked == 3
    assert (await guarded.log_in(EMAIL)).status_code == 200
    assert (await _stranger(guarded, None)).status_code == 200
    assert len(provider.received) == asked


async def test_an_address_without_an_account_asks_for_it_alike(
    guarded: AuthService, provider: Receiver
) -> None:
    await _attack(guarded)
    await _attack(guarded, "eve@example.com")
    provider.behaviours = [PROGRAM, PROGRAM, PERSON, PERSON]

    for token in (None, "x", "x"):
        known, unknown = [
            await _stranger(guarded, token, "wrong", email) for email in (EMAIL, "eve@example.com")
        ]
        assert (known.status_code, known.text) == (unknown.status_code, unknown.text)


async def test_strangers_take_turns_while_the_provider_is_away(
    guarded: AuthService, provider: Receiver
) -> None:
    await _attack(guarded)
    provider.behaviours = [reset, reset]
    assert_problem(await _stranger(guarded, "x"), 429, "too_many_attempts")

    await guarded.database.execute(
        "UPDATE stranger_failures SET last_let_in_at = last_let_in_at - interval '301 seconds'"
    )

    assert (await _stranger(guarded, "x")).status_code == 200
