"""What gives access that outlives a session takes a proof of the last ten minutes."""

from typing import Any

import pytest

from tests.service.auth.auth_service import AuthService, assert_problem
from tests.service.auth.test_organisations import join, make, roles
from tests.service.auth.test_users import ADA, ADMIN, call, make_administrator

OWNER, BOB = "owner@example.com", "bob@example.com"
ACCOUNTS = "/v1/auth/service-accounts"
CLIENTS = "/v1/auth/oauth-clients"
ORGANISATION = "/v1/auth/organisations/{organisation}"
KEY = {"name": "deploy", "scopes": ["files:read"]}
CLIENT = {"name": "Shop", "redirect_uris": ["https://shop.example.com/callback"]}
ACTS = [
    ("POST", "/v1/auth/api-keys", KEY),
    ("PATCH", "/v1/auth/users/{ada}", {"roles": ["administrator"]}),
    ("DELETE", "/v1/auth/users/{ada}", None),
    ("POST", "/v1/auth/users/{ada}/impersonate", {"reason": "ticket 7"}),
    ("PUT", "/v1/auth/roles/clerk", {"permissions": ["orders:read"]}),
    ("POST", ACCOUNTS, {"name": "importer"}),
    ("DELETE", f"{ACCOUNTS}/{{program}}", None),
    ("POST", f"{ACCOUNTS}/{{program}}/api-keys", KEY),
    ("POST", CLIENTS, CLIENT),
    ("PATCH", f"{CLIENTS}/{{client}}", {"is_trusted": True}),
    ("POST", f"{CLIENTS}/{{client}}/secret", None),
    ("POST", f"{ORGANISATION}/invitations", {"email": "eve@example.com", "role": "member"}),
    ("PATCH", f"{ORGANISATION}/members/{{ada}}", {"role": "owner"}),
]
"""Each by an administrator, who would give it to whoever stole the access token."""


async def _state(auth: AuthService) -> list[Any]:
    tables = (
        *("users", "api_keys", "sessions", "roles", "service_accounts", "oauth_clients", "links"),
        *("organisation_members", "invitations", "audit_log"),
    )
    return [
        await auth.database.fetch(f"SELECT to_jsonb(t)::text FROM {table} AS t ORDER BY 1")
        for table in tables
    ]


@pytest.mark.parametrize(("method", "path", "body"), ACTS)
async def test_a_stolen_access_token_makes_no_lasting_access(
    auth: AuthService, method: str, path: str, body: Any
) -> None:
    admin = await make_administrator(auth, ADMIN)
    ada = await auth.register(ADA)
    program = (await call(auth, "POST", ACCOUNTS, admin, {"name": "deploy"})).json()
    client = (await call(auth, "POST", CLIENTS, admin, {**CLIENT, "name": "Other"})).json()
    organisation = await make(auth, admin)
    await join(auth, organisation, ada, "admin")
    path = path.format(
        ada=ada["user"]["id"],
        program=program["id"],
        client=client["client_id"],
        organisation=organisation.rpartition("/")[2],
    )
    await auth.database.execute(
        "UPDATE sessions SET authenticated_at = now() - interval '11 minutes'"
    )
    stale = (await auth.refresh(admin["refresh_token"])).json()
    await auth.forget_events()
    before = await _state(auth)

    assert_problem(await call(auth, method, path, stale, body), 403, "reauthentication_required")

    assert await _state(auth) == before
    assert await auth.events() == []
    proved = (await auth.log_in(ADMIN)).json()
    answer = await call(auth, method, path, proved, body)
    assert answer.is_success, answer.text
    await auth.database.execute("DELETE FROM oauth_clients")


async def test_a_name_is_changed_without_another_proof(auth: AuthService) -> None:
    admin = await make_administrator(auth, ADMIN)
    ada = await auth.register(ADA)
    await auth.database.execute(
        "UPDATE sessions SET authenticated_at = now() - interval '11 minutes'"
    )
    stale = (await auth.refresh(admin["refresh_token"])).json()

    answer = await call(
        auth, "PATCH", f"/v1/auth/users/{ada['user']['id']}", stale, {"name": "Ada"}
    )

    assert (answer.status_code, answer.json()["name"]) == (200, "Ada")


@pytest.mark.parametrize("caller", ["an owner", "an administrator of the house"])
async def test_access_to_an_organisation_is_taken_away_without_another_proof(
    auth: AuthService, caller: str
) -> None:
    owner = await auth.register(OWNER)
    ada, bob = await auth.register(ADA), await auth.register(BOB)
    asking = owner if caller == "an owner" else await make_administrator(auth, ADMIN)
    organisation = await make(auth, owner)
    lowered = await join(auth, organisation, ada, "owner")
    removed = await join(auth, organisation, bob, "admin")
    invitations = f"{organisation}/invitations"
    body = {"email": "eve@example.com", "role": "member"}
    invitation = (await call(auth, "POST", invitations, asking, body)).json()["id"]
    await auth.database.execute(
        "UPDATE sessions SET authenticated_at = now() - interval '11 minutes'"
    )
    stale = (await auth.refresh(asking["refresh_token"])).json()

    same = await call(auth, "PATCH", lowered, stale, {"role": "owner"})
    lower = await call(auth, "PATCH", lowered, stale, {"role": "member"})
    higher = await call(auth, "PATCH", lowered, stale, {"role": "admin"})
    withdrawn = await call(auth, "DELETE", f"{invitations}/{invitation}", stale)
    gone = await call(auth, "DELETE", removed, stale)

    assert (same.status_code, lower.status_code) == (200, 200)
    assert_problem(higher, 403, "reauthentication_required")
    assert (withdrawn.status_code, gone.status_code) == (204, 204)
    assert await roles(auth, organisation) == {OWNER: "owner", ADA: "member"}
    assert (await call(auth, "GET", invitations, stale)).json()["items"] == []


async def test_who_may_not_raise_a_role_is_told_that_and_not_to_prove_anything(
    auth: AuthService,
) -> None:
    owner, ada = await auth.register(OWNER), await auth.register(ADA)
    organisation = await make(auth, owner)
    own = await join(auth, organisation, ada, "member")
    await auth.database.execute(
        "UPDATE sessions SET authenticated_at = now() - interval '11 minutes'"
    )
    stale = (await auth.refresh(ada["refresh_token"])).json()

    answer = await call(auth, "PATCH", own, stale, {"role": "admin"})

    assert_problem(answer, 403, "organisation_role_required")
    assert await roles(auth, organisation) == {OWNER: "owner", ADA: "member"}
