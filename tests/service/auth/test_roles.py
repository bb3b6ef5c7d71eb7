"""Roles and permissions: who manages them, what tokens carry, and the organisation of a session."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from services.auth.master_key import MasterKey
from services.auth.signing_keys import KeyRing
from shared.chassis.database import Database
from shared.chassis.identity.tokens import MAXIMUM_TOKEN_LENGTH, TokenVerifier
from shared.chassis.settings import DatabaseSettings
from shared.schemas.roles import OrganisationRole
from tests.parts.postgres import PostgresCluster
from tests.service.auth.auth_service import (
    PASSWORD,
    PUBLIC_URL,
    AuthService,
    assert_problem,
    bearer,
    claims,
    make_administrator,
)
from tests.service.auth.earlier_release import migrate_below, migrate_to_present
from tests.service.auth.test_organisations import ADA, BOB, acts, call, join, make

ROLES = "/v1/auth/roles"
CHOOSE = "/v1/auth/session/organisation"
READ_ORDERS = {"permissions": ["orders:write", "orders:read", "orders:read"], "description": "x"}
LONG = [*(f"{'x' * 40}:{number}" for number in range(10, 54)), "y" * 17]
"""Permissions that, with a role of one letter, just fit into a token."""


@pytest.fixture
async def admin(auth: AuthService) -> dict[str, Any]:
    return await make_administrator(auth, "admin@example.com")


@pytest.fixture
async def ada(auth: AuthService) -> dict[str, Any]:
    return await auth.register(ADA)


@pytest.fixture
async def bob(auth: AuthService) -> dict[str, Any]:
    return await auth.register(BOB)


async def give(auth: AuthService, admin: dict[str, Any], user: dict[str, Any], *roles: str) -> Any:
    path = f"/v1/auth/users/{user['user']['id']}"
    return await call(auth, "PATCH", path, admin, {"roles": list(roles)})


async def choose(
    auth: AuthService, session: dict[str, Any], organisation_id: str | None
) -> dict[str, Any]:
    answer = await call(auth, "POST", CHOOSE, session, {"organisation_id": organisation_id})
    assert answer.status_code == 200, answer.text
    chosen: dict[str, Any] = answer.json()
    return chosen


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", ROLES), *((method, f"{ROLES}/clerk") for method in ("GET", "PUT", "DELETE"))],
)
async def test_only_administrators_manage_roles(
    auth: AuthService, admin: dict[str, Any], ada: dict[str, Any], method: str, path: str
) -> None:
    await call(auth, "PUT", f"{ROLES}/clerk", admin, READ_ORDERS)
    body = {"permissions": []} if method == "PUT" else None
    assert (await auth.client.request(method, path, json=body)).status_code == 401
    assert_problem(await call(auth, method, path, ada, body), 403, "administrator_required")
    assert (await call(auth, method, path, admin, body)).status_code in {200, 204}


async def test_a_role_gives_its_holders_permissions(
    auth: AuthService, admin: dict[str, Any], ada: dict[str, Any]
) -> None:
    made = await call(auth, "PUT", f"{ROLES}/clerk", admin, READ_ORDERS)
    assert made.json()["permissions"] == ["orders:read", "orders:write"]
    await call(auth, "PUT", f"{ROLES}/boss", admin, {"permissions": ["staff", "orders:read"]})
    listed = (await call(auth, "GET", f"{ROLES}?limit=2", admin)).json()
    assert [item["name"] for item in listed["items"]] == ["administrator", "boss"]
    rest = (await call(auth, "GET", f"{ROLES}?cursor={listed['next']}", admin)).json()
    assert [item["name"] for item in rest["items"]] == ["clerk"]
    assert claims(ada)["permissions"] == []

    assert (await give(auth, admin, ada, "clerk", "boss")).status_code == 200

    session = (await auth.log_in(ADA)).json()
    assert claims(session)["roles"] == ["boss", "clerk"]
    assert claims(session)["permissions"] == ["orders:read", "orders:write", "staff"]
    await call(auth, "PUT", f"{ROLES}/clerk", admin, {"permissions": ["orders:cancel"]})
    renewed = (await auth.refresh(session["refresh_token"])).json()
    assert claims(renewed)["permissions"] == ["orders:cancel", "orders:read", "staff"]
    logged = await auth.database.fetch(
        "SELECT details FROM audit_log WHERE action = 'role.changed' ORDER BY id"
    )
    assert logged[-1]["details"] == {
        "role": "clerk",
        "before": ["orders:read", "orders:write"],
        "after": ["orders:cancel"],
    }


async def test_what_a_token_says_reaches_every_service(
    auth: AuthService, admin: dict[str, Any], ada: dict[str, Any]
) -> None:
    await call(auth, "PUT", f"{ROLES}/clerk", admin, READ_ORDERS)
    await give(auth, admin, ada, "clerk")
    session = (await auth.log_in(ADA)).json()
    path = await make(auth, session)
    chosen = await choose(auth, session, path.rpartition("/")[2])
    ring = KeyRing(auth.database, MasterKey(auth.settings.master_key))
    await ring.start()

    identity = await TokenVerifier(ring, issuer=PUBLIC_URL).verify(chosen["access_token"])

    assert identity.permissions == {"orders:read", "orders:write"}
    assert identity.has_permission("orders:read")
    assert not identity.has_permission("orders:cancel")
    assert str(identity.organisation_id) == path.rpartition("/")[2]
    assert identity.organisation_role is OrganisationRole.OWNER
    everything = await TokenVerifier(ring, issuer=PUBLIC_URL).verify(admin["access_token"])
    assert everything.has_permission("orders:cancel")
    assert (everything.organisation_id, everything.organisation_role) == (None, None)


@pytest.mark.parametrize("name", ["Clerk", "1", "a.b", "x" * 51, "a%0a", "%C3%A4"])
async def test_a_role_has_a_plain_name(auth: AuthService, admin: dict[str, Any], name: str) -> None:
    put = await call(auth, "PUT", f"{ROLES}/{name}", admin, {"permissions": []})
    assert_problem(put, 422, "validation_failed")
    assert_problem(await call(auth, "GET", f"{ROLES}/{name}", admin), 404, "role_not_found")
    assert_problem(await call(auth, "DELETE", f"{ROLES}/{name}", admin), 404, "role_not_found")


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"permissions": ["Orders"]},
        {"permissions": ["a b"]},
        {"permissions": [""]},
        {"permissions": ["x" * 65]},
        {"permissions": [f"p{number}" for number in range(65)]},
        {"permissions": [], "description": "x" * 501},
        {"permissions": [], "is_built_in": True},
    ],
)
async def test_a_senseless_role_is_not_made(
    auth: AuthService, admin: dict[str, Any], body: dict[str, Any]
) -> None:
    put = await call(auth, "PUT", f"{ROLES}/clerk", admin, body)
    assert_problem(put, 422, "validation_failed")
    assert (await call(auth, "GET", f"{ROLES}/clerk", admin)).status_code == 404


async def test_the_administrators_role_stays_as_it_is(
    auth: AuthService, admin: dict[str, Any]
) -> None:
    path = f"{ROLES}/administrator"
    assert_problem(await call(auth, "DELETE", path, admin), 409, "role_built_in")
    put = await call(auth, "PUT", path, admin, {"permissions": ["x"]})
    assert_problem(put, 409, "role_built_in")
    assert (await call(auth, "GET", path, admin)).json()["permissions"] == []


async def test_only_roles_that_there_are_can_be_given(
    auth: AuthService, admin: dict[str, Any], ada: dict[str, Any]
) -> None:
    await call(auth, "PUT", f"{ROLES}/clerk", admin, READ_ORDERS)
    refused = await give(auth, admin, ada, "clerk", "clark", "boss")
    assert_problem(refused, 422, "validation_failed")
    said = " ".join(error["message"] for error in refused.json()["errors"])
    assert "`boss`" in said
    assert "`clark`" in said
    assert "`clerk`" not in said
    assert await auth.revoked() == set()


async def test_a_role_in_use_stays(
    auth: AuthService, admin: dict[str, Any], ada: dict[str, Any]
) -> None:
    path = f"{ROLES}/clerk"
    await call(auth, "PUT", path, admin, READ_ORDERS)
    await give(auth, admin, ada, "clerk")
    assert_problem(await call(auth, "DELETE", path, admin), 409, "role_in_use")
    await give(auth, admin, ada)
    assert (await call(auth, "DELETE", path, admin)).status_code == 204
    assert_problem(await call(auth, "DELETE", path, admin), 404, "role_not_found")


async def test_a_role_is_not_deleted_while_it_is_given(
    auth: AuthService, admin: dict[str, Any], ada: dict[str, Any]
) -> None:
    for turn in range(5):
        path = f"{ROLES}/clerk{turn}"
        await call(auth, "PUT", path, admin, READ_ORDERS)
        given, deleted = await asyncio.gather(
            give(auth, admin, ada, f"clerk{turn}"), call(auth, "DELETE", path, admin)
        )
        assert (given.status_code, deleted.status_code) in {(200, 409), (422, 204)}


async def test_tokens_stay_small(
    auth: AuthService, admin: dict[str, Any], ada: dict[str, Any]
) -> None:
    async def put(name: str, permissions: list[str]) -> Any:
        return await call(auth, "PUT", f"{ROLES}/{name}", admin, {"permissions": permissions})

    assert (await put("a", LONG)).status_code == 200
    assert_problem(await put("bb", LONG), 409, "permissions_full")
    assert (await put("c", [])).status_code == 200
    assert (await give(auth, admin, ada, "a")).status_code == 200
    session = (await auth.log_in(ADA)).json()
    path = await make(auth, session)
    chosen = await choose(auth, session, path.rpartition("/")[2])
    assert len(chosen["access_token"]) < MAXIMUM_TOKEN_LENGTH - 300
    assert (await auth.client.get("/v1/auth/me", headers=bearer(chosen))).status_code == 200

    assert_problem(await give(auth, admin, ada, "a", "c"), 409, "permissions_full")
    assert (await put("a", [])).status_code == 200
    assert (await give(auth, admin, ada, "a", "c")).status_code == 200
    assert_problem(await put("a", LONG), 409, "permissions_full")
    assert (await call(auth, "GET", f"{ROLES}/a", admin)).json()["permissions"] == []


@pytest.mark.usefixtures("long_grace")
async def test_a_session_acts_for_the_organisation_that_was_chosen(
    auth: AuthService, ada: dict[str, Any], bob: dict[str, Any]
) -> None:
    acme = (await make(auth, ada)).rpartition("/")[2]
    foreign = (await make(auth, bob, "Other")).rpartition("/")[2]
    await auth.forget_events()

    chosen = await choose(auth, ada, acme)

    said = claims(chosen)
    assert (said["org"], said["org_role"], said["sid"]) == (acme, "owner", claims(ada)["sid"])
    assert (chosen["organisation_id"], chosen["organisation_role"]) == (acme, "owner")
    renewed = (await auth.refresh(ada["refresh_token"])).json()
    assert (claims(renewed)["org"], claims(renewed)["org_role"]) == (acme, "owner")
    [listed] = (await call(auth, "GET", "/v1/auth/sessions", renewed)).json()["items"]
    assert listed["organisation_id"] == acme
    repeated = (await auth.refresh(ada["refresh_token"])).json()
    assert claims(repeated)["org"] == acme
    assert "org" not in claims((await auth.log_in(ADA)).json()), "another session has its own"
    for stranger in (foreign, "0190b0a0-0000-7000-8000-000000000001"):
        refused = await call(auth, "POST", CHOOSE, ada, {"organisation_id": stranger})
        assert_problem(refused, 404, "organisation_not_found")
    none = await choose(auth, ada, None)
    assert "org" not in claims(none)
    assert none["organisation_role"] is None
    assert await auth.events() == []
    assert (await acts(auth)).count("organisation.chosen") == 2


async def test_an_api_key_and_an_ended_session_choose_nothing(
    auth: AuthService, ada: dict[str, Any]
) -> None:
    acme = (await make(auth, ada)).rpartition("/")[2]
    key = await call(
        auth, "POST", "/v1/auth/api-keys", ada, {"name": "app", "scopes": ["files:read"]}
    )
    exchanged = await auth.internal(
        "POST", "/internal/api-keys/exchange", source="gateway", body={"key": key.json()["key"]}
    )
    body = {"organisation_id": acme}
    assert_problem(await call(auth, "POST", CHOOSE, exchanged.json(), body), 403, "forbidden")
    await auth.post("/v1/auth/logout", {}, **bearer(ada))
    assert_problem(await call(auth, "POST", CHOOSE, ada, body), 401, "token_revoked")
    assert (await auth.client.post(CHOOSE, json=body)).status_code == 401
    assert_problem(await call(auth, "POST", CHOOSE, ada, {}), 422, "validation_failed")


@pytest.mark.parametrize("act", ["leave", "remove", "demote", "delete organisation"])
@pytest.mark.parametrize("switched", [False, True])
async def test_s7_no_token_names_an_organisation_longer_than_the_membership(
    *, auth: AuthService, ada: dict[str, Any], bob: dict[str, Any], act: str, switched: bool
) -> None:
    path = await make(auth, ada)
    member = await join(auth, path, bob, "admin")
    other = (await auth.log_in(BOB)).json()
    await choose(auth, bob, path.rpartition("/")[2])
    if switched:
        # Its earlier tokens still name the organisation.
        await choose(auth, bob, None)
    await auth.forget_events()

    if act == "leave":
        answer = await call(auth, "DELETE", member, other)
    elif act == "remove":
        answer = await call(auth, "DELETE", member, ada)
    elif act == "demote":
        answer = await call(auth, "PATCH", member, ada, {"role": "member"})
    else:
        answer = await call(auth, "DELETE", path, ada)

    assert answer.status_code in {200, 204}
    assert await auth.revoked() == {claims(bob)["sid"]}
    assert "session.revoked" in await auth.event_types()
    assert_problem(await auth.refresh(bob["refresh_token"]), 401, "refresh_token_invalid")
    assert (await auth.refresh(other["refresh_token"])).status_code == 200
    assert (await auth.refresh(ada["refresh_token"])).status_code == 200


async def test_a_higher_role_stands_in_the_next_token(
    auth: AuthService, ada: dict[str, Any], bob: dict[str, Any]
) -> None:
    path = await make(auth, ada)
    member = await join(auth, path, bob, "member")
    await choose(auth, bob, path.rpartition("/")[2])
    await call(auth, "PATCH", member, ada, {"role": "admin"})
    assert await auth.revoked() == set()
    renewed = (await auth.refresh(bob["refresh_token"])).json()
    assert claims(renewed)["org_role"] == "admin"


async def test_choosing_while_being_removed_leaves_no_claim_behind(
    auth: AuthService, ada: dict[str, Any], bob: dict[str, Any]
) -> None:
    for turn in range(10):
        path = await make(auth, ada, f"Acme {turn}")
        organisation_id = path.rpartition("/")[2]
        member = await join(auth, path, bob, "member")
        session = (await auth.log_in(BOB)).json()
        chosen, removed = await asyncio.gather(
            call(auth, "POST", CHOOSE, session, {"organisation_id": organisation_id}),
            call(auth, "DELETE", member, ada),
        )
        assert removed.status_code == 204, removed.text
        assert chosen.status_code in {200, 404}, chosen.text
        was_chosen = chosen.status_code == 200
        assert (claims(session)["sid"] in await auth.revoked()) is was_chosen
        assert (await auth.refresh(session["refresh_token"])).is_success is not was_chosen


async def test_choosing_while_being_demoted_leaves_no_higher_claim_behind(
    auth: AuthService, ada: dict[str, Any], bob: dict[str, Any]
) -> None:
    for turn in range(10):
        path = await make(auth, ada, f"Acme {turn}")
        member = await join(auth, path, bob, "admin")
        session = (await auth.log_in(BOB)).json()
        chosen, demoted = await asyncio.gather(
            call(auth, "POST", CHOOSE, session, {"organisation_id": path.rpartition("/")[2]}),
            call(auth, "PATCH", member, ada, {"role": "member"}),
        )
        assert (chosen.status_code, demoted.status_code) == (200, 200)
        is_revoked = claims(session)["sid"] in await auth.revoked()
        assert chosen.json()["organisation_role"] == ("admin" if is_revoked else "member")


async def step_up(auth: AuthService, session: dict[str, Any]) -> Any:
    return await call(auth, "POST", "/v1/auth/step-up", session, {"password": PASSWORD})


async def test_step_up_keeps_the_organisation(auth: AuthService, ada: dict[str, Any]) -> None:
    acme = (await make(auth, ada)).rpartition("/")[2]
    await choose(auth, ada, acme)
    stepped_up = await step_up(auth, ada)
    assert stepped_up.status_code == 200, stepped_up.text
    said = claims(stepped_up.json())
    assert said["sid"] != claims(ada)["sid"]
    assert (said["org"], said["org_role"]) == (acme, "owner")


async def test_step_up_while_being_removed_leaves_no_claim_behind(
    auth: AuthService, ada: dict[str, Any], bob: dict[str, Any]
) -> None:
    for turn in range(10):
        path = await make(auth, ada, f"Acme {turn}")
        member = await join(auth, path, bob, "member")
        session = (await auth.log_in(BOB)).json()
        await choose(auth, session, path.rpartition("/")[2])
        stepped_up, removed = await asyncio.gather(
            step_up(auth, session), call(auth, "DELETE", member, ada)
        )
        assert removed.status_code == 204, removed.text
        revoked = await auth.revoked()
        assert claims(session)["sid"] in revoked
        if stepped_up.status_code == 200:
            said = claims(stepped_up.json())
            assert "org" not in said or said["sid"] in revoked
        else:
            assert stepped_up.status_code in {401, 404}, stepped_up.text


async def test_roles_that_somebody_has_already_exist_after_the_migration(
    postgres: PostgresCluster, tmp_path: Path
) -> None:
    database = Database(DatabaseSettings(postgres_url=postgres.new_database("auth")), "auth")
    await database.start()
    await migrate_below(database, "0011", tmp_path)
    await database.execute(
        "INSERT INTO users (id, email, roles) VALUES"
        " (gen_random_uuid(), 'a@example.com', '{administrator,editor}'),"
        " (gen_random_uuid(), 'b@example.com', '{editor,clerk}')"
    )
    await migrate_to_present(database)
    rows = await database.fetch("SELECT name, permissions, is_built_in FROM roles ORDER BY name")
    await database.stop()
    assert [tuple(row) for row in rows] == [
        ("administrator", [], True),
        ("clerk", [], False),
        ("editor", [], False),
    ]
