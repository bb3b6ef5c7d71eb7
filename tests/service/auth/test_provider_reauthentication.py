"""An application asks for a new log-in, and no session from before the request is one."""

from datetime import timedelta
from typing import Any
from urllib.parse import parse_qsl, urlsplit
from uuid import UUID

import httpx2
import pytest

from services.auth.provider import reauthentication
from shared.chassis.database import Database
from tests.service.auth.auth_service import (
    PASSWORD,
    PUBLIC_URL,
    assert_problem,
    bearer,
    claims,
    make_administrator,
    running,
    settings,
)
from tests.service.auth.oauth_application import EMAIL, Application, answered

OTHER = "grace@example.com"
COOKIE = "freehold_reauthentication"
ASKED = [
    *({"prompt": "login"}, {"prompt": "select_account"}, {"prompt": "login select_account"}),
    *({"max_age": "0"}, {"prompt": "login", "max_age": "3600"}),
]


async def ask(application: Application, **asked: str | None) -> httpx2.Response:
    """Send the request of an application as its user's browser does, which keeps cookies."""
    answer = await application.authorize(**asked)
    application.keep(answer)
    return answer


def asks_for_log_in(answer: httpx2.Response, application: Application, **asked: str) -> bool:
    """Tell whether the browser is sent to the page, with the request as it was."""
    location = urlsplit(answer.headers["location"])
    return location.path == "/oauth2/sign-in" and dict(
        parse_qsl(location.query)
    ) == application.request(**asked)


async def log_in(application: Application, email: str = EMAIL) -> dict[str, Any]:
    """Log in on the page."""
    body = {"email": email, "password": PASSWORD}
    headers = {"cookie": application.cookie, "origin": PUBLIC_URL}
    answer = await application.auth.post("/v1/auth/login", body, **headers)
    application.keep(answer)
    session: dict[str, Any] = answer.json()
    return session


async def show_page(application: Application, **asked: str) -> str:
    """Do what the page does before it shows its form, and return what it is to ask for."""
    answer = await application.auth.client.get(
        "/oauth2/interaction",
        params=application.request(**asked),
        headers={"Cookie": application.cookie},
    )
    application.keep(answer)
    step: str = answer.json()["step"]
    return step


async def decide(application: Application, *, allow: bool, **asked: str) -> httpx2.Response:
    """Press one of the page's buttons."""
    body = {"parameters": application.request(**asked), "allow": allow}
    answer = await application.auth.post("/oauth2/consent", body, cookie=application.cookie)
    application.keep(answer)
    return answer


@pytest.mark.parametrize("asked", ASKED)
async def test_the_request_is_fulfilled_by_a_log_in_and_once(
    application: Application, asked: dict[str, str]
) -> None:
    first = application.session
    before = await application.sign_in()
    for _ in range(3):
        answer = await ask(application, **asked)
        assert asks_for_log_in(answer, application, **asked), "nobody has logged in"
        assert await show_page(application, **asked) == "login"
    assert await application.auth.revoked() == set()

    second = await log_in(application)
    answer = await ask(application, **asked)

    assert f"{COOKIE}=; HttpOnly; Max-Age=0" in answer.headers["set-cookie"]
    assert COOKIE not in application.cookie
    tokens = (await application.redeem(answered(answer)["code"])).json()
    said = claims({"access_token": tokens["id_token"]})
    assert said["sid"] == claims(second)["sid"]
    assert await application.auth.revoked() == {claims(first)["sid"]}
    assert (await application.userinfo(before["access_token"])).status_code == 200
    assert asks_for_log_in(await ask(application, **asked), application, **asked), "once more"


@pytest.mark.parametrize("asked", ASKED)
async def test_whoever_was_not_signed_in_logs_in_once(
    application: Application, asked: dict[str, str]
) -> None:
    application.cookie = ""
    assert asks_for_log_in(await ask(application, **asked), application, **asked)
    await log_in(application)
    assert "code" in answered(await ask(application, **asked))


async def test_a_session_from_before_the_request_is_none_that_it_asks_for(
    application: Application,
) -> None:
    """Not even if it is another one than the browser had when the request came."""
    earlier, application.cookie = application.cookie, ""
    await log_in(application)
    await ask(application, prompt="login")
    _, _, waiting = application.cookie.partition("; ")
    application.cookie = f"{earlier}; {waiting}"
    answer = await ask(application, prompt="login")
    assert asks_for_log_in(answer, application, prompt="login")


async def test_a_step_up_in_another_tab_is_a_log_in(application: Application) -> None:
    await ask(application, prompt="login")
    answer = await application.auth.post(
        "/v1/auth/step-up",
        {"password": PASSWORD},
        cookie=application.cookie,
        **bearer(application.session),
    )
    application.keep(answer)
    assert "code" in answered(await ask(application, prompt="login"))


async def test_another_account_may_log_in(application: Application) -> None:
    await application.auth.register(OTHER)
    await ask(application, prompt="select_account")
    session = await log_in(application, OTHER)
    answer = await ask(application, prompt="select_account")
    tokens = (await application.redeem(answered(answer)["code"])).json()
    assert claims({"access_token": tokens["id_token"]})["sub"] == session["user"]["id"]


async def test_each_tab_waits_for_itself_and_one_log_in_does_for_all(
    application: Application,
) -> None:
    for state in ("one", "two"):
        await ask(application, prompt="login", state=state)
    await log_in(application)
    for state in ("two", "one"):
        assert "code" in answered(await ask(application, prompt="login", state=state))
    for state in ("one", "two", "three"):
        answer = await ask(application, prompt="login", state=state)
        assert asks_for_log_in(answer, application, prompt="login", state=state)


async def test_a_request_that_came_after_the_log_in_is_not_fulfilled_by_it(
    application: Application,
) -> None:
    await ask(application, prompt="login", state="one")
    await log_in(application)
    answer = await ask(application, prompt="login", state="two")
    assert asks_for_log_in(answer, application, prompt="login", state="two")
    assert "code" in answered(await ask(application, prompt="login", state="one"))


async def test_the_cookie_holds_eight_requests_and_forgets_the_oldest(
    application: Application,
) -> None:
    for number in range(9):
        answer = await ask(application, prompt="login", state=str(number))
    assert len(answer.headers["set-cookie"]) < 500
    await log_in(application)
    answer = await ask(application, prompt="login", state="0")
    assert asks_for_log_in(answer, application, prompt="login", state="0")
    for number in range(2, 9):
        answer = await ask(application, prompt="login", state=str(number))
        assert "code" in answered(answer), number


@pytest.mark.parametrize("allow", [True, False])
async def test_consent_follows_the_log_in_and_the_answer_ends_it(
    application: Application,
    allow: bool,  # noqa: FBT001 - a parameter of the table
) -> None:
    await application.register(name="Foreign", is_trusted=False)
    await ask(application, prompt="login")
    refused = await decide(application, allow=True, prompt="login")
    assert_problem(refused, 401, "authentication_required")
    assert (await application.auth.acts())[-1][0] != "application.signed_in"

    await log_in(application)
    answer = await ask(application, prompt="login")
    assert asks_for_log_in(answer, application, prompt="login"), "the page asks for consent now"
    assert await show_page(application, prompt="login") == "consent"
    said = (await decide(application, allow=allow, prompt="login")).json()["location"]

    assert ("code=" in said) is allow
    assert COOKIE not in application.cookie
    assert await show_page(application, prompt="login") == "login"


@pytest.mark.parametrize("held", ["nonsense", "é", "a changed byte", "a refresh token"])
async def test_a_cookie_that_is_not_of_the_house_says_nothing(
    application: Application, held: str
) -> None:
    await ask(application, prompt="login")
    refresh, _, waiting = application.cookie.partition("; ")
    token = waiting.partition("=")[2]
    planted = {
        "a changed byte": ("B" if token[0] == "A" else "A") + token[1:],
        "a refresh token": refresh.partition("=")[2],
    }.get(held, held)
    await log_in(application)
    application.cookie = f"{application.cookie.partition('; ')[0]}; {COOKIE}={planted}"
    headers = {"Cookie": application.cookie.encode()}
    answer = await application.auth.client.get(
        "/oauth2/authorize", params=application.request(prompt="login"), headers=headers
    )
    assert asks_for_log_in(answer, application, prompt="login")


async def test_the_cookie_refreshes_nothing(application: Application) -> None:
    await ask(application, prompt="login")
    token = application.cookie.rpartition("=")[2]
    answer = await application.auth.refresh(token)
    assert_problem(answer, 401, "refresh_token_invalid")
    refreshed = await application.token(grant_type="refresh_token", refresh_token=token)
    assert refreshed.json()["error"] == "invalid_grant"


async def test_who_takes_longer_than_an_hour_is_asked_once_more(
    application: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    await ask(application, prompt="login")
    await log_in(application)
    with monkeypatch.context() as later:
        later.setattr(reauthentication, "LIFETIME", timedelta(0))
        answer = await ask(application, prompt="login")
    assert asks_for_log_in(answer, application, prompt="login")
    application.keep(await application.authorize(prompt="login"))
    await log_in(application)
    assert "code" in answered(await ask(application, prompt="login"))


async def test_a_clock_that_was_set_back_asks_once_more_and_not_for_ever(
    application: Application,
) -> None:
    await ask(application, prompt="login")
    session = await log_in(application)
    await application.auth.database.execute(
        "UPDATE sessions SET authenticated_at = authenticated_at - interval '1 hour' WHERE id = $1",
        UUID(claims(session)["sid"]),
    )
    answer = await ask(application, prompt="login")
    assert asks_for_log_in(answer, application, prompt="login")
    await log_in(application)
    assert "code" in answered(await ask(application, prompt="login"))


@pytest.mark.parametrize("asked", [{}, {"max_age": "3600"}, {"prompt": "consent"}])
async def test_other_requests_leave_no_cookie(
    application: Application, asked: dict[str, str]
) -> None:
    assert "set-cookie" not in (await application.authorize(**asked)).headers
    application.cookie = ""
    assert "set-cookie" not in (await application.authorize()).headers


async def test_who_may_not_be_asked_is_not_waited_for(application: Application) -> None:
    answer = await application.authorize(prompt="none", max_age="0")
    assert answered(answer)["error"] == "login_required"
    assert "set-cookie" not in answer.headers


async def test_over_https_the_cookie_is_bound_to_the_host(
    database: Database, database_url: str
) -> None:
    chosen = settings(database_url, public_url="https://house.example.com")
    async with running(database, chosen) as auth:
        application = await Application(auth, await make_administrator(auth)).register()
        answer = await application.authorize(prompt="login")
        cookie = answer.headers["set-cookie"]
        assert cookie.startswith(f"__Host-{COOKIE}=")
        assert cookie.endswith("; HttpOnly; Max-Age=3600; Path=/; SameSite=Lax; Secure")
