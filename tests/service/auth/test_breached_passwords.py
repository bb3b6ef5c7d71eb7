"""New passwords are looked up in a list of stolen ones, which learns next to nothing."""

import hashlib
import time
from collections.abc import AsyncIterator
from uuid import UUID

import pytest

from services.auth.metrics import BREACHED_PASSWORD_CHECKS
from services.auth.protections import breached_passwords
from shared.chassis.database import Database
from tests.parts.receiver import (
    Behaviour,
    Receiver,
    answer,
    endless_body,
    endless_headers,
    garbage,
    hang,
    hang_in_body,
    reset,
)
from tests.parts.waiting import PATIENCE_SECONDS
from tests.service.auth.auth_service import (
    PASSWORD,
    AuthService,
    assert_problem,
    bearer,
    running,
    settings,
)

EMAIL = "ada@example.com"
STOLEN = "a stolen password, nonetheless"
OTHERS = [f"{number:035X}:{number + 1}" for number in range(800)]


def suffix(password: str) -> str:
    return hashlib.sha1(password.encode(), usedforsecurity=False).hexdigest().upper()[5:]


def listing(*lines: str) -> Behaviour:
    return answer(200, "\r\n".join([*OTHERS[:400], *lines, *OTHERS[400:]]).encode())


def outcomes() -> dict[str, float]:
    return {
        outcome: BREACHED_PASSWORD_CHECKS.labels(outcome)._value.get()
        for outcome in ("clean", "breached", "unavailable")
    }


@pytest.fixture
async def stolen_list() -> AsyncIterator[Receiver]:
    receiver = Receiver()
    await receiver.start()
    yield receiver
    await receiver.stop()


@pytest.fixture
async def asking(
    database: Database, database_url: str, stolen_list: Receiver
) -> AsyncIterator[AuthService]:
    # With a slash at the end, as people write it.
    chosen = settings(database_url, breached_passwords_url=f"{stolen_list.url}/")
    async with running(database, chosen) as service:
        yield service


@pytest.fixture(autouse=True)
def patient(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait for the list's answer on a machine that stalls too, unless it never comes."""
    parameters = request.node.callspec.params if hasattr(request.node, "callspec") else {}
    if parameters.get("behaviour") not in {hang, hang_in_body}:
        monkeypatch.setattr(breached_passwords, "ANSWER_SECONDS", PATIENCE_SECONDS)


async def sign_up(auth: AuthService, password: str = STOLEN) -> int:
    body = {"email": EMAIL, "password": password}
    answered = await auth.post("/v1/auth/signup", body)
    if answered.status_code != 202:
        assert_problem(answered, 422, "validation_failed")
        assert answered.json()["errors"][0]["field"] == "password"
        assert await auth.counts() == {}, "and nothing else"
    return int(answered.status_code)


@pytest.mark.parametrize(
    ("line", "status"),
    [
        (f"{suffix(STOLEN)}:1", 422),
        (f"{suffix(STOLEN).lower()}:12345", 422),
        (f"{suffix(STOLEN)}:0", 202),
        (f"{suffix(STOLEN)}:000", 202),
        (f"{suffix(PASSWORD)}:7", 202),
    ],
)
async def test_a_stolen_password_is_not_accepted(
    asking: AuthService, stolen_list: Receiver, line: str, status: int
) -> None:
    stolen_list.behaviours = [listing(line)]

    assert await sign_up(asking) == status


async def test_the_list_learns_five_characters_of_a_hash_and_nothing_else(
    asking: AuthService, stolen_list: Receiver
) -> None:
    stolen_list.behaviours = [listing()]

    await sign_up(asking)

    [asked] = stolen_list.received
    prefix = hashlib.sha1(STOLEN.encode(), usedforsecurity=False).hexdigest().upper()[:5]
    assert asked.line == f"GET /in/{prefix} HTTP/1.1"
    assert asked.body == b""
    assert asked.headers == {
        "Host": f"127.0.0.1:{stolen_list.port}",
        "Connection": "close",
        "Add-Padding": "true",
        "User-Agent": "Freehold",
        "Accept": "text/plain",
    }


@pytest.mark.parametrize(
    "behaviour",
    [
        hang,
        hang_in_body,
        reset,
        garbage,
        endless_body,
        endless_headers,
        answer(500),
        answer(404),
        answer(301, b"", Location="http://127.0.0.1:1/"),
        answer(200, b"<html>a captive portal</html>"),
        answer(200, b"\xff\xfe"),
        answer(200, b"no colon"),
        answer(200, f"{suffix(STOLEN)}:many".encode()),
        answer(200, f"x{suffix(STOLEN)}:1".encode()),
    ],
)
async def test_without_an_answer_the_password_is_accepted_soon_and_counted(
    asking: AuthService, stolen_list: Receiver, behaviour: Behaviour
) -> None:
    stolen_list.behaviours = [behaviour]
    before = outcomes()

    started = time.monotonic()
    assert await sign_up(asking) == 202

    assert time.monotonic() - started < 20
    assert outcomes() == before | {"unavailable": before["unavailable"] + 1}
    assert stolen_list.sent < 64 * 1024 * 1024


async def test_a_list_that_is_gone_keeps_nobody_out(
    asking: AuthService, stolen_list: Receiver
) -> None:
    await stolen_list.stop()

    assert await sign_up(asking) == 202


async def test_what_is_refused_here_is_not_asked_there(
    asking: AuthService, stolen_list: Receiver
) -> None:
    assert await sign_up(asking, "password") == 422

    assert stolen_list.received == []


async def test_changing_and_resetting_a_password_ask_too(
    asking: AuthService, stolen_list: Receiver
) -> None:
    clean, stolen = listing(), listing(f"{suffix(STOLEN)}:3")
    stolen_list.behaviours = [clean, stolen, stolen, clean]
    session = await asking.register(EMAIL)

    change = {"current_password": PASSWORD, "password": STOLEN}
    changed = await asking.post("/v1/auth/password/change", change, **bearer(session))
    assert_problem(changed, 422, "validation_failed")

    await asking.post("/v1/auth/password/forgot", {"email": EMAIL})
    token = await asking.mailed_token(UUID((await asking.events())[-1]["data"]["link_id"]))
    for password, status in ((STOLEN, 422), ("another horse, another staple", 204)):
        answered = await asking.post(
            "/v1/auth/password/reset", {"token": token, "password": password}
        )
        assert answered.status_code == status
    assert len(stolen_list.received) == 4


async def test_known_and_unknown_addresses_are_asked_for_alike(
    asking: AuthService, stolen_list: Receiver
) -> None:
    await asking.register(EMAIL)
    stolen_list.received.clear()

    stolen_list.behaviours = [listing(f"{suffix(STOLEN)}:3")] * 2
    answers = [
        await asking.post("/v1/auth/signup", {"email": email, "password": STOLEN})
        for email in (EMAIL, "eve@example.com")
    ]

    assert answers[0].text == answers[1].text
    assert answers[0].status_code == answers[1].status_code == 422
    assert len(stolen_list.received) == 2
