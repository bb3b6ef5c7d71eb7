"""`Idempotency-Key`: one effect and one answer, for who still may have it."""

import asyncio
from typing import Any

import httpx2
import pytest

from services.gateway.route import IDEMPOTENCY_KEY
from services.gateway.route_table import ROUTES
from shared.chassis.idempotency.pruning import AnswerPruning
from shared.chassis.lifecycle import Lifecycle
from tests.service.auth.auth_service import (
    ADMIN,
    AuthService,
    assert_problem,
    bearer,
    make_administrator,
)
from tests.service.auth.test_organisations import join

ADA = "ada@example.com"
KEYS = "/v1/auth/api-keys"
ACCOUNTS = "/v1/auth/service-accounts"
CLIENTS = "/v1/auth/oauth-clients"
ORGANISATIONS = "/v1/auth/organisations"
INVITATIONS = f"{ORGANISATIONS}/{{organisation}}/invitations"
KEY = {"name": "deploy", "scopes": ["files:read"]}
CLIENT = {"name": "Shop", "redirect_uris": ["https://shop.example.com/callback"]}
INVITATION = {"email": "eve@example.com", "role": "member"}
GITHUB = {
    "id": "github",
    "name": "GitHub",
    "kind": "github",
    "client_id": "us",
    "client_secret": "a secret of theirs",
}
CREATIONS: list[tuple[str, dict[str, Any]]] = [
    (KEYS, KEY),
    (ACCOUNTS, {"name": "importer"}),
    (f"{ACCOUNTS}/{{program}}/api-keys", KEY),
    (ORGANISATIONS, {"name": "Acme"}),
    (INVITATIONS, INVITATION),
    (CLIENTS, CLIENT),
    ("/v1/auth/connections", GITHUB),
]
CHANGES = {INVITATIONS: {"email": "bob@example.com"}, "/v1/auth/connections": {"id": "other"}}
"""What makes another one where it is not the name."""
UNKEYED = {
    # A second one replaces the first, and a passkey's challenge is signed once: see the README.
    "/v1/auth/mfa/totp",
    "/v1/auth/passkeys",
}
TABLES = (
    *("api_keys", "service_accounts", "organisations", "organisation_members", "invitations"),
    *("oauth_clients", "connections", "links", "outbox", "audit_log"),
)


async def send(
    auth: AuthService, session: dict[str, Any], path: str, body: object, key: str | None = "k"
) -> httpx2.Response:
    headers = bearer(session) | ({} if key is None else {"Idempotency-Key": key})
    return await auth.client.post(path, json=body, headers=headers)


async def state(auth: AuthService) -> dict[str, int]:
    return {
        table: await auth.database.fetchval(f"SELECT count(*) FROM {table}") for table in TABLES
    }


async def kept(auth: AuthService) -> int:
    return int(await auth.database.fetchval("SELECT count(*) FROM idempotent_answers"))


@pytest.fixture
async def admin(auth: AuthService) -> dict[str, Any]:
    return await make_administrator(auth)


async def _address(auth: AuthService, admin: dict[str, Any], path: str) -> str:
    """Return the address to send to, with what it names made before."""
    if "{program}" in path:
        made = await send(auth, admin, ACCOUNTS, {"name": "deploy"}, None)
        return path.format(program=made.json()["id"])
    if "{organisation}" in path:
        made = await send(auth, admin, ORGANISATIONS, {"name": "Before"}, None)
        return path.format(organisation=made.json()["id"])
    return path


def test_every_creation_by_a_known_caller_takes_the_key_and_says_so() -> None:
    creations = {
        route.path: IDEMPOTENCY_KEY in route.parameters
        for route in ROUTES
        if (route.service, route.method, route.status) == ("auth", "POST", 201)
    }
    assert {path for path, keyed in creations.items() if not keyed} == UNKEYED
    assert len(creations) - len(UNKEYED) == len(CREATIONS)


@pytest.mark.parametrize(("path", "body"), CREATIONS)
async def test_the_same_request_has_one_effect_and_one_answer(
    auth: AuthService, admin: dict[str, Any], path: str, body: dict[str, Any]
) -> None:
    address = await _address(auth, admin, path)
    first = await send(auth, admin, address, body)
    assert first.status_code == 201, first.text
    before = await state(auth)
    reordered = dict(reversed(body.items()))
    again = await send(auth, (await auth.log_in(ADMIN)).json(), address, reordered)
    before["audit_log"] += 1  # the log-in

    assert (again.status_code, again.json()) == (201, first.json())
    assert again.headers["idempotent-replayed"] == "true"
    assert "idempotent-replayed" not in first.headers
    assert first.headers["cache-control"] == again.headers["cache-control"] == "no-store"
    assert await state(auth) == before
    assert await kept(auth) == 1

    other = await send(auth, admin, address, body | CHANGES.get(path, {"name": "Other"}), "k-2")
    assert (other.status_code, await kept(auth)) == (201, 2)
    assert "idempotent-replayed" not in other.headers


@pytest.mark.parametrize(("path", "body"), CREATIONS)
async def test_doubles_at_the_same_time_wait_for_the_first(
    auth: AuthService, admin: dict[str, Any], path: str, body: dict[str, Any]
) -> None:
    address = await _address(auth, admin, path)
    before = await state(auth)
    answers = await asyncio.gather(*(send(auth, admin, address, body) for _ in range(5)))
    after = await state(auth)

    assert {(answer.status_code, answer.text) for answer in answers} == {(201, answers[0].text)}
    replayed = [answer.headers.get("idempotent-replayed") for answer in answers]
    assert sorted(replayed, key=str) == [None, *["true"] * 4]
    assert after["audit_log"] == before["audit_log"] + 1
    assert all(after[table] <= before[table] + 1 for table in TABLES if table != "outbox")


async def test_another_request_under_the_key_is_refused(
    auth: AuthService, admin: dict[str, Any]
) -> None:
    await send(auth, admin, KEYS, KEY)
    before = await state(auth)
    for path, body in ((KEYS, KEY | {"name": "other"}), (CLIENTS, CLIENT)):
        assert_problem(await send(auth, admin, path, body), 422, "idempotency_key_reused")
    assert await state(auth) == before


async def test_keys_belong_to_their_callers(auth: AuthService, admin: dict[str, Any]) -> None:
    ada = await auth.register(ADA)
    mine, theirs = await send(auth, admin, KEYS, KEY), await send(auth, ada, KEYS, KEY)
    assert (mine.status_code, theirs.status_code) == (201, 201)
    assert mine.json()["id"] != theirs.json()["id"]
    assert mine.json()["key"] != theirs.json()["key"]


async def test_without_a_key_each_request_counts(auth: AuthService, admin: dict[str, Any]) -> None:
    ids = {(await send(auth, admin, KEYS, KEY, None)).json()["id"] for _ in range(2)}
    assert (len(ids), await kept(auth)) == (2, 0)


async def test_what_failed_is_tried_anew(auth: AuthService, admin: dict[str, Any]) -> None:
    taken = {"name": "importer"}
    program = (await send(auth, admin, ACCOUNTS, taken, None)).json()["id"]
    assert_problem(await send(auth, admin, ACCOUNTS, taken), 422, "validation_failed")
    assert await kept(auth) == 0
    await auth.client.delete(f"{ACCOUNTS}/{program}", headers=bearer(admin))
    assert (await send(auth, admin, ACCOUNTS, taken)).status_code == 201


@pytest.mark.parametrize("key", ["", "a b", "x" * 256])
async def test_a_strange_key_is_refused(auth: AuthService, admin: dict[str, Any], key: str) -> None:
    answer = await send(auth, admin, KEYS, KEY, key)
    assert_problem(answer, 422, "validation_failed")
    assert [error["field"] for error in answer.json()["errors"]] == ["Idempotency-Key"]
    assert (await state(auth))["api_keys"] == 0


@pytest.mark.parametrize(
    ("path", "body", "secret"), [(KEYS, KEY, "key"), (CLIENTS, CLIENT, "client_secret")]
)
async def test_secrets_in_answers_are_not_readable_in_the_database(
    auth: AuthService, admin: dict[str, Any], path: str, body: dict[str, Any], secret: str
) -> None:
    made = (await send(auth, admin, path, body)).json()
    row = await auth.database.fetchval("SELECT answer FROM idempotent_answers")
    assert made[secret].encode() not in row
    assert made["name"].encode() not in row


@pytest.mark.parametrize(("path", "body"), CREATIONS)
async def test_an_answer_takes_the_fresh_proof_that_its_request_took(
    auth: AuthService, admin: dict[str, Any], path: str, body: dict[str, Any]
) -> None:
    address = await _address(auth, admin, path)
    made = await send(auth, admin, address, body)
    await auth.database.execute(
        "UPDATE sessions SET authenticated_at = now() - interval '11 minutes'"
    )
    stale = (await auth.refresh(admin["refresh_token"])).json()

    answer = await send(auth, stale, address, body)

    if path == ORGANISATIONS:  # which takes none
        assert answer.json() == made.json()
    else:
        assert_problem(answer, 403, "reauthentication_required")


@pytest.mark.parametrize(("path", "body"), CREATIONS)
async def test_who_lost_the_role_gets_nothing_that_it_gave(
    auth: AuthService, admin: dict[str, Any], path: str, body: dict[str, Any]
) -> None:
    second = await make_administrator(auth, "second@example.com")
    address = await _address(auth, second, path)
    if path == KEYS:
        body = KEY | {"scopes": ["jobs"]}
    assert (await send(auth, admin, address, body)).status_code == 201
    user = f"/v1/auth/users/{admin['user']['id']}"
    await auth.client.patch(user, json={"roles": []}, headers=bearer(second))
    before = await state(auth)

    by_old_token = await send(auth, admin, address, body)
    session = (await auth.log_in(ADMIN)).json()
    before["audit_log"] += 1
    by_new_token = await send(auth, session, address, body)

    assert_problem(by_old_token, 401, "token_revoked")
    if path == ORGANISATIONS:  # which everybody makes
        assert by_new_token.status_code == 201
    elif path == INVITATIONS:
        assert_problem(by_new_token, 404, "organisation_not_found")
    else:
        assert_problem(by_new_token, 403, "administrator_required")
    assert await state(auth) == before


async def test_a_lower_role_in_the_organisation_ends_the_right_to_the_answer(
    auth: AuthService, admin: dict[str, Any]
) -> None:
    ada = await auth.register(ADA)
    address = await _address(auth, admin, INVITATIONS)
    await join(auth, address.removesuffix("/invitations"), ada, "admin")
    assert (await send(auth, ada, address, INVITATION)).status_code == 201
    await auth.database.execute(
        "UPDATE organisation_members SET role = 'member' WHERE user_id = $1", ada["user"]["id"]
    )
    answer = await send(auth, ada, address, INVITATION)
    assert_problem(answer, 403, "organisation_role_required")


async def test_a_disabled_account_gets_nothing(auth: AuthService, admin: dict[str, Any]) -> None:
    ada = await auth.register(ADA)
    await send(auth, ada, KEYS, KEY)
    user = f"/v1/auth/users/{ada['user']['id']}"
    await auth.client.post(f"{user}/disable", json={"reason": "x"}, headers=bearer(admin))
    assert_problem(await send(auth, ada, KEYS, KEY), 401, "token_revoked")


async def test_a_deleted_accounts_answers_are_forgotten(
    auth: AuthService, admin: dict[str, Any]
) -> None:
    ada = await auth.register(ADA)
    await send(auth, ada, KEYS, KEY)
    await send(auth, ada, ORGANISATIONS, {"name": "Acme"}, "k-2")
    await send(auth, admin, KEYS, KEY)

    answer = await auth.client.delete("/v1/auth/me", headers=bearer(ada))

    assert answer.status_code == 204
    rows = await auth.database.fetch("SELECT caller FROM idempotent_answers")
    assert [row["caller"] for row in rows] == [f"user:{admin['user']['id']}"]
    assert_problem(await send(auth, ada, KEYS, KEY), 401, "token_invalid")
    assert await kept(auth) == 1


async def test_answers_are_kept_for_a_day_and_pruned(
    auth: AuthService, admin: dict[str, Any]
) -> None:
    first = (await send(auth, admin, KEYS, KEY)).json()
    await send(auth, admin, KEYS, KEY, "fresh")
    age = "UPDATE idempotent_answers SET answered_at = now() - interval '25 hours' WHERE key = 'k'"
    await auth.database.execute(age)
    assert (await send(auth, admin, KEYS, KEY)).json()["id"] != first["id"]
    await auth.database.execute(age)
    assert await AnswerPruning(auth.database, Lifecycle()).run_once() == 1
    assert await auth.database.fetchval("SELECT key FROM idempotent_answers") == "fresh"


async def test_sign_up_takes_no_key(auth: AuthService) -> None:
    body = {"email": ADA, "password": "correct horse battery staple"}
    for _ in range(2):
        answer = await auth.client.post(
            "/v1/auth/signup", json=body, headers={"Idempotency-Key": "k"}
        )
        assert (answer.status_code, "idempotent-replayed" in answer.headers) == (202, False)
    assert (await auth.counts(), await kept(auth)) == ({"signups": 2, "links": 2}, 0)
