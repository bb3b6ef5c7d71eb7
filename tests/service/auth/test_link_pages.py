"""The pages that mailed links lead to, in a real Chromium."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from uuid import UUID

import pytest

from shared.chassis.database import Database
from tests.parts.chromium import Chromium, Page, chromium
from tests.service.auth.auth_service import PASSWORD, AuthService, bearer, empty
from tests.service.auth.authenticator import enrol
from tests.service.auth.federation.houses import house

EMAIL, NEW_EMAIL, NEW_PASSWORD = "ada@example.com", "ada@new.example", "tangerine under a bridge"
Ask = Callable[[AuthService], Awaitable[str]]


@pytest.fixture(scope="module")
async def served(migrated: Database, database_url: str) -> AsyncIterator[AuthService]:
    async with house("localhost", migrated, database_url) as auth:
        yield auth


@pytest.fixture
async def auth(served: AuthService) -> AuthService:
    """The service at an address of its own, as a browser needs it, with empty tables."""
    await empty(served.database)
    return served


@pytest.fixture(scope="module")
async def browser() -> AsyncIterator[Chromium]:
    async with chromium() as browser:
        yield browser


@pytest.fixture
async def page(browser: Chromium) -> Page:
    return await browser.page()


async def follow(page: Page, url: str) -> None:
    """Open a mailed link, and see its token leave the address bar."""
    await page.call("Page.navigate", url=url)
    await page.wait_for("document.readyState === 'complete' && location.hash === ''")
    assert await page.evaluate("location.pathname") == "/" + url.split("/")[3].partition("#")[0]


async def press(page: Page) -> None:
    await page.click("#confirm")


async def says(page: Page, expected: str) -> None:
    shown = "document.getElementById('message').textContent"
    await page.wait_for(f"{shown}.includes({json.dumps(expected)})")


async def is_shown(page: Page, name: str) -> bool:
    shown: bool = await page.evaluate(f"Boolean(document.getElementById('{name}')?.offsetParent)")
    return shown


async def _mailed_url(auth: AuthService, template: str) -> str:
    ids = [event["data"]["link_id"] for event in await auth.events() if "link_id" in event["data"]]
    mails = [await auth.mail(UUID(link_id)) for link_id in ids]
    [url] = [mail["variables"]["url"] for mail in mails if mail["template"] == template]
    return str(url)


async def verification(auth: AuthService) -> str:
    """Return the link of a sign-up."""
    link_id = await auth.sign_up(EMAIL)
    url: str = (await auth.mail(link_id))["variables"]["url"]
    return url


async def reset(auth: AuthService) -> str:
    """Return the link for who has forgotten the password."""
    await auth.register(EMAIL)
    await auth.forget_events()
    await auth.post("/v1/auth/password/forgot", {"email": EMAIL})
    return await _mailed_url(auth, "password_reset")


async def magic_link(auth: AuthService) -> str:
    """Return a link to log in with."""
    await auth.register(EMAIL)
    await auth.forget_events()
    await auth.post("/v1/auth/magic-link", {"email": EMAIL})
    return await _mailed_url(auth, "magic_link")


async def change_of_address(auth: AuthService) -> str:
    """Return the link that went to the old address; the new one has agreed already."""
    session = await auth.register(EMAIL)
    await auth.forget_events()
    await auth.post("/v1/auth/me/email", {"email": NEW_EMAIL}, **bearer(session))
    old, new = [
        await _mailed_url(auth, template) for template in ("email_change_old", "email_change_new")
    ]
    agreed = await auth.post("/v1/auth/email/confirm", {"token": new.partition("#token=")[2]})
    assert agreed.status_code == 200
    return old


PAGES: dict[str, tuple[Ask, str]] = {
    "verify": (verification, "Your e-mail address is confirmed and you are logged in."),
    "reset": (reset, "Your password is changed. Log in with it."),
    "magic-link": (magic_link, "You are logged in."),
    "email": (change_of_address, "Done. From now on you log in with the new address."),
}


async def _state(auth: AuthService) -> tuple[list[tuple[str, str]], dict[str, int]]:
    users = await auth.database.fetch("SELECT email, password_hash FROM users")
    return [tuple(row) for row in users], await auth.counts()


async def _fill_in(page: Page) -> None:
    if await is_shown(page, "password"):
        await page.type("#password", NEW_PASSWORD)


@pytest.mark.parametrize("name", PAGES)
async def test_a_press_spends_the_link_and_nothing_else_does(
    auth: AuthService, page: Page, name: str
) -> None:
    ask, success = PAGES[name]
    url = await ask(auth)
    before = await _state(auth)

    await follow(page, url)
    assert await _state(auth) == before
    await _fill_in(page)
    await press(page)
    await says(page, success)

    assert await _state(auth) != before
    assert not await is_shown(page, "act")
    assert await is_shown(page, "continue") is (name != "reset")


@pytest.mark.parametrize("name", PAGES)
async def test_a_spent_link_says_so(auth: AuthService, page: Page, name: str) -> None:
    ask, success = PAGES[name]
    url = await ask(auth)
    for expected in (success, "This link has expired"):
        await page.call("Page.navigate", url="about:blank")
        await follow(page, url)
        await _fill_in(page)
        await press(page)
        await says(page, expected)
    assert not await is_shown(page, "act")
    assert not await is_shown(page, "continue")


@pytest.mark.parametrize("name", [*PAGES, "invitation"])
async def test_a_link_without_its_token_says_so_and_offers_nothing(
    auth: AuthService, page: Page, name: str
) -> None:
    await page.open(f"{auth.settings.public_url}/{name}")
    await says(page, "This link is incomplete.")
    assert not await is_shown(page, "act")


@pytest.mark.parametrize("name", PAGES)
async def test_who_is_cut_off_presses_again(auth: AuthService, page: Page, name: str) -> None:
    ask, success = PAGES[name]
    await follow(page, await ask(auth))
    await _fill_in(page)
    network = {"latency": 0, "downloadThroughput": -1, "uploadThroughput": -1}
    await page.call("Network.enable")
    await page.call("Network.emulateNetworkConditions", offline=True, **network)
    await press(page)
    await says(page, "The server could not be reached.")
    await page.call("Network.emulateNetworkConditions", offline=False, **network)
    await press(page)
    await says(page, success)


async def test_a_password_that_is_refused_can_be_mended(auth: AuthService, page: Page) -> None:
    await follow(page, await reset(auth))
    await page.type("#password", "password")
    await press(page)
    await page.wait_for("document.getElementById('confirm').disabled === false")
    await says(page, "password")
    await page.evaluate("document.getElementById('password').value = ''")
    await page.type("#password", NEW_PASSWORD)
    await press(page)
    await says(page, "Your password is changed.")
    assert (await auth.log_in(EMAIL, NEW_PASSWORD)).status_code == 200
    assert (await auth.log_in(EMAIL, PASSWORD)).status_code == 401


async def test_the_code_of_an_app_follows_a_mailed_link(auth: AuthService, page: Page) -> None:
    app = await enrol(auth, await auth.register(EMAIL))
    await auth.post("/v1/auth/magic-link", {"email": EMAIL})
    await follow(page, await _mailed_url(auth, "magic_link"))
    await press(page)
    await page.wait_for("document.getElementById('second').hidden === false")
    await page.type("#code", app.wrong_code())
    await press(page)
    await says(page, "This code is wrong or was used before.")
    await page.evaluate("document.getElementById('code').value = ''")
    await page.type("#code", app.code())
    await press(page)
    await says(page, "You are logged in.")
    methods = "SELECT methods FROM sessions ORDER BY id DESC LIMIT 1"
    assert await auth.database.fetchval(methods) == ["email", "otp"]
