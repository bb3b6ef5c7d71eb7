"""The end of an account: nothing of it stays here, and every service confirms the same."""

import asyncio
from typing import Any
from uuid import UUID

import pytest
from uuid_utils.compat import uuid7

from services.auth.accounts.deletions import CONFIRMING_SERVICES, on_user_erased
from services.auth.accounts.overdue import CONDITION, OverdueDeletions
from shared.chassis.lifecycle import Lifecycle
from shared.schemas.events.auth import UserErased
from shared.schemas.events.envelope import Event
from tests.service.auth.auth_service import AuthService, assert_problem, bearer, claims

EMAIL, ADMIN = "ada@example.com", "admin@example.com"


@pytest.fixture
async def session(auth: AuthService) -> dict[str, Any]:
    session = await auth.register(EMAIL)
    await auth.forget_events()
    return session


@pytest.fixture
async def admin(auth: AuthService) -> dict[str, Any]:
    await auth.register(ADMIN)
    await auth.database.execute(
        "UPDATE users SET roles = '{administrator}' WHERE email = $1", ADMIN
    )
    session: dict[str, Any] = (await auth.log_in(ADMIN)).json()
    return session


async def delete_own(auth: AuthService, session: dict[str, Any]) -> int:
    answer = await auth.client.delete("/v1/auth/me", headers=bearer(session))
    return answer.status_code


async def confirm(auth: AuthService, user_id: str, service: str) -> None:
    """Do what the consumer of `user.erased` does."""
    event = Event[UserErased](
        id=uuid7(),
        type="user.erased",
        version=1,
        time="2026-11-24T12:00:00Z",
        source=service,
        subject=user_id,
        data=UserErased(user_id=UUID(user_id), service=service),
    )
    async with auth.database.transaction() as transaction:
        await on_user_erased(transaction, event)


async def listed(auth: AuthService, admin: dict[str, Any], query: str = "") -> list[Any]:
    answer = await auth.client.get(f"/v1/auth/deletions{query}", headers=bearer(admin))
    assert answer.status_code == 200, answer.text
    items: list[Any] = answer.json()["items"]
    return items


async def traces(auth: AuthService, user_id: str) -> Any:
    return await auth.internal("GET", f"/internal/deletions/{user_id}", source="mail")


async def test_a_deleted_account_leaves_nothing_and_tells_the_others(
    auth: AuthService, session: dict[str, Any]
) -> None:
    await auth.post("/v1/auth/password/forgot", {"email": EMAIL})
    await auth.forget_events()
    assert await delete_own(auth, session) == 204

    assert await auth.counts() == {"revocations": 1, "links": 1}
    assert await auth.revoked() == {claims(session)["sid"]}
    assert await auth.event_types() == ["session.revoked", "notice.requested", "user.deleted"]
    assert_problem(await auth.log_in(EMAIL), 401, "invalid_credentials")
    left = await auth.database.fetchval(
        "SELECT count(*) FROM audit_log WHERE user_id IS NOT NULL"
        " AND (address IS NOT NULL OR user_agent IS NOT NULL)"
    )
    assert left == 0
    assert (await auth.register(EMAIL))["user"]["id"] != session["user"]["id"]


async def test_the_owner_is_told_where_the_account_was(
    auth: AuthService, session: dict[str, Any]
) -> None:
    await delete_own(auth, session)
    [link_id] = [
        UUID(event["data"]["link_id"])
        for event in await auth.events()
        if event["type"] == "notice.requested"
    ]
    mail = await auth.mail(link_id)
    assert (mail["to"], mail["template"]) == (EMAIL, "account_deleted")
    assert (await traces(auth, session["user"]["id"])).json() == {
        "email": EMAIL,
        "farewell_link_id": str(link_id),
    }


async def test_of_ten_deletions_at_once_one_happens(
    auth: AuthService, session: dict[str, Any]
) -> None:
    answers = await asyncio.gather(*(delete_own(auth, session) for _ in range(10)))
    assert sorted(answers) == [204] + [404] * 9
    assert (await auth.event_types()).count("user.deleted") == 1


async def test_it_is_complete_when_the_last_service_has_confirmed(
    auth: AuthService, session: dict[str, Any], admin: dict[str, Any]
) -> None:
    user_id = session["user"]["id"]
    await delete_own(auth, session)
    [deletion] = await listed(auth, admin, "?outstanding=true")
    assert deletion["confirmations"] == dict.fromkeys(CONFIRMING_SERVICES)
    assert (deletion["user_id"], deletion["actor_id"]) == (user_id, user_id)

    *first, last = CONFIRMING_SERVICES
    for service in (*first, *first, "nobody"):
        await confirm(auth, user_id, service)
    [deletion] = await listed(auth, admin)
    assert [name for name, at in deletion["confirmations"].items() if at is None] == [last]
    assert deletion["completed_at"] is None
    assert (await traces(auth, user_id)).status_code == 200

    await confirm(auth, user_id, last)
    [deletion] = await listed(auth, admin, "?outstanding=false")
    assert deletion["completed_at"] is not None
    assert await listed(auth, admin, "?outstanding=true") == []
    assert (await traces(auth, user_id)).status_code == 404
    assert EMAIL not in str(await auth.database.fetch("SELECT * FROM account_deletions"))
    acts = await auth.database.fetchval(
        "SELECT count(*) FROM audit_log WHERE action = 'user.erased' AND user_id = $1",
        UUID(user_id),
    )
    assert acts == len(CONFIRMING_SERVICES)


async def test_services_that_confirm_together_complete_it(
    auth: AuthService, session: dict[str, Any], admin: dict[str, Any]
) -> None:
    user_id = session["user"]["id"]
    await delete_own(auth, session)
    await asyncio.gather(*(confirm(auth, user_id, service) for service in CONFIRMING_SERVICES))
    assert len(await listed(auth, admin, "?outstanding=false")) == 1


async def test_the_operator_hears_of_what_is_not_confirmed_within_a_day(
    auth: AuthService, session: dict[str, Any]
) -> None:
    user_id = session["user"]["id"]
    await delete_own(auth, session)
    lifecycle = Lifecycle()
    overdue = OverdueDeletions(auth.database, lifecycle)
    await overdue.look()
    assert lifecycle.conditions.listing() == []

    await auth.database.execute(
        "UPDATE account_deletions SET requested_at = now() - interval '25 hours'"
    )
    await confirm(auth, user_id, "files")
    await overdue.look()
    [condition] = lifecycle.conditions.listing()
    assert condition.name == CONDITION
    assert "jobs and mail and realtime did not confirm" in condition.problem

    for service in CONFIRMING_SERVICES:
        await confirm(auth, user_id, service)
    await overdue.look()
    assert lifecycle.conditions.listing() == []


@pytest.mark.parametrize("source", ["gateway", "files", "realtime", "jobs"])
async def test_only_mail_learns_the_address(
    auth: AuthService, session: dict[str, Any], source: str
) -> None:
    await delete_own(auth, session)
    answer = await auth.internal(
        "GET", f"/internal/deletions/{session['user']['id']}", source=source
    )
    assert answer.status_code == 403


async def test_only_administrators_see_deletions(
    auth: AuthService, session: dict[str, Any]
) -> None:
    answer = await auth.client.get("/v1/auth/deletions", headers=bearer(session))
    assert_problem(answer, 403, "administrator_required")
