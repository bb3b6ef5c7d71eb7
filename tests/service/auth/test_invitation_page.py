"""The page that mailed invitations lead to, in a real Chromium."""

import json
from uuid import UUID

from shared.chassis.database import Database
from tests.parts.chromium import Page, chromium
from tests.service.auth.auth_service import PASSWORD
from tests.service.auth.federation.houses import house
from tests.service.auth.test_invitations import invite
from tests.service.auth.test_organisations import ADA, BOB, EVE, make, roles


async def log_in_elsewhere(page: Page, email: str) -> None:
    """Log in by a cookie, as another tab of the same browser would."""
    body = json.dumps({"email": email, "password": PASSWORD})
    status = await page.evaluate(
        "fetch('/v1/auth/login', {method: 'POST', headers: {'Content-Type': 'application/json'},"
        f" body: {json.dumps(body)}}}).then((answer) => answer.status)"
    )
    assert status == 200


async def press_and_read(page: Page, expected: str) -> None:
    await page.click("#confirm")
    shown = "document.getElementById('message').textContent"
    await page.wait_for(f"{shown}.includes({json.dumps(expected)})")


async def test_the_addressee_joins_after_logging_in_and_nobody_else_does(
    database: Database, database_url: str
) -> None:
    async with house("localhost", database, database_url) as auth, chromium() as browser:
        ada = await auth.register(ADA)
        for email in (BOB, EVE):
            await auth.register(email)
        path = await make(auth, ada)
        invitation = await invite(auth, path, ada, BOB)
        url: str = (await auth.mail(UUID(invitation["id"])))["variables"]["url"]
        page = await browser.page()
        await page.call("Page.navigate", url=url)
        await page.wait_for("document.getElementById('confirm')?.offsetParent != null")
        await page.wait_for("document.readyState === 'complete' && location.hash === ''")

        await press_and_read(page, "Nobody is logged in here.")
        await log_in_elsewhere(page, EVE)
        await press_and_read(page, "another account than the one that was invited")
        assert await roles(auth, path) == {ADA: "owner"}
        await log_in_elsewhere(page, BOB)
        await press_and_read(page, "You belong to Acme now.")

        assert await roles(auth, path) == {ADA: "owner", BOB: "member"}
        assert await page.evaluate("document.getElementById('confirm').offsetParent") is None
