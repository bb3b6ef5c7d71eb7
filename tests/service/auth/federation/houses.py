"""Two installations on loopback: people of the one log in at the other."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx2

from services.auth.app import web
from shared.chassis.database import Database
from shared.chassis.lifecycle import Lifecycle
from tests.parts.processes import free_port
from tests.parts.waiting import PATIENCE_SECONDS
from tests.service.auth.auth_service import PASSWORD, AuthService, make_administrator, settings
from tests.service.auth.federation.browser import connect
from tests.service.auth.federation.scripted_provider import serving
from tests.service.auth.oauth_application import EMAIL, Application


@asynccontextmanager
async def house(host: str, database: Database, database_url: str) -> AsyncIterator[AuthService]:
    """Serve an installation on a port of its own."""
    port = free_port()
    chosen = settings(database_url, public_url=f"http://{host}:{port}")
    lifecycle = Lifecycle()
    try:
        application = await web(chosen, lifecycle)
        transport = httpx2.ASGITransport(application)
        async with (
            serving(application, port),
            httpx2.AsyncClient(transport=transport, base_url=chosen.public_url) as client,
        ):
            yield AuthService(client, database, chosen)
    finally:
        await lifecycle.stop()


async def connect_houses(here: AuthService, there: AuthService) -> dict[str, Any]:
    """Let people of `there` log in at `here`, and return the session of here's administrator.

    `there` knows Ada.
    """
    callback = f"{here.settings.public_url}/v1/auth/oidc/there/callback"
    application = Application(there, await make_administrator(there))
    await application.register(name="Here", redirect_uris=[callback])
    admin = await make_administrator(here)
    answer = await connect(
        here,
        admin,
        id="there",
        name="There",
        issuer=there.settings.public_url,
        client_id=application.client["client_id"],
        client_secret=application.client["client_secret"],
    )
    assert answer.status_code == 201, answer.text
    await there.register(EMAIL)
    await here.forget_events()
    return admin


async def sign_in_there(there: AuthService, location: str) -> dict[str, str]:
    """Do what Ada's browser does there, over the network; return what it brings back."""
    async with httpx2.AsyncClient(
        base_url=there.settings.public_url, timeout=PATIENCE_SECONDS
    ) as browser:
        entered = await browser.post("/v1/auth/login", json={"email": EMAIL, "password": PASSWORD})
        assert entered.status_code == 200, entered.text
        answer = await browser.get(location)
    assert answer.status_code == 303, answer.text
    return dict(parse_qsl(urlsplit(answer.headers["location"]).query))
