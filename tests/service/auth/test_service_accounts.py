"""Accounts of programs, and what is new about API keys: names, and where they are used."""

import asyncio
from typing import Any

import httpx2
import pytest

from tests.service.auth.auth_service import (
    AuthService,
    assert_problem,
    bearer,
    claims,
    make_administrator,
)
from tests.service.auth.test_organisations import ADA, call

ALL = "/v1/auth/service-accounts"
NOBODY = "0190b0a0-0000-7000-8000-000000000001"
KEY = {"name": "deploy", "scopes": ["files:write", "jobs:orders:work"]}


@pytest.fixture
async def admin(auth: AuthService) -> dict[str, Any]:
    return await make_administrator(auth, "admin@example.com")


@pytest.fixture
async def ada(auth: AuthService) -> dict[str, Any]:
    return await auth.register(ADA)


@pytest.fixture
async def importer(auth: AuthService, admin: dict[str, Any]) -> str:
    """The address of a service account; the outbox is empty again."""
    answer = await call(auth, "POST", ALL, admin, {"name": "importer"})
    assert answer.status_code == 201, answer.text
    await auth.forget_events()
    return f"{ALL}/{answer.json()['id']}"


async def make_key(
    auth: AuthService, admin: dict[str, Any], path: str, **changes: Any
) -> dict[str, Any]:
    answer = await call(auth, "POST", f"{path}/api-keys", admin, {**KEY, **changes})
    assert answer.status_code == 201, answer.text
    key: dict[str, Any] = answer.json()
    return key


async def exchange(auth: AuthService, key: dict[str, Any], **more: Any) -> httpx2.Response:
    return await auth.internal(
        "POST",
        "/internal/api-keys/exchange",
        source="gateway",
        body={"key": key["key"], **more},
    )


async def logged(auth: AuthService) -> list[str]:
    rows = await auth.database.fetch(
        "SELECT action FROM audit_log WHERE action ~ '^(service_account|api_key)[.]' ORDER BY id"
    )
    return [row["action"] for row in rows]


ROUTES = [
    ("POST", ALL, {"name": "other"}),
    ("GET", ALL, None),
    ("GET", "{path}", None),
    ("POST", "{path}/disable", None),
    ("POST", "{path}/enable", None),
    ("POST", "{path}/api-keys", KEY),
    ("GET", "{path}/api-keys", None),
    ("PATCH", "{path}/api-keys/{key}", {"name": "x"}),
    ("DELETE", "{path}/api-keys/{key}", None),
    ("DELETE", "{path}", None),
]


@pytest.mark.parametrize(("method", "path", "body"), ROUTES)
async def test_s6_only_an_administrator_in_a_session_makes_credentials_of_programs(
    *,
    auth: AuthService,
    admin: dict[str, Any],
    ada: dict[str, Any],
    importer: str,
    method: str,
    path: str,
    body: object,
) -> None:
    key = await make_key(auth, admin, importer)
    of_program = (await exchange(auth, key)).json()
    own = await call(auth, "POST", "/v1/auth/api-keys", admin, KEY)
    of_administrator = (await exchange(auth, own.json())).json()
    address = path.format(path=importer, key=key["id"])
    before = await auth.counts()
    acts = await logged(auth)

    assert (await auth.client.request(method, address, json=body)).status_code == 401
    for caller in (ada, of_program, of_administrator):
        refused = await call(auth, method, address, caller, body)
        assert_problem(refused, 403, "administrator_required")
    assert await auth.counts() == before
    assert await logged(auth) == acts
    assert (await call(auth, method, address, admin, body)).is_success


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/v1/auth/api-keys", KEY),
        ("GET", "/v1/auth/api-keys", None),
        ("PATCH", "/v1/auth/api-keys/{key}", {"name": "x"}),
        ("DELETE", "/v1/auth/api-keys/{key}", None),
        ("POST", "/v1/auth/organisations", {"name": "x"}),
        ("POST", "/v1/auth/session/organisation", {"organisation_id": None}),
        ("GET", "/v1/auth/me", None),
    ],
)
async def test_s6_a_programs_key_mints_nothing_and_ends_nothing(
    *,
    auth: AuthService,
    admin: dict[str, Any],
    importer: str,
    method: str,
    path: str,
    body: object,
) -> None:
    key = await make_key(auth, admin, importer)
    token = (await exchange(auth, key)).json()
    before = await auth.counts()
    refused = await call(auth, method, path.format(key=key["id"]), token, body)
    assert_problem(refused, 403, "forbidden")
    assert await auth.counts() == before


async def test_a_program_has_an_account_and_keys_and_nothing_else(
    auth: AuthService, admin: dict[str, Any], importer: str
) -> None:
    key = await make_key(auth, admin, importer, expires_at="2099-01-01T00:00:00Z")
    assert key["key"].startswith("fh_")
    assert key["scopes"] == ["files:write", "jobs:orders:work"]

    token = (await exchange(auth, key)).json()

    said = claims(token)
    assert said["sub"] == importer.rpartition("/")[2]
    assert said["sid"] == key["id"]
    assert (said["roles"], said["scope"]) == ([], "files:write jobs:orders:work")
    assert 0 < token["expires_in"] <= 60
    listed = (await call(auth, "GET", f"{importer}/api-keys", admin)).json()
    assert [item["id"] for item in listed["items"]] == [key["id"]]
    assert "key" not in listed["items"][0]
    accounts = (await call(auth, "GET", ALL, admin)).json()["items"]
    assert [account["name"] for account in accounts] == ["importer"]
    users = (await call(auth, "GET", "/v1/auth/users", admin)).json()["items"]
    assert [user["email"] for user in users] == ["admin@example.com"]
    mine = (await call(auth, "GET", "/v1/auth/api-keys", admin)).json()["items"]
    assert mine == []
    assert await auth.events() == []
    assert await logged(auth) == ["service_account.created", "api_key.created"]


async def test_a_programs_scopes_do_not_hang_on_whoever_made_its_key(
    auth: AuthService, admin: dict[str, Any], importer: str
) -> None:
    key = await make_key(auth, admin, importer)
    await auth.database.execute("UPDATE users SET roles = '{}'")
    assert claims((await exchange(auth, key)).json())["scope"] == "files:write jobs:orders:work"


@pytest.mark.parametrize(
    "body",
    [
        *({}, {"name": ""}, {"name": "a\nb"}, {"name": "x" * 101}, {"name": "importer"}),
        {"name": "x", "email": "x@example.com"},
        {"name": "x", "password": "correct horse battery staple"},
    ],
)
@pytest.mark.usefixtures("importer")
async def test_a_senseless_account_is_not_made(
    auth: AuthService, admin: dict[str, Any], body: dict[str, Any]
) -> None:
    assert_problem(await call(auth, "POST", ALL, admin, body), 422, "validation_failed")
    assert await logged(auth) == ["service_account.created"]


async def test_of_many_accounts_of_one_name_one_is_made(
    auth: AuthService, admin: dict[str, Any]
) -> None:
    answers = await asyncio.gather(
        *(call(auth, "POST", ALL, admin, {"name": "same"}) for _ in range(5))
    )
    assert sorted(answer.status_code for answer in answers) == [201, 422, 422, 422, 422]


@pytest.mark.parametrize("owner", ["user", "service account"])
async def test_an_owner_has_a_hundred_live_keys_at_most(
    auth: AuthService, admin: dict[str, Any], importer: str, owner: str
) -> None:
    path = "/v1/auth/api-keys" if owner == "user" else f"{importer}/api-keys"
    owner_id = admin["user"]["id"] if owner == "user" else importer.rpartition("/")[2]
    for name, count, expires_in in (("live", 98, None), ("over", 5, "1 second")):
        await auth.database.execute(
            f"INSERT INTO api_keys ({owner.replace(' ', '_')}_id, id, name, key_hash,"
            " scopes, created_at, expires_at) SELECT $1, gen_random_uuid(), $2::text,"
            " sha256(($2 || n)::bytea), '{a}', now() - interval '1 day',"
            " now() - interval '1 hour' + $4::text::interval FROM generate_series(1, $3) n",
            *(owner_id, name, count, expires_in),
        )
    answers = await asyncio.gather(*(call(auth, "POST", path, admin, KEY) for _ in range(5)))

    assert sorted(answer.status_code for answer in answers) == [201, 201, 409, 409, 409]
    refused = next(answer for answer in answers if answer.status_code == 409)
    assert_problem(refused, 409, "api_keys_full")
    made = next(answer for answer in answers if answer.status_code == 201)
    assert (await logged(auth)).count("api_key.created") == 2
    one = f"{path}/{made.json()['id']}"
    assert (await call(auth, "DELETE", one, admin)).status_code == 204
    assert (await call(auth, "POST", path, admin, KEY)).status_code == 201


async def test_a_disabled_program_is_out_at_once(
    auth: AuthService, admin: dict[str, Any], importer: str
) -> None:
    key = await make_key(auth, admin, importer)
    for _ in range(2):
        answer = await call(auth, "POST", f"{importer}/disable", admin)
        assert answer.json()["disabled_at"] is not None
    assert await auth.revoked() == {key["id"]}
    assert await auth.event_types() == ["session.revoked"]
    assert_problem(await exchange(auth, key), 401, "api_key_invalid")
    for _ in range(2):
        answer = await call(auth, "POST", f"{importer}/enable", admin)
        assert answer.json()["disabled_at"] is None
    assert (await exchange(auth, key)).status_code == 200
    assert (await logged(auth))[2:] == ["service_account.disabled", "service_account.enabled"]


async def test_a_deleted_program_is_gone_and_the_others_hear_of_it(
    auth: AuthService, admin: dict[str, Any], importer: str
) -> None:
    key = await make_key(auth, admin, importer)
    account_id = importer.rpartition("/")[2]

    assert (await call(auth, "DELETE", importer, admin)).status_code == 204

    assert await auth.revoked() == {key["id"]}
    events = await auth.events()
    assert [event["type"] for event in events] == ["session.revoked", "user.deleted"]
    assert events[1]["data"] == {"user_id": account_id}
    assert_problem(await exchange(auth, key), 401, "api_key_invalid")
    again = await call(auth, "DELETE", importer, admin)
    assert_problem(again, 404, "service_account_not_found")
    [deletion] = (await call(auth, "GET", "/v1/auth/deletions", admin)).json()["items"]
    assert deletion["user_id"] == account_id
    assert deletion["confirmations"] == {"files": None, "jobs": None, "realtime": None}
    traces = await auth.internal("GET", f"/internal/deletions/{account_id}", source="mail")
    assert traces.status_code == 404, "there is no address to look for"


async def test_a_key_made_while_its_account_goes_does_not_stay(
    auth: AuthService, admin: dict[str, Any]
) -> None:
    for turn in range(5):
        made = await call(auth, "POST", ALL, admin, {"name": f"program {turn}"})
        path = f"{ALL}/{made.json()['id']}"
        key, deleted = await asyncio.gather(
            call(auth, "POST", f"{path}/api-keys", admin, KEY), call(auth, "DELETE", path, admin)
        )
        assert deleted.status_code == 204
        assert key.status_code in {201, 404}
        assert await auth.database.fetchval("SELECT count(*) FROM api_keys") == 0


@pytest.mark.parametrize(
    ("path", "code"),
    [
        (f"{ALL}/x", "service_account_not_found"),
        (f"{ALL}/{NOBODY}", "service_account_not_found"),
        (f"{ALL}/{NOBODY}/api-keys", "service_account_not_found"),
    ],
)
async def test_what_does_not_exist_is_not_found(
    auth: AuthService, admin: dict[str, Any], path: str, code: str
) -> None:
    assert_problem(await call(auth, "GET", path, admin), 404, code)


async def test_a_key_belongs_to_one_owner(
    auth: AuthService, admin: dict[str, Any], ada: dict[str, Any], importer: str
) -> None:
    of_program = await make_key(auth, admin, importer)
    made = await call(auth, "POST", ALL, admin, {"name": "other"})
    other = f"{ALL}/{made.json()['id']}"
    hers = await call(
        auth, "POST", "/v1/auth/api-keys", ada, {"name": "hers", "scopes": ["files:read"]}
    )
    for path, caller in (
        (f"/v1/auth/api-keys/{of_program['id']}", ada),
        (f"/v1/auth/api-keys/{hers.json()['id']}", admin),
        (f"{other}/api-keys/{of_program['id']}", admin),
        (f"{importer}/api-keys/{hers.json()['id']}", admin),
        (f"{importer}/api-keys/x", admin),
    ):
        renamed = await call(auth, "PATCH", path, caller, {"name": "mine"})
        assert_problem(renamed, 404, "api_key_not_found")
        assert_problem(await call(auth, "DELETE", path, caller), 404, "api_key_not_found")
    assert (await exchange(auth, of_program)).status_code == 200


async def test_a_key_is_renamed_and_nothing_else(auth: AuthService, ada: dict[str, Any]) -> None:
    key = (
        await call(auth, "POST", "/v1/auth/api-keys", ada, {"name": "a", "scopes": ["files:read"]})
    ).json()
    await auth.forget_events()
    path = f"/v1/auth/api-keys/{key['id']}"
    for body in ({}, {"name": ""}, {"name": "a\nb"}, {"name": "b", "scopes": ["files:write"]}):
        assert_problem(await call(auth, "PATCH", path, ada, body), 422, "validation_failed")

    renamed = await call(auth, "PATCH", path, ada, {"name": "b"})

    secret = key.pop("key")
    assert renamed.json() == {**key, "name": "b"}
    assert (await exchange(auth, {"key": secret})).status_code == 200
    assert await auth.events() == []
    assert await logged(auth) == ["api_key.created", "api_key.renamed"]
    assert (await call(auth, "DELETE", path, ada)).status_code == 204
    assert (await logged(auth))[-1] == "api_key.deleted"
    strings = await auth.database.fetchval("SELECT string_agg(details::text, '') FROM audit_log")
    assert secret not in strings


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("unix:", None),
        ("", None),
    ],
)
async def test_a_key_tells_where_it_was_used_last(
    auth: AuthService, ada: dict[str, Any], address: str, shown: str | None
) -> None:
    key = await call(
        auth, "POST", "/v1/auth/api-keys", ada, {"name": "a", "scopes": ["files:read"]}
    )
    assert (await exchange(auth, key.json(), address=address)).status_code == 200
    listed = await auth.client.get("/v1/auth/api-keys", headers=bearer(ada))
    [item] = listed.json()["items"]
    assert item["last_used_address"] == shown
    assert item["last_used_at"] is not None


async def test_uses_within_a_minute_are_written_once(
    auth: AuthService, ada: dict[str, Any]
) -> None:
    key = await call(
        auth, "POST", "/v1/auth/api-keys", ada, {"name": "a", "scopes": ["files:read"]}
    )
    version = "SELECT xmin::text, last_used_address::text FROM api_keys"
    await exchange(auth, key.json(), address="203.0.113.7")
    first = await auth.database.fetchrow(version)
    await exchange(auth, key.json(), address="203.0.113.8")
    assert await auth.database.fetchrow(version) == first
    await auth.database.execute("UPDATE api_keys SET last_used_at = now() - interval '61 seconds'")
    await exchange(auth, key.json(), address="203.0.113.8")
    last = await auth.database.fetchrow(version)
    assert last["last_used_address"] == "203.0.113.8/32"
