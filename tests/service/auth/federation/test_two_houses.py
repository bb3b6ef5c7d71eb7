"""Freehold's own provider as the other side, over the network; and in a real browser."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from urllib.parse import urlencode

import httpx2
import pytest

from services.auth.app import SERVICE
from shared.chassis.database import Database
from shared.chassis.migrations import CHASSIS_MIGRATIONS, migrate
from shared.chassis.settings import DatabaseSettings
from tests.parts.chromium import Page, chromium
from tests.parts.postgres import PostgresCluster
from tests.service.auth.auth_service import PASSWORD, AuthService, claims
from tests.service.auth.authenticator import Authenticator, enrol
from tests.service.auth.federation.browser import Browser, fragment
from tests.service.auth.federation.houses import connect_houses, house, sign_in_there
from tests.service.auth.oauth_application import EMAIL, Application


@dataclass
class Houses:
    """Where people log in, and where they are known."""

    here: AuthService
    there: AuthService
    reports: Application
    """An application that signs its users in here."""


@pytest.fixture
async def other_database(postgres: PostgresCluster) -> AsyncIterator[tuple[Database, str]]:
    url = postgres.new_database("auth")
    database = Database(DatabaseSettings(postgres_url=url), "auth")
    await database.start()
    assert SERVICE.migrations is not None
    await migrate(database, [CHASSIS_MIGRATIONS, SERVICE.migrations])
    yield database, url
    await database.stop()


@pytest.fixture
async def houses(
    database: Database, database_url: str, other_database: tuple[Database, str]
) -> AsyncIterator[Houses]:
    # By two names, because browsers keep cookies for a host and not for its ports.
    async with (
        house("localhost", database, database_url) as here,
        house("127.0.0.1", *other_database) as there,
    ):
        admin = await connect_houses(here, there)
        reports = Application(here, admin)
        await reports.register(redirect_uris=[f"{here.settings.public_url}/callback"])
        yield Houses(here, there, reports)


async def log_in(houses: Houses, browser: Browser) -> httpx2.Response:
    location = await browser.start()
    brought = await sign_in_there(houses.there, location)
    assert brought.keys() == {"code", "state", "iss"}
    return await browser.come_back(brought)


async def test_a_new_account_and_the_same_again(houses: Houses) -> None:
    browser = Browser(houses.here, "there")
    for _ in range(2):
        assert (await log_in(houses, browser)).status_code == 303
        session = await browser.session()
        assert session["user"]["email"] == EMAIL
        assert claims(session)["amr"] == ["federated"]
    # The second session takes the place of the first.
    assert await houses.here.event_types() == ["user.registered", "session.revoked"]
    row = await houses.here.database.fetchrow("SELECT issuer, subject FROM identities")
    known = await houses.there.database.fetchval("SELECT id FROM users WHERE email = $1", EMAIL)
    assert row is not None
    assert dict(row) == {"issuer": houses.there.settings.public_url, "subject": str(known)}


async def test_an_account_that_is_there_is_linked(houses: Houses) -> None:
    ada = await houses.here.register(EMAIL)
    browser = Browser(houses.here, "there")
    await log_in(houses, browser)
    assert (await browser.session())["user"]["id"] == ada["user"]["id"]


async def test_a_second_factor_here_is_asked_for(houses: Houses) -> None:
    app = await enrol(houses.here, await houses.here.register(EMAIL))
    browser = Browser(houses.here, "there")
    answer = await log_in(houses, browser)
    body = {"mfa_token": fragment(answer)["mfa_token"], "code": app.code()}
    assert (await browser.send("POST", "/v1/auth/mfa/totp/verify", json=body)).status_code == 200
    assert claims(await browser.session())["amr"] == ["federated", "otp"]


async def test_what_was_brought_once_is_worth_nothing_again(houses: Houses) -> None:
    browser = Browser(houses.here, "there")
    brought = await sign_in_there(houses.there, await browser.start())
    assert (await browser.come_back(brought)).status_code == 303
    assert (await browser.come_back(brought)).status_code == 400
    # The code alone, in a log-in of somebody else's: its verifier is another.
    thief = Browser(houses.here, "there")
    own = await sign_in_there(houses.there, await thief.start())
    stolen = await sign_in_there(houses.there, await browser.start())
    answer = await thief.come_back(own | {"code": stolen["code"]})
    assert answer.json()["code"] == "sign_in_invalid"


async def choose_the_other_house(houses: Houses, page: Page, **changes: str) -> None:
    """Come from the application to the page of this house, and go on to the other."""
    here = houses.here.settings.public_url
    asked = houses.reports.request(redirect_uri=f"{here}/callback", **changes)
    await page.open(f"{here}/oauth2/sign-in?{urlencode(asked)}")
    await page.wait_for("document.querySelector('#connections a')?.offsetParent != null")
    await page.click("#connections a")
    await page.wait_for("location.hostname === '127.0.0.1'")


async def through_the_pages(houses: Houses, page: Page) -> None:
    """Come from the application, choose the other house, and log in there."""
    await choose_the_other_house(houses, page)
    await page.wait_for("!document.getElementById('login').hidden")
    await page.type("#email", EMAIL)
    await page.type("#password", PASSWORD)
    await page.click("#login button[type=submit]")


async def signed_in(houses: Houses, page: Page) -> list[str]:
    """Wait until the application has its user, and return by which methods."""
    await page.wait_for("location.pathname === '/callback'")
    assert await page.evaluate("location.hash") == ""
    said = httpx2.QueryParams(await page.evaluate("location.search.slice(1)"))
    here = houses.here.settings.public_url
    tokens = await houses.reports.redeem(said["code"], redirect_uri=f"{here}/callback")
    methods: list[str] = claims({"access_token": tokens.json()["id_token"]})["amr"]
    return methods


@pytest.mark.parametrize("has_app", [False, True])
async def test_from_an_application_through_both_houses_in_chromium(
    houses: Houses,
    has_app: bool,  # noqa: FBT001 - a parameter of the table
) -> None:
    app: Authenticator | None = None
    if has_app:
        app = await enrol(houses.here, await houses.here.register(EMAIL))
    async with chromium() as browser:
        page = await browser.page()
        await through_the_pages(houses, page)
        if app is not None:
            await page.wait_for("location.hostname === 'localhost'")
            await page.wait_for("!document.getElementById('code-form').hidden")
            assert await page.evaluate("location.hash") == "", "the token leaves the address"
            await page.type("#code", app.code())
            await page.click("#code-form button[type=submit]")
        methods = await signed_in(houses, page)
    assert methods == (["federated", "otp"] if has_app else ["federated"])


async def test_who_gives_up_at_the_other_house_has_not_signed_in(houses: Houses) -> None:
    """Not even if a session is open from before, which the application does not want."""
    here = houses.here.settings.public_url
    await houses.here.register(EMAIL)
    async with chromium() as browser:
        page = await browser.page()
        asked = houses.reports.request(redirect_uri=f"{here}/callback")
        await page.open(f"{here}/oauth2/sign-in?{urlencode(asked)}")
        await page.wait_for("document.getElementById('login')?.hidden === false")
        await page.type("#email", EMAIL)
        await page.type("#password", PASSWORD)
        await page.click("#login button[type=submit]")
        await page.wait_for("location.pathname === '/callback'")

        await choose_the_other_house(houses, page, prompt="login")
        state = await page.evaluate("new URLSearchParams(location.search).get('state')")
        there = houses.there.settings.public_url
        refused = {"error": "access_denied", "state": state, "iss": there}
        await page.open(f"{here}/v1/auth/oidc/there/callback?{urlencode(refused)}")
        await page.click("a")

        await page.wait_for("location.pathname === '/oauth2/sign-in'")
        await page.wait_for("document.getElementById('login')?.hidden === false")
        assert "prompt=login" in await page.evaluate("location.search")
