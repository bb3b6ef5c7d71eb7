"""The end of an account: nothing of it stays here, and every service confirms the same."""

import asyncio
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from uuid_utils.compat import uuid7

from services.auth.accounts.deletions import CONFIRMING_SERVICES, OWN_SERVICE, on_user_erased
from services.auth.accounts.log_erasure import LogErasure
from services.auth.accounts.overdue import CONDITION, OverdueDeletions
from shared.chassis.database import Database
from shared.chassis.lifecycle import Lifecycle
from shared.chassis.settings import DatabaseSettings
from shared.schemas.events.auth import UserErased
from shared.schemas.events.envelope import Event
from tests.parts.postgres import PostgresCluster
from tests.service.auth.auth_service import (
    AuthService,
    assert_problem,
    bearer,
    claims,
    make_administrator,
)
from tests.service.auth.earlier_release import migrate_below, migrate_to_present

EMAIL, ADMIN = "ada@example.com", "admin@example.com"
SERVICES = (OWN_SERVICE, *CONFIRMING_SERVICES)
"""Each confirms; auth itself by the erasure of the log."""
NOBODY = UUID("0190b0a0-0000-7000-8000-000000000001")


@pytest.fixture
async def session(auth: AuthService) -> dict[str, Any]:
    session = await auth.register(EMAIL)
    await auth.forget_events()
    return session


@pytest.fixture
async def admin(auth: AuthService) -> dict[str, Any]:
    return await make_administrator(auth, ADMIN)


async def delete_own(auth: AuthService, session: dict[str, Any]) -> int:
    answer = await auth.client.delete("/v1/auth/me", headers=bearer(session))
    return answer.status_code


async def erase_log(auth: AuthService, *, batch: int = 1000) -> None:
    """Do what a worker does every five seconds, some time after the account was deleted."""
    await auth.database.execute(
        "UPDATE account_deletions SET requested_at = requested_at - interval '1 minute'"
    )
    await LogErasure(auth.database, Lifecycle()).run_once(batch=batch)


async def places(auth: AuthService) -> list[tuple[str, str, str]]:
    """Return the entries of the log that say where somebody was, oldest first."""
    rows = await auth.database.fetch(
        "SELECT action, coalesce(host(address), '') AS address, coalesce(user_agent, '') AS program"
        " FROM audit_log WHERE address IS NOT NULL OR user_agent IS NOT NULL ORDER BY id"
    )
    return [(row["action"], row["address"], row["program"]) for row in rows]


async def confirm(auth: AuthService, user_id: str, service: str) -> None:
    """Do what the consumer of `user.erased` does, or auth itself."""
    if service == OWN_SERVICE:
        await erase_log(auth)
        return
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
    acts = await auth.acts()
    await erase_log(auth)
    assert await places(auth) == []
    assert await auth.acts() == [*acts, ("user.erased", UUID(session["user"]["id"]))]
    assert_problem(await auth.log_in(EMAIL), 401, "invalid_credentials")
    assert (await auth.register(EMAIL))["user"]["id"] != session["user"]["id"]


async def test_where_the_owner_was_is_forgotten_also_where_they_acted_on_others(
    auth: AuthService, session: dict[str, Any], admin: dict[str, Any]
) -> None:
    await auth.database.execute("UPDATE users SET roles = '{administrator}'")
    ada = (await auth.log_in(EMAIL, user_agent="Ada/1")).json()
    other = await auth.register("other@example.com")
    hers = bearer(ada) | {"User-Agent": "Ada/1"}
    theirs = bearer(admin) | {"User-Agent": "Admin/1"}
    one = f"/v1/auth/users/{other['user']['id']}"
    assert (await auth.client.patch(one, json={"name": "x"}, headers=hers)).is_success
    assert (await auth.client.post(f"{one}/disable", json={}, headers=hers)).is_success
    role = {"permissions": ["a:b"]}
    assert (await auth.client.put("/v1/auth/roles/clerk", json=role, headers=hers)).is_success
    await auth.log_in(EMAIL, "wrong", user_agent="Ada/1")
    own = f"/v1/auth/users/{session['user']['id']}"
    assert (await auth.client.patch(own, json={"name": "y"}, headers=theirs)).is_success
    assert (await auth.client.delete(own, headers=theirs)).status_code == 204
    acts = await auth.acts()
    assert [place[0] for place in await places(auth) if place[2] == "Ada/1"] == [
        *("session.opened", "user.renamed", "user.disabled", "role.changed", "login.failed"),
    ]

    await erase_log(auth, batch=2)

    left = await places(auth)
    assert [place[0] for place in left if place[2] == "Ada/1"] == []
    assert [place[0] for place in left if place[2] == "Admin/1"] == ["user.renamed", "user.deleted"]
    actors = await auth.database.fetch(
        "SELECT DISTINCT actor_id::text FROM audit_log"
        " WHERE address IS NOT NULL OR user_agent IS NOT NULL"
    )
    assert {row["actor_id"] for row in actors} == {admin["user"]["id"], other["user"]["id"]}
    assert await auth.acts() == [*acts, ("user.erased", UUID(session["user"]["id"]))]


async def test_acts_of_the_last_moment_are_waited_for(
    auth: AuthService, session: dict[str, Any]
) -> None:
    await delete_own(auth, session)
    before = await places(auth)

    await LogErasure(auth.database, Lifecycle()).run_once()

    assert before == await places(auth) != []


async def test_an_account_with_a_long_log_is_deleted_at_once_and_its_log_erased_in_batches(
    auth: AuthService, session: dict[str, Any]
) -> None:
    await auth.database.execute(
        "INSERT INTO audit_log (id, action, actor_id, user_id, address)"
        " SELECT gen_random_uuid(), 'session.opened', actor_id, user_id, '203.0.113.7'"
        " FROM (VALUES ($1::uuid, $1::uuid), ($1, NULL), (NULL, $1)) AS acts (actor_id, user_id),"
        " generate_series(1, 2000)",
        UUID(session["user"]["id"]),
    )
    assert await delete_own(auth, session) == 204
    assert len(await places(auth)) > 6000, "not within the request"
    acts = len(await auth.acts())

    await asyncio.gather(erase_log(auth, batch=700), erase_log(auth, batch=300))

    assert await places(auth) == []
    assert len(await auth.acts()) == acts + 1


async def test_what_earlier_releases_left_of_deleted_accounts_is_erased_as_well(
    postgres: PostgresCluster, tmp_path: Path
) -> None:
    database = Database(DatabaseSettings(postgres_url=postgres.new_database("auth")), "auth")
    await database.start()
    await migrate_below(database, "0021", tmp_path)
    await database.execute(
        "INSERT INTO account_deletions (user_id, actor_id, requested_at, completed_at)"
        " VALUES ($1, $1, '2026-01-01', '2026-01-02')",
        NOBODY,
    )
    await database.execute(
        "INSERT INTO audit_log (id, action, actor_id, address)"
        " VALUES (gen_random_uuid(), 'role.changed', $1, '203.0.113.7')",
        NOBODY,
    )
    await migrate_to_present(database)

    await LogErasure(database, Lifecycle()).run_once()

    left = await database.fetchval("SELECT count(address) FROM audit_log")
    completed = await database.fetchval("SELECT completed_at::date::text FROM account_deletions")
    await database.stop()
    assert (left, completed) == (0, "2026-01-02")


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
    assert deletion["confirmations"] == dict.fromkeys(SERVICES)
    assert (deletion["user_id"], deletion["actor_id"]) == (user_id, user_id)

    *first, last = SERVICES
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
    assert acts == len(SERVICES)


async def test_services_that_confirm_together_complete_it(
    auth: AuthService, session: dict[str, Any], admin: dict[str, Any]
) -> None:
    user_id = session["user"]["id"]
    await delete_own(auth, session)
    await asyncio.gather(*(confirm(auth, user_id, service) for service in SERVICES))
    assert len(await listed(auth, admin, "?outstanding=false")) == 1


async def test_the_operator_hears_of_what_is_not_confirmed_within_a_day(
    auth: AuthService, session: dict[str, Any]
) -> None:
    user_id = session["user"]["id"]
    await delete_own(auth, session)
    lifecycle = Lifecycle()
    overdue = OverdueDeletions(auth.database, lifecycle)
    await overdue.run_once()
    assert lifecycle.conditions.listing() == []

    await auth.database.execute(
        "UPDATE account_deletions SET requested_at = now() - interval '25 hours'"
    )
    await confirm(auth, user_id, "files")
    await overdue.run_once()
    [condition] = lifecycle.conditions.listing()
    assert condition.name == CONDITION
    assert "jobs and mail and realtime did not confirm" in condition.problem

    for service in SERVICES:
        await confirm(auth, user_id, service)
    await overdue.run_once()
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
