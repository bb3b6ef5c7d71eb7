"""Organisations and their members: who may do what, and that the last owner stays."""

import asyncio
from typing import Any

import httpx2
import pytest

from shared.chassis.database import Transaction
from tests.service.auth.auth_service import AuthService, assert_problem, bearer, claims

ALL = "/v1/auth/organisations"
NOBODY = "0190b0a0-0000-7000-8000-000000000001"
ADA, BOB, EVE = "ada@example.com", "bob@example.com", "eve@example.com"
LONG_WHEN_CLEAN = "\ufb2c" * 40
"""40 characters that are 120 in their normal form."""
ADD = (
    "INSERT INTO organisation_members (id, organisation_id, user_id, role)"
    " VALUES (gen_random_uuid(), $1, $2, $3)"
)


async def call(
    auth: AuthService, method: str, path: str, session: dict[str, Any], body: object = None
) -> httpx2.Response:
    return await auth.client.request(method, path, json=body, headers=bearer(session))


async def make(auth: AuthService, session: dict[str, Any], name: str = "Acme") -> str:
    """Make an organisation and return its address."""
    answer = await call(auth, "POST", ALL, session, {"name": name})
    assert answer.status_code == 201, answer.text
    return f"{ALL}/{answer.json()['id']}"


async def join(auth: AuthService, path: str, session: dict[str, Any], role: str) -> str:
    """Add somebody to an organisation and return the address of the member."""
    user_id = session["user"]["id"]
    await auth.database.execute(ADD, path.rpartition("/")[2], user_id, role)
    return f"{path}/members/{user_id}"


async def roles(auth: AuthService, path: str) -> dict[str, str]:
    """Return the role of each member by address."""
    rows = await auth.database.fetch(
        "SELECT email, role FROM organisation_members m JOIN users ON users.id = m.user_id"
        " WHERE m.organisation_id = $1",
        path.rpartition("/")[2],
    )
    return {row["email"]: row["role"] for row in rows}


def _counted(method: Any, statements: list[str]) -> Any:
    def counting(self: Transaction, sql: str, *args: Any) -> Any:
        statements.append(sql)
        return method(self, sql, *args)

    return counting


async def acts(auth: AuthService) -> list[str]:
    """Return what the log says of organisations, oldest first."""
    rows = await auth.database.fetch(
        "SELECT action FROM audit_log"
        " WHERE action ~ '^(organisation|member|invitation)[.]' ORDER BY id"
    )
    return [row["action"] for row in rows]


@pytest.fixture
async def ada(auth: AuthService) -> dict[str, Any]:
    return await auth.register(ADA)


@pytest.fixture
async def bob(auth: AuthService) -> dict[str, Any]:
    return await auth.register(BOB)


@pytest.fixture
async def eve(auth: AuthService) -> dict[str, Any]:
    return await auth.register(EVE)


async def test_whoever_makes_an_organisation_owns_it(
    auth: AuthService, ada: dict[str, Any]
) -> None:
    await auth.forget_events()
    answer = await call(auth, "POST", ALL, ada, {"name": " Müller & Söhne "})

    made = answer.json()
    assert answer.status_code == 201
    assert (made["name"], made["slug"], made["role"]) == ("Müller & Söhne", "muller-sohne", "owner")
    assert (await call(auth, "GET", f"{ALL}/{made['id']}", ada)).json() == made
    assert (await call(auth, "GET", ALL, ada)).json() == {"items": [made], "next": None}
    events = await auth.events()
    assert [event["type"] for event in events] == ["organisation.created", "member.added"]
    assert events[1]["data"] == {
        "organisation_id": made["id"],
        "user_id": ada["user"]["id"],
        "role": "owner",
    }
    assert await acts(auth) == ["organisation.created"]


async def test_a_slug_names_one_organisation(
    auth: AuthService, ada: dict[str, Any], bob: dict[str, Any]
) -> None:
    path = await make(auth, ada)
    derived = await call(auth, "POST", ALL, bob, {"name": "Acme"})
    assert derived.json()["slug"].startswith("acme-")
    taken = await call(auth, "POST", ALL, bob, {"name": "Other", "slug": "acme"})
    assert_problem(taken, 409, "slug_taken")
    other = f"{ALL}/{derived.json()['id']}"
    assert_problem(await call(auth, "PATCH", other, bob, {"slug": "acme"}), 409, "slug_taken")
    answers = await asyncio.gather(
        *(call(auth, "POST", ALL, ada, {"name": "x", "slug": "new"}) for _ in range(5))
    )
    assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409, 409]

    changed = await call(auth, "PATCH", path, ada, {"name": "Acme Ltd."})
    assert (changed.json()["name"], changed.json()["slug"]) == ("Acme Ltd.", "acme")
    assert (await acts(auth))[-1] == "organisation.changed"


@pytest.mark.parametrize(
    "body",
    [
        *({}, {"name": ""}, {"name": "  "}, {"name": "a\nb"}, {"name": "x" * 101}),
        {"name": LONG_WHEN_CLEAN},
        *({"name": "x", "slug": slug} for slug in ("", "A", "-a", "a-", "ä", "x" * 49, "a\n")),
        {"name": "x", "owner": NOBODY},
    ],
)
async def test_a_senseless_organisation_is_not_made(
    auth: AuthService, ada: dict[str, Any], body: dict[str, Any]
) -> None:
    assert_problem(await call(auth, "POST", ALL, ada, body), 422, "validation_failed")
    assert await acts(auth) == []


async def test_a_name_that_is_too_long_when_clean_is_not_taken_for_another_slug(
    auth: AuthService, ada: dict[str, Any]
) -> None:
    path = await make(auth, ada)

    answer = await call(auth, "PATCH", path, ada, {"name": LONG_WHEN_CLEAN})

    assert_problem(answer, 422, "validation_failed")
    assert [error["field"] for error in answer.json()["errors"]] == ["name"]
    assert await acts(auth) == ["organisation.created"]


async def test_nobody_owns_more_than_twenty_even_all_at_once(
    auth: AuthService, ada: dict[str, Any]
) -> None:
    await auth.database.execute(
        "WITH made AS (INSERT INTO organisations (id, name, slug)"
        " SELECT gen_random_uuid(), 'x', 'x' || n FROM generate_series(1, 18) n RETURNING id)"
        " INSERT INTO organisation_members (id, organisation_id, user_id, role)"
        " SELECT gen_random_uuid(), id, $1, 'owner' FROM made",
        ada["user"]["id"],
    )
    answers = await asyncio.gather(*(call(auth, "POST", ALL, ada, {"name": "y"}) for _ in range(5)))
    assert sorted(answer.status_code for answer in answers) == [201, 201, 409, 409, 409]
    refused = next(answer for answer in answers if answer.status_code == 409)
    assert_problem(refused, 409, "organisations_full")


async def test_the_lists_come_in_pages(auth: AuthService, ada: dict[str, Any]) -> None:
    for name in ("one", "two", "three"):
        await make(auth, ada, name)
    first = (await call(auth, "GET", f"{ALL}?limit=2", ada)).json()
    rest = (await call(auth, "GET", f"{ALL}?limit=2&cursor={first['next']}", ada)).json()
    assert [item["name"] for item in first["items"] + rest["items"]] == ["three", "two", "one"]
    assert rest["next"] is None


ROUTES = [
    ("GET", "", None),
    ("PATCH", "", {"name": "Mine"}),
    ("DELETE", "", None),
    ("GET", "/members", None),
    ("PATCH", f"/members/{NOBODY}", {"role": "member"}),
    ("DELETE", f"/members/{NOBODY}", None),
]


@pytest.mark.parametrize(("method", "path", "body"), ROUTES)
async def test_strangers_and_keys_learn_nothing_and_change_nothing(
    *,
    auth: AuthService,
    ada: dict[str, Any],
    eve: dict[str, Any],
    method: str,
    path: str,
    body: object,
) -> None:
    address = (await make(auth, ada)) + path
    key = await call(
        auth, "POST", "/v1/auth/api-keys", ada, {"name": "app", "scopes": ["files:read"]}
    )
    exchanged = await auth.internal(
        "POST", "/internal/api-keys/exchange", source="gateway", body={"key": key.json()["key"]}
    )
    await auth.forget_events()

    assert (await auth.client.request(method, address, json=body)).status_code == 401
    stranger = await call(auth, method, address, eve, body)
    assert_problem(stranger, 404, "organisation_not_found")
    assert_problem(await call(auth, method, address, exchanged.json(), body), 403, "forbidden")
    assert_problem(
        await call(auth, method, f"{ALL}/x{path}", eve, body), 404, "organisation_not_found"
    )
    assert await auth.events() == []
    assert await acts(auth) == ["organisation.created"]


async def test_a_stranger_and_an_organisation_that_does_not_exist_are_told_the_same(
    auth: AuthService, ada: dict[str, Any], eve: dict[str, Any]
) -> None:
    path = await make(auth, ada)
    there = (await call(auth, "GET", path, eve)).json()
    absent = (await call(auth, "GET", f"{ALL}/{NOBODY}", eve)).json()
    assert there == absent


async def test_members_see_each_other_and_only_those_who_manage_see_addresses(
    auth: AuthService, ada: dict[str, Any], bob: dict[str, Any], eve: dict[str, Any]
) -> None:
    path = await make(auth, ada)
    await join(auth, path, bob, "admin")
    await join(auth, path, eve, "member")
    for session, addresses in ((ada, {ADA, BOB, EVE}), (bob, {ADA, BOB, EVE}), (eve, {None})):
        listed = (await call(auth, "GET", f"{path}/members?limit=3", session)).json()
        assert {item["email"] for item in listed["items"]} == addresses
        assert sorted(item["role"] for item in listed["items"]) == ["admin", "member", "owner"]


@pytest.mark.parametrize(
    ("actor", "target", "wanted", "status"),
    [
        ("owner", "member", "owner", 200),
        ("owner", "owner", "member", 200),
        ("admin", "member", "admin", 200),
        ("admin", "admin", "member", 200),
        ("admin", "member", "owner", 403),
        ("admin", "owner", "member", 403),
        ("member", "member", "member", 403),
        ("member", "member", "admin", 403),
    ],
)
async def test_nobody_gives_or_takes_a_role_above_their_own(
    *,
    auth: AuthService,
    ada: dict[str, Any],
    bob: dict[str, Any],
    eve: dict[str, Any],
    actor: str,
    target: str,
    wanted: str,
    status: int,
) -> None:
    path = await make(auth, ada)
    await join(auth, path, bob, actor)
    member = await join(auth, path, eve, target)
    await auth.forget_events()

    answer = await call(auth, "PATCH", member, bob, {"role": wanted})

    assert answer.status_code == status, answer.text
    changed = status == 200
    assert (await roles(auth, path))[EVE] == (wanted if changed else target)
    assert await auth.event_types() == (["member.changed"] if changed else [])
    removed = await call(auth, "DELETE", member, bob)
    may_remove = {"owner": True, "admin": target != "owner" or changed, "member": False}[actor]
    assert removed.status_code == (204 if may_remove else 403)


async def test_a_member_leaves_and_does_not_come_back(
    auth: AuthService, ada: dict[str, Any], bob: dict[str, Any]
) -> None:
    path = await make(auth, ada)
    member = await join(auth, path, bob, "member")
    await auth.forget_events()

    assert (await call(auth, "DELETE", member, bob)).status_code == 204

    assert await auth.event_types() == ["member.removed"]
    assert await auth.revoked() == set(), "no session had chosen it"
    assert_problem(await call(auth, "GET", path, bob), 404, "organisation_not_found")
    assert_problem(await call(auth, "DELETE", member, ada), 404, "member_not_found")
    assert await acts(auth) == ["organisation.created", "member.removed"]


async def test_the_last_owner_stays(
    auth: AuthService, ada: dict[str, Any], bob: dict[str, Any]
) -> None:
    path = await make(auth, ada)
    mine = f"{path}/members/{ada['user']['id']}"
    await join(auth, path, bob, "admin")
    assert_problem(await call(auth, "DELETE", mine, ada), 409, "last_owner")
    assert_problem(await call(auth, "PATCH", mine, ada, {"role": "admin"}), 409, "last_owner")
    await call(auth, "PATCH", f"{path}/members/{bob['user']['id']}", ada, {"role": "owner"})
    await auth.database.execute("UPDATE users SET disabled_at = now() WHERE email = $1", BOB)
    assert_problem(await call(auth, "DELETE", mine, ada), 409, "last_owner")
    await auth.database.execute("UPDATE users SET disabled_at = NULL")
    assert (await call(auth, "DELETE", mine, ada)).status_code == 204
    assert await roles(auth, path) == {BOB: "owner"}


@pytest.mark.parametrize("act", ["leave", "demote each other", "demote oneself"])
async def test_of_two_owners_who_go_at_the_same_time_one_stays(
    auth: AuthService, ada: dict[str, Any], bob: dict[str, Any], act: str
) -> None:
    for turn in range(5):
        path = await make(auth, ada, f"Acme {turn}")
        hers, his = f"{path}/members/{ada['user']['id']}", await join(auth, path, bob, "owner")
        if act == "leave":
            calls = call(auth, "DELETE", hers, ada), call(auth, "DELETE", his, bob)
        elif act == "demote each other":
            calls = (
                call(auth, "PATCH", his, ada, {"role": "member"}),
                call(auth, "PATCH", hers, bob, {"role": "member"}),
            )
        else:
            calls = (
                call(auth, "PATCH", hers, ada, {"role": "member"}),
                call(auth, "PATCH", his, bob, {"role": "member"}),
            )
        answers = await asyncio.gather(*calls)
        assert [answer.status_code < 300 for answer in answers].count(True) == 1
        assert list((await roles(auth, path)).values()).count("owner") == 1


async def test_deleting_an_organisation_takes_its_owner_and_a_fresh_proof(
    auth: AuthService, ada: dict[str, Any], bob: dict[str, Any]
) -> None:
    path = await make(auth, ada)
    await join(auth, path, bob, "admin")
    assert_problem(await call(auth, "DELETE", path, bob), 403, "organisation_role_required")
    await auth.database.execute(
        "UPDATE sessions SET authenticated_at = now() - interval '11 minutes' WHERE user_id = $1",
        ada["user"]["id"],
    )
    stale = (await auth.refresh(ada["refresh_token"])).json()
    refused = await call(auth, "DELETE", path, stale)
    assert_problem(refused, 403, "reauthentication_required")
    await auth.forget_events()

    assert (await call(auth, "DELETE", path, ada)).status_code == 204

    assert await auth.event_types() == ["organisation.deleted"]
    assert await roles(auth, path) == {}
    assert await auth.revoked() == set()
    assert (await acts(auth))[-1] == "organisation.deleted"


async def test_administrators_of_the_house_help_where_they_are_no_members(
    auth: AuthService, ada: dict[str, Any], bob: dict[str, Any], eve: dict[str, Any]
) -> None:
    path = await make(auth, ada)
    member = await join(auth, path, bob, "member")
    refused = await call(auth, "GET", f"{ALL}?all=true", eve)
    assert_problem(refused, 403, "administrator_required")
    await auth.database.execute("UPDATE users SET roles = '{administrator}' WHERE email = $1", EVE)
    admin = (await auth.log_in(EVE)).json()
    assert (await call(auth, "GET", ALL, admin)).json()["items"] == []
    [listed] = (await call(auth, "GET", f"{ALL}?all=true", admin)).json()["items"]
    assert (listed["name"], listed["role"]) == ("Acme", None)
    assert (await call(auth, "PATCH", member, admin, {"role": "owner"})).status_code == 200
    entry = await auth.database.fetchrow(
        "SELECT actor_id, user_id FROM audit_log WHERE action = 'member.changed'"
    )
    assert str(entry["actor_id"]) == admin["user"]["id"]
    assert str(entry["user_id"]) == bob["user"]["id"]


async def test_the_only_owner_of_others_organisation_cannot_delete_the_account(
    auth: AuthService, ada: dict[str, Any], bob: dict[str, Any]
) -> None:
    path = await make(auth, ada, "Acme")
    await join(auth, path, bob, "admin")
    await auth.forget_events()

    refused = await call(auth, "DELETE", "/v1/auth/me", ada)

    assert_problem(refused, 409, "sole_owner")
    assert "“Acme”" in refused.json()["detail"]
    assert await auth.events() == []
    assert await auth.revoked() == set()
    await call(auth, "PATCH", f"{path}/members/{bob['user']['id']}", ada, {"role": "owner"})
    assert (await call(auth, "DELETE", "/v1/auth/me", ada)).status_code == 204
    assert await roles(auth, path) == {BOB: "owner"}
    assert await auth.revoked() == {claims(ada)["sid"]}


async def test_an_organisation_without_others_goes_with_its_owner(
    auth: AuthService, ada: dict[str, Any], bob: dict[str, Any]
) -> None:
    alone, shared = await make(auth, ada, "Alone"), await make(auth, bob, "Shared")
    await join(auth, shared, ada, "member")
    await auth.forget_events()

    assert (await call(auth, "DELETE", "/v1/auth/me", ada)).status_code == 204

    told = [
        (event["type"], event["data"].get("organisation_id"))
        for event in await auth.events()
        if "organisation_id" in event["data"]
    ]
    gone, left = alone.rpartition("/")[2], shared.rpartition("/")[2]
    assert sorted(told) == sorted(
        [("member.removed", gone), ("member.removed", left), ("organisation.deleted", gone)]
    )
    assert await roles(auth, shared) == {BOB: "owner"}
    assert await auth.database.fetchval("SELECT count(*) FROM organisations") == 1


async def test_leaving_many_organisations_takes_no_more_statements_than_leaving_one(
    auth: AuthService, monkeypatch: pytest.MonkeyPatch
) -> None:
    statements: list[str] = []
    for name in ("fetch", "fetchrow", "fetchval", "execute"):
        monkeypatch.setattr(Transaction, name, _counted(getattr(Transaction, name), statements))
    counted = {}
    for organisations in (1, 20):
        session = await auth.register(f"owner{organisations}@example.com")
        for number in range(organisations):
            await make(auth, session, f"Of {organisations}, {number}")
        await auth.forget_events()
        statements.clear()

        assert (await call(auth, "DELETE", "/v1/auth/me", session)).status_code == 204

        counted[organisations] = len(statements)
        types = await auth.event_types()
        assert types.count("member.removed") == types.count("organisation.deleted") == organisations
    assert counted[20] == counted[1]
    done = await acts(auth)
    assert done.count("member.removed") == done.count("organisation.deleted") == 21


async def test_two_owners_who_delete_their_accounts_at_once_leave_nobody_alone(
    auth: AuthService, ada: dict[str, Any], bob: dict[str, Any], eve: dict[str, Any]
) -> None:
    path = await make(auth, ada)
    await join(auth, path, bob, "owner")
    await join(auth, path, eve, "member")
    answers = await asyncio.gather(
        call(auth, "DELETE", "/v1/auth/me", ada), call(auth, "DELETE", "/v1/auth/me", bob)
    )
    assert sorted(answer.status_code for answer in answers) == [204, 409]
    assert sorted((await roles(auth, path)).values()) == ["member", "owner"]
