"""Passkeys in a real Chromium, on the page by which people sign in."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from urllib.parse import urlencode
from uuid import UUID

import httpx2
import pytest
import uvicorn

from services.auth.app import web
from shared.chassis.database import Database
from shared.chassis.lifecycle import Lifecycle
from tests.parts.chromium import Chromium, Page, chromium
from tests.parts.processes import free_port
from tests.service.auth.auth_service import (
    PASSWORD,
    AuthService,
    claims,
    make_administrator,
    settings,
)
from tests.service.auth.oauth_application import EMAIL, Application
from tests.service.auth.software_authenticator import rows

ADD_PASSKEY = """(async () => {
  const post = (path, body) => fetch(path, {
    method: "POST",
    headers: {"Content-Type": "application/json", "Authorization": "Bearer " + %s},
    body: JSON.stringify(body),
  });
  const options = await (await post("/v1/auth/passkeys/registration", {})).json();
  const credential = await navigator.credentials.create({
    publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(options.publicKey),
  });
  const added = await post("/v1/auth/passkeys", {name: "Chromium", credential});
  return [added.status, await added.json()];
})()"""


@dataclass
class Site:
    """The service on a port of its own, an application of it, and a tab with an authenticator."""

    auth: AuthService
    application: Application
    page: Page
    authenticator: str

    async def sign_in_page(self) -> None:
        """Come from the application to the page that asks who somebody is."""
        asked = self.application.request(redirect_uri=f"{self.auth.settings.public_url}/callback")
        address = f"{self.auth.settings.public_url}/oauth2/sign-in?{urlencode(asked)}"
        await self.page.open(address)
        await self.page.wait_for("!document.getElementById('login').hidden")


@pytest.fixture(scope="module")
async def browser() -> AsyncIterator[Chromium]:
    async with chromium() as browser:
        yield browser


@pytest.fixture
async def site(database: Database, database_url: str, browser: Chromium) -> AsyncIterator[Site]:
    """The service at `http://localhost`, which browsers hold to be secure."""
    port = free_port()
    url = f"http://localhost:{port}"
    chosen = settings(database_url, public_url=url)
    lifecycle = Lifecycle()
    application = await web(chosen, lifecycle)
    server = uvicorn.Server(
        uvicorn.Config(application, host="127.0.0.1", port=port, log_config=None, lifespan="off")
    )
    serving = asyncio.create_task(server.serve())
    try:
        async with httpx2.AsyncClient(
            transport=httpx2.ASGITransport(application), base_url=url
        ) as client:
            auth = AuthService(client, database, chosen)
            registered = await Application(auth, await make_administrator(auth)).register(
                redirect_uris=[f"{url}/callback"]
            )
            page = await browser.page()
            site = Site(auth, registered, page, await page.add_authenticator())
            await site.sign_in_page()
            yield site
    finally:
        server.should_exit = True
        await serving
        await lifecycle.stop()


async def _add_passkey(site: Site) -> None:
    session = await site.auth.register(EMAIL)
    script = ADD_PASSKEY % json.dumps(session["access_token"])
    status, passkey = await site.page.evaluate(script)
    assert status == 201, passkey
    assert passkey["name"] == "Chromium"


async def _callback(site: Site) -> dict[str, str]:
    """Wait until the browser is back at the application and return what it brought."""
    await site.page.wait_for("location.pathname === '/callback'")
    query = await site.page.evaluate("location.search.slice(1)")
    return dict(httpx2.QueryParams(query))


async def test_somebody_registers_a_passkey_and_signs_in_with_nothing_else(site: Site) -> None:
    await _add_passkey(site)
    await site.sign_in_page()

    await site.page.click("#passkey")

    said = await _callback(site)
    assert (said["state"], said["iss"]) == ("a state", site.auth.settings.public_url)
    tokens = await site.application.redeem(
        said["code"], redirect_uri=f"{site.auth.settings.public_url}/callback"
    )
    assert claims({"access_token": tokens.json()["id_token"]})["amr"] == ["passkey"]
    row = await site.auth.database.fetchrow("SELECT sign_count, last_used_at FROM passkeys")
    assert row["last_used_at"] is not None


async def test_the_passkey_follows_a_password(site: Site) -> None:
    await _add_passkey(site)
    await site.sign_in_page()
    await site.page.type("#email", EMAIL)
    await site.page.type("#password", PASSWORD)
    await site.page.click("#login button[type=submit]")
    await site.page.wait_for("!document.getElementById('passkey-step').hidden")

    await site.page.click("#passkey-step")

    tokens = await site.application.redeem(
        (await _callback(site))["code"],
        redirect_uri=f"{site.auth.settings.public_url}/callback",
    )
    assert claims({"access_token": tokens.json()["id_token"]})["amr"] == ["pwd", "passkey"]


async def test_the_same_device_is_not_registered_twice(site: Site) -> None:
    await _add_passkey(site)
    session = (await site.auth.log_in(EMAIL)).json()
    assert session["mfa_required"]
    await site.page.click("#passkey")
    await _callback(site)
    # The session that the passkey has opened is a strong one: its refresh cookie brings a token.
    refreshed = await site.page.evaluate(
        "fetch('/v1/auth/refresh', {method: 'POST', headers: {'Content-Type': 'application/json'}})"
        ".then(answer => answer.json())"
    )

    script = ADD_PASSKEY % json.dumps(refreshed["access_token"])
    failed = await site.page.evaluate(f"{script}.catch(error => error.name)")

    assert failed == "InvalidStateError"
    assert await rows(site.auth, "passkeys") == 1


async def test_without_the_users_finger_face_or_pin_nobody_is_signed_in(site: Site) -> None:
    await _add_passkey(site)
    await site.page.call(
        "WebAuthn.setUserVerified", authenticatorId=site.authenticator, isUserVerified=False
    )

    await site.page.click("#passkey")

    await site.page.wait_for(
        "document.getElementById('message').textContent.startsWith('No passkey was used.')"
    )
    assert await rows(site.auth, "passkey_challenges") == 1


async def test_a_removed_passkey_is_refused_in_words(site: Site) -> None:
    await _add_passkey(site)
    await site.auth.database.execute("DELETE FROM passkeys")

    await site.page.click("#passkey")

    await site.page.wait_for(
        "document.getElementById('message').textContent.includes('was not accepted')"
    )


async def test_the_passkey_follows_a_mailed_link(site: Site) -> None:
    await _add_passkey(site)
    await site.auth.forget_events()
    await site.auth.post("/v1/auth/magic-link", {"email": EMAIL})
    [event] = await site.auth.events()
    mail = await site.auth.mail(UUID(event["data"]["link_id"]))
    await site.page.call("Page.navigate", url=mail["variables"]["url"])
    await site.page.wait_for("location.pathname === '/magic-link' && !location.hash")

    await site.page.click("#confirm")
    await site.page.wait_for("!document.getElementById('passkey').hidden")
    await site.page.click("#passkey")

    await site.page.wait_for("!document.getElementById('continue').hidden")
    methods = "SELECT methods FROM sessions ORDER BY id DESC LIMIT 1"
    assert await site.auth.database.fetchval(methods) == ["email", "passkey"]
