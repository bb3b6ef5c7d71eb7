"""Linking who somebody is elsewhere with an account, and undoing it."""

import asyncio
from typing import Any

import httpx2
import pytest

from tests.service.auth.auth_service import (
    ALLOWED_ORIGIN,
    PUBLIC_URL,
    AuthService,
    assert_problem,
    bearer,
)
from tests.service.auth.federation.browser import Browser, connect
from tests.service.auth.federation.scripted_provider import ScriptedProvider
from tests.service.auth.held_account import while_held

PATH = "/v1/auth/me/identities"
OWNER = "grace@example.com"


@pytest.fixture
async def session(browser: Browser) -> dict[str, Any]:
    """The session of somebody whom the provider knows by another address."""
    session = await browser.auth.register(OWNER)
    await browser.auth.forget_events()
    return session


async def begin(browser: Browser, session: dict[str, Any], **headers: str) -> httpx2.Response:
    body = {"connection": browser.base.rpartition("/")[2], "return_to": "/settings"}
    return await browser.send("POST", PATH, json=body, headers=bearer(session) | headers)


async def link(
    browser: Browser, session: dict[str, Any], provider: ScriptedProvider
) -> httpx2.Response:
    """Go the whole way."""
    begun = await begin(browser, session)
    assert begun.status_code == 200, begun.text
    return await browser.come_back(provider.log_in(begun.json()["location"]))


async def listed(auth: AuthService, session: dict[str, Any]) -> list[dict[str, Any]]:
    answer = await auth.client.get(PATH, headers=bearer(session))
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


async def unlink(auth: AuthService, session: dict[str, Any], identity: str) -> httpx2.Response:
    return await auth.client.delete(f"{PATH}/{identity}", headers=bearer(session))


async def actions(auth: AuthService) -> list[str]:
    rows = await auth.database.fetch(
        "SELECT action FROM audit_log WHERE action LIKE 'identity.%' ORDER BY id"
    )
    return [row["action"] for row in rows]


async def test_an_identity_is_linked_listed_used_and_unlinked(
    browser: Browser, session: dict[str, Any], provider: ScriptedProvider
) -> None:
    auth = browser.auth
    provider.claims = {"email_verified": False}
    answer = await link(browser, session, provider)
    assert (answer.status_code, answer.headers["location"]) == (303, f"{PUBLIC_URL}/settings")
    assert "set-cookie" not in answer.headers, "a link opens no session"
    assert await auth.event_types() == ["notice.requested"], "and nothing else"
    [identity] = await listed(auth, session)
    assert identity | {"id": "", "created_at": "", "last_used_at": ""} == {
        "id": "",
        "connection_id": "other",
        "connection_name": "Other House",
        "issuer": provider.issuer,
        "subject": "248289761001",
        "email": "ada@example.com",
        "created_at": "",
        "last_used_at": "",
    }
    export = await auth.client.get("/v1/auth/me/export", headers=bearer(session))
    assert export.json()["identities"] == [identity]
    assert (await browser.log_in(provider)).status_code == 303
    assert (await browser.session())["user"]["id"] == session["user"]["id"]
    assert (await unlink(auth, session, identity["id"])).status_code == 204
    assert await listed(auth, session) == []
    assert_problem(await unlink(auth, session, identity["id"]), 404, "identity_not_found")
    assert await actions(auth) == ["identity.linked", "identity.unlinked"]
    assert await auth.event_types() == ["notice.requested"] * 3, "one of a new device"
    assert_problem(await browser.log_in(provider), 403, "email_not_verified")


async def test_linking_twice_changes_nothing(
    browser: Browser, session: dict[str, Any], provider: ScriptedProvider
) -> None:
    for _ in range(2):
        assert (await link(browser, session, provider)).status_code == 303
    assert len(await listed(browser.auth, session)) == 1
    assert await actions(browser.auth) == ["identity.linked"]


async def test_an_identity_is_one_accounts_only(
    browser: Browser, session: dict[str, Any], provider: ScriptedProvider
) -> None:
    await browser.log_in(provider)
    ada = await browser.session()
    assert_problem(await link(browser, session, provider), 409, "identity_taken")
    assert await listed(browser.auth, session) == []
    assert len(await listed(browser.auth, ada)) == 1


async def test_s26_linking_and_unlinking_take_a_fresh_proof(
    browser: Browser,
    session: dict[str, Any],
    provider: ScriptedProvider,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    await link(browser, session, provider)
    [identity] = await listed(browser.auth, session)
    monkeypatch.setattr("services.auth.access.RECENT_SECONDS", -1)
    assert_problem(await begin(browser, session), 403, "reauthentication_required")
    answer = await unlink(browser.auth, session, identity["id"])
    assert_problem(answer, 403, "reauthentication_required")


async def test_s12_another_site_cannot_begin_to_link(
    browser: Browser, session: dict[str, Any]
) -> None:
    answer = await begin(browser, session, Origin="https://evil.example")
    assert_problem(answer, 403, "origin_not_allowed")
    assert (await begin(browser, session, Origin=ALLOWED_ORIGIN)).status_code == 200


async def test_a_link_of_a_session_that_ended_meanwhile(
    browser: Browser, session: dict[str, Any], provider: ScriptedProvider
) -> None:
    brought = provider.log_in((await begin(browser, session)).json()["location"])
    await browser.auth.post("/v1/auth/logout", {}, **bearer(session))
    assert_problem(await browser.come_back(brought), 400, "sign_in_expired")
    assert await actions(browser.auth) == []


async def test_somebody_elses_browser_cannot_finish_a_link(
    browser: Browser, session: dict[str, Any], provider: ScriptedProvider
) -> None:
    brought = provider.log_in((await begin(browser, session)).json()["location"])
    assert_problem(await Browser(browser.auth).come_back(brought), 400, "sign_in_expired")
    assert await actions(browser.auth) == []


async def test_the_last_way_in_stays(
    browser: Browser, provider: ScriptedProvider, admin: dict[str, Any]
) -> None:
    auth = browser.auth
    await browser.log_in(provider)
    session = await browser.session()
    [only] = await listed(auth, session)
    assert_problem(await unlink(auth, session, only["id"]), 409, "last_way_in")
    assert await listed(auth, session) == [only]

    await connect(auth, admin, id="second", name="Second", issuer=provider.issuer)
    second = Browser(auth, "second")
    provider.person = provider.person | {"sub": "another subject"}
    assert (await link(second, session, provider)).status_code == 303
    both = [identity["id"] for identity in await listed(auth, session)]
    answers = await asyncio.gather(*(unlink(auth, session, identity) for identity in both))
    assert sorted(answer.status_code for answer in answers) == [204, 409]
    assert len(await listed(auth, session)) == 1


async def test_nobody_unlinks_for_somebody_else(
    browser: Browser, session: dict[str, Any], provider: ScriptedProvider
) -> None:
    await link(browser, session, provider)
    [identity] = await listed(browser.auth, session)
    stranger = await browser.auth.register("stranger@example.com")
    answer = await unlink(browser.auth, stranger, identity["id"])
    assert_problem(answer, 404, "identity_not_found")
    assert await listed(browser.auth, stranger) == []
    assert len(await listed(browser.auth, session)) == 1
    assert_problem(await unlink(browser.auth, session, "nonsense"), 404, "identity_not_found")


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"connection": "nobody"}, 404, "connection_not_found"),
        ({"connection": "other", "return_to": "https://evil.example/"}, 422, "validation_failed"),
        ({}, 422, "validation_failed"),
    ],
)
async def test_links_that_cannot_begin(
    browser: Browser, session: dict[str, Any], body: dict[str, str], status: int, code: str
) -> None:
    answer = await browser.send("POST", PATH, json=body, headers=bearer(session))
    assert_problem(answer, status, code)


async def test_without_a_session_nothing_is_shown_or_begun(browser: Browser) -> None:
    for method in ("GET", "POST"):
        answer = await browser.send(method, PATH, json={"connection": "other"})
        assert_problem(answer, 401, "authentication_required")


# At the same time as the end of the account's access


async def test_no_identity_is_linked_while_access_ends(
    browser: Browser, session: dict[str, Any], provider: ScriptedProvider
) -> None:
    begun = await begin(browser, session)
    brought = provider.log_in(begun.json()["location"])

    async with while_held(browser.auth, OWNER, lambda: browser.come_back(brought)) as (
        linking,
        transaction,
    ):
        await transaction.execute("DELETE FROM sessions")

    assert_problem(linking.result(), 401, "token_revoked")
    assert await browser.auth.database.fetchval("SELECT count(*) FROM identities") == 0


async def test_an_identity_that_is_just_unlinked_lets_nobody_in(
    browser: Browser, session: dict[str, Any], provider: ScriptedProvider
) -> None:
    await link(browser, session, provider)
    brought = provider.log_in(await browser.start())
    before = await browser.auth.counts()

    async with while_held(browser.auth, OWNER, lambda: browser.come_back(brought)) as (
        entering,
        transaction,
    ):
        await transaction.execute("DELETE FROM identities")

    assert_problem(entering.result(), 400, "sign_in_expired")
    assert await browser.auth.counts() == before
