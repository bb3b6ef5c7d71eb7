"""The pages of signing in, agreeing and signing out, in a real Chromium."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from urllib.parse import urlencode
from uuid import UUID

import httpx2
import pytest

from shared.chassis.database import Database
from tests.parts.chromium import Page, chromium
from tests.service.auth.auth_service import PASSWORD, PUBLIC_URL, make_administrator
from tests.service.auth.federation.houses import house
from tests.service.auth.oauth_application import EMAIL, Application


@dataclass
class Desk:
    """Somebody's browser before an application that is not the house's own."""

    application: Application
    page: Page
    issuer: str

    async def ask(self, **changes: str) -> None:
        """Go where the application sends its users."""
        asked = self.application.request(
            redirect_uri=f"{self.issuer}/callback", scope="openid profile email", **changes
        )
        url = f"{self.issuer}/oauth2/authorize?{urlencode(asked)}"
        await self.page.call("Page.navigate", url=url)

    async def log_in(self) -> None:
        await self.page.wait_for("document.getElementById('login')?.hidden === false")
        await self.page.type("#email", EMAIL)
        await self.page.type("#password", PASSWORD)
        await self.page.click("#login button[type=submit]")

    async def consent(self) -> str:
        """Wait until the page asks, and return what a person reads."""
        await self.page.wait_for("document.getElementById('consent')?.hidden === false")
        text: str = await self.page.evaluate("document.querySelector('main').innerText")
        return text

    async def arrived(self) -> dict[str, str]:
        """Wait until the browser is back at the application, and return what it brought."""
        await self.page.wait_for("location.pathname === '/callback'")
        return dict(httpx2.QueryParams(await self.page.evaluate("location.search.slice(1)")))


@pytest.fixture
async def desk(database: Database, database_url: str) -> AsyncIterator[Desk]:
    async with (
        house("localhost", database, database_url) as auth,
        chromium() as browser,
    ):
        issuer = auth.settings.public_url
        application = Application(auth, await make_administrator(auth))
        await application.register(
            name="Weather", redirect_uris=[f"{issuer}/callback"], is_trusted=False
        )
        await auth.register(EMAIL)
        yield Desk(application, await browser.page(), issuer)


async def test_somebody_signs_in_agrees_once_and_comes_back_with_a_code(desk: Desk) -> None:
    await desk.ask()
    await desk.page.wait_for("document.getElementById('login')?.hidden === false")
    await desk.log_in()
    text = await desk.consent()
    for words in ("Weather", EMAIL, "See your name", "See your e-mail address"):
        assert words in text
    await desk.page.click("#allow")
    brought = await desk.arrived()
    assert (brought["state"], brought["iss"]) == ("a state", desk.issuer)
    answer = await desk.application.redeem(brought["code"], redirect_uri=f"{desk.issuer}/callback")
    assert answer.status_code == 200

    await desk.page.open("about:blank")
    await desk.ask()
    assert (await desk.arrived())["code"] != brought["code"], "nobody is asked twice"


async def test_who_refuses_comes_back_without_a_code(desk: Desk) -> None:
    await desk.ask()
    await desk.log_in()
    await desk.consent()
    await desk.page.click("#refuse")
    brought = await desk.arrived()
    assert (brought["error"], "code" in brought) == ("access_denied", False)


async def test_the_address_that_the_application_knows_is_filled_in(desk: Desk) -> None:
    await desk.ask(login_hint=EMAIL)
    await desk.page.wait_for("document.getElementById('login')?.hidden === false")
    assert await desk.page.evaluate("document.getElementById('email').value") == EMAIL


async def test_a_wrong_password_is_told_and_may_be_typed_again(desk: Desk) -> None:
    await desk.ask()
    await desk.page.wait_for("document.getElementById('login')?.hidden === false")
    await desk.page.type("#email", EMAIL)
    await desk.page.type("#password", "wrong")
    await desk.page.click("#login button[type=submit]")
    await desk.page.wait_for("document.getElementById('message').innerText.includes('password')")
    await desk.page.evaluate("document.getElementById('password').value = ''")
    await desk.page.type("#password", PASSWORD)
    await desk.page.click("#login button[type=submit]")
    await desk.consent()


async def test_who_has_forgotten_the_password_gets_a_link_by_mail(desk: Desk) -> None:
    auth = desk.application.auth
    await auth.forget_events()
    await desk.ask()
    await desk.page.wait_for("document.getElementById('login')?.hidden === false")
    await desk.page.type("#email", EMAIL)
    await desk.page.click("#forgot")
    await desk.page.wait_for("document.getElementById('message').innerText.includes('mail')")

    [event] = await auth.events()
    mail = await auth.mail(UUID(event["data"]["link_id"]))
    assert (mail["to"], mail["template"]) == (EMAIL, "password_reset")


async def test_an_application_without_proof_has_its_user_asked_before_the_log_out(
    desk: Desk,
) -> None:
    await desk.ask()
    await desk.log_in()
    await desk.consent()
    await desk.page.call("Page.navigate", url=f"{desk.issuer}/oauth2/logout")
    await desk.page.wait_for(
        "location.pathname === '/oauth2/sign-out' && document.readyState === 'complete'"
    )
    open_sessions = (await desk.application.auth.counts())["sessions"]
    await desk.page.click("#sign-out")
    await desk.page.wait_for("location.pathname === '/oauth2/logged-out'")
    assert (await desk.application.auth.counts())["sessions"] == open_sessions - 1


async def test_an_application_that_is_not_registered_is_a_page_for_people(desk: Desk) -> None:
    url = f"{desk.issuer}/oauth2/authorize?client_id=nobody"
    await desk.page.call("Page.navigate", url=url)
    await desk.page.wait_for("document.body?.innerText.includes('Sign-in not possible')")
    assert PUBLIC_URL not in await desk.page.evaluate("document.body.innerText")


async def post_from_elsewhere(desk: Desk, path: str, fields: dict[str, str]) -> None:
    """Post a form from a page of another site, as a person who presses its button."""
    other = desk.issuer.replace("localhost", "127.0.0.1")
    await desk.page.open(f"{other}/.well-known/jwks.json")
    await desk.page.evaluate(
        f"""(() => {{
          const form = document.createElement("form");
          form.method = "post";
          form.action = {json.dumps(desk.issuer + path)};
          for (const [name, value] of Object.entries({json.dumps(fields)})) {{
            const field = document.createElement("input");
            [field.type, field.name, field.value] = ["hidden", name, value];
            form.append(field);
          }}
          document.body.append(form);
          form.submit();
        }})()"""
    )


async def test_a_form_of_another_site_finds_who_is_signed_in_and_signs_them_out(
    desk: Desk,
) -> None:
    await desk.ask()
    await desk.log_in()
    await desk.consent()
    await desk.page.click("#allow")
    await desk.arrived()
    callback = f"{desk.issuer}/callback"
    asked = desk.application.request(redirect_uri=callback, scope="openid email")

    await post_from_elsewhere(desk, "/oauth2/authorize", asked)
    brought = await desk.arrived()
    answer = await desk.application.redeem(brought["code"], redirect_uri=callback)

    open_sessions = (await desk.application.auth.counts())["sessions"]
    hint = {"id_token_hint": answer.json()["id_token"]}
    await post_from_elsewhere(desk, "/oauth2/logout", hint)
    await desk.page.wait_for("location.pathname === '/oauth2/logged-out'")
    assert (await desk.application.auth.counts())["sessions"] == open_sessions - 1


@pytest.mark.parametrize(
    "changes", [{"max_age": "0"}, {"prompt": "login"}, {"prompt": "login select_account"}]
)
async def test_whoever_has_to_sign_in_anew_does_so_once(
    desk: Desk, changes: dict[str, str]
) -> None:
    await desk.ask()
    await desk.log_in()
    await desk.consent()
    await desk.page.click("#allow")
    await desk.arrived()
    open_sessions = (await desk.application.auth.counts())["sessions"]
    await desk.page.open("about:blank")
    await desk.ask(**changes)
    await desk.log_in()
    assert "code" in await desk.arrived()
    assert (await desk.application.auth.counts())["sessions"] == open_sessions, "one was replaced"


async def test_whoever_has_to_sign_in_and_agree_anew_does_both_once(desk: Desk) -> None:
    await desk.ask()
    await desk.log_in()
    await desk.consent()
    await desk.page.click("#allow")
    await desk.arrived()
    await desk.page.open("about:blank")
    await desk.ask(prompt="login consent")
    await desk.log_in()
    await desk.consent()
    await desk.page.click("#allow")
    assert "code" in await desk.arrived()


async def test_a_link_that_says_that_somebody_signed_in_is_not_believed(desk: Desk) -> None:
    await desk.ask()
    await desk.log_in()
    await desk.consent()
    await desk.page.click("#allow")
    await desk.arrived()
    asked = desk.application.request(
        redirect_uri=f"{desk.issuer}/callback", scope="openid profile email", prompt="login"
    )
    await desk.page.open("about:blank")
    url = f"{desk.issuer}/oauth2/sign-in?{urlencode(asked)}#signed_in=1"
    await desk.page.call("Page.navigate", url=url)
    await desk.page.wait_for("document.getElementById('login')?.hidden === false")
    assert await desk.page.evaluate("location.hash") == ""
    await desk.log_in()
    assert "code" in await desk.arrived()


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("/oauth2/sign-in", False),
        ("/oauth2/sign-out", False),
        ("/oauth2/logged-out", False),
        ("/oauth2/authorize?client_id=nobody", False),
        ("/.well-known/jwks.json", True),
    ],
)
async def test_s15_no_page_that_asks_is_shown_in_a_frame(
    desk: Desk,
    path: str,
    shown: bool,  # noqa: FBT001 - a parameter of the table
) -> None:
    """Not even by the same origin, whose scripts see what a frame holds if it is shown."""
    await desk.page.open(f"{desk.issuer}/.well-known/jwks.json")
    seen = await desk.page.evaluate(
        f"""new Promise((done) => {{
          const frame = document.createElement("iframe");
          frame.src = {json.dumps(desk.issuer + path)};
          frame.onload = () => done(frame.contentDocument !== null);
          document.body.append(frame);
        }})"""
    )
    assert seen is shown
