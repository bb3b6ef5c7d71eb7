"""Who reaches what: guest, user, another user, administrator, API key, and forged tokens."""

import base64
import time
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm

from services.auth.master_key import MasterKey
from services.auth.signing_keys import Algorithm, KeyRing, SigningKey
from tests.service.auth.auth_service import PUBLIC_URL, AuthService, assert_problem, bearer, claims

EMAIL = "ada@example.com"
KEY = {"name": "deploy", "scopes": ["files:read", "realtime"]}
SESSION_ONLY = [
    ("POST", "/v1/auth/logout"),
    ("PATCH", "/v1/auth/me"),
    ("GET", "/v1/auth/sessions"),
    ("DELETE", "/v1/auth/sessions"),
    ("DELETE", "/v1/auth/sessions/01890a5d-ac96-774b-bcce-b302099a8057"),
    ("POST", "/v1/auth/api-keys"),
    ("GET", "/v1/auth/api-keys"),
    ("DELETE", "/v1/auth/api-keys/01890a5d-ac96-774b-bcce-b302099a8057"),
]
BODIES: dict[str, dict[str, Any]] = {
    "/v1/auth/me": {"name": "Changed"},
    "/v1/auth/api-keys": KEY,
}


async def _exchange(auth: AuthService, key: str) -> Any:
    return await auth.internal(
        "POST", "/internal/api-keys/exchange", source="gateway", body={"key": key}
    )


async def _api_key(auth: AuthService, session: dict[str, Any], **changes: Any) -> dict[str, Any]:
    answer = await auth.post("/v1/auth/api-keys", {**KEY, **changes}, **bearer(session))
    assert answer.status_code == 201, answer.text
    created: dict[str, Any] = answer.json()
    return created


@pytest.mark.parametrize(("method", "path"), [*SESSION_ONLY, ("GET", "/v1/auth/me")])
async def test_guests_are_sent_away(auth: AuthService, method: str, path: str) -> None:
    answer = await auth.client.request(method, path, json={})

    assert_problem(answer, 401, "authentication_required")
    assert answer.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize(("method", "path"), SESSION_ONLY)
async def test_an_api_key_cannot_act_as_a_session(
    auth: AuthService, method: str, path: str
) -> None:
    session = await auth.register(EMAIL)
    key = await _api_key(auth, session)
    minted = (await _exchange(auth, key["key"])).json()
    await auth.forget_events()
    before = await auth.counts()

    answer = await auth.client.request(
        method, path, json=BODIES.get(path, {}), headers=bearer(minted)
    )

    assert_problem(answer, 403, "forbidden")
    assert await auth.counts() == before
    assert await auth.events() == []


async def test_a_profile_is_changed_by_its_fields(auth: AuthService) -> None:
    session = await auth.register(EMAIL)
    await auth.forget_events()
    for body, expected in (
        ({"name": " Ada "}, "Ada"),
        ({}, "Ada"),
        ({"name": None}, None),
    ):
        answer = await auth.client.patch("/v1/auth/me", json=body, headers=bearer(session))
        assert answer.status_code == 200
        assert answer.json() == {**session["user"], "name": expected}
    forbidden = await auth.client.patch(
        "/v1/auth/me", json={"roles": ["administrator"]}, headers=bearer(session)
    )
    assert_problem(forbidden, 422, "validation_failed")
    assert await auth.events() == []


async def test_a_key_is_shown_once_and_stored_hashed(auth: AuthService) -> None:
    session = await auth.register(EMAIL)
    await auth.forget_events()

    created = await _api_key(auth, session, scopes=["realtime", "files:read", "realtime"])

    assert created["key"].startswith("fh_")
    assert created["scopes"] == ["files:read", "realtime"]
    assert created["last_used_at"] is None
    listed = (await auth.client.get("/v1/auth/api-keys", headers=bearer(session))).json()
    del created["key"], created["last_used_at"]
    [item] = listed["items"]
    assert item == {**created, "last_used_at": None}
    rows = await auth.database.fetch("SELECT to_jsonb(k)::text FROM api_keys k")
    assert item["id"] in str(rows)
    assert "fh_" not in str(rows)
    assert await auth.events() == []


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "a\nb"}, "name"),
        ({"scopes": []}, "scopes"),
        ({"scopes": ["NOT A SCOPE"]}, "scopes.0"),
        ({"expires_at": "2020-01-01T00:00:00Z"}, "expires_at"),
        ({"expires_at": "2099-01-01T00:00:00"}, "expires_at"),
        ({"expires_at": "9999-12-31T23:59:59-12:00"}, "expires_at"),
        ({"roles": ["administrator"]}, "roles"),
    ],
)
async def test_a_senseless_key_is_not_made(
    auth: AuthService, change: dict[str, Any], field: str
) -> None:
    session = await auth.register(EMAIL)

    answer = await auth.post("/v1/auth/api-keys", {**KEY, **change}, **bearer(session))

    assert_problem(answer, 422, "validation_failed")
    assert [error["field"] for error in answer.json()["errors"]] == [field]
    assert await auth.counts() == {"users": 1, "sessions": 1}


async def test_a_key_is_exchanged_for_a_short_token_without_roles(auth: AuthService) -> None:
    session = await auth.register(EMAIL)
    await auth.database.execute("UPDATE users SET roles = '{administrator}'")
    key = await _api_key(auth, session)

    exchanged = (await _exchange(auth, key["key"])).json()

    said = claims(exchanged)
    assert 0 < exchanged["expires_in"] <= 60
    assert said["exp"] - said["iat"] == exchanged["expires_in"]
    assert said["sid"] == key["id"]
    assert said["sub"] == session["user"]["id"]
    assert said["scope"] == "files:read realtime"
    assert said["roles"] == []
    me = await auth.client.get("/v1/auth/me", headers=bearer(exchanged))
    assert me.json()["id"] == session["user"]["id"]
    listed = (await auth.client.get("/v1/auth/api-keys", headers=bearer(session))).json()
    assert listed["items"][0]["last_used_at"] is not None


async def test_only_administrators_give_away_queues_and_events(auth: AuthService) -> None:
    session = await auth.register(EMAIL)
    for scope in ("jobs", "jobs:orders:work", "events", "events:order"):
        key = {**KEY, "scopes": ["files:read", scope]}
        refused = await auth.post("/v1/auth/api-keys", key, **bearer(session))
        assert_problem(refused, 403, "administrator_required")
    await auth.database.execute("UPDATE users SET roles = '{administrator}'")
    renewed = (await auth.refresh(session["refresh_token"])).json()
    key = await _api_key(auth, renewed, scopes=["files:read", "jobs:orders"])
    for roles, scope in (("{administrator}", "files:read jobs:orders"), ("{}", "files:read")):
        await auth.database.execute("UPDATE users SET roles = $1::text::text[]", roles)
        assert claims((await _exchange(auth, key["key"])).json())["scope"] == scope


@pytest.mark.parametrize("administers", [False, True])
@pytest.mark.parametrize(
    ("scope", "said"),
    [
        ("file:read", "there is no scope `file:read`; the nearest is `files:read`"),
        ("jobs:orders:wrok", "the nearest is `jobs:orders:work`"),
        ("event:order", "the nearest is `events:order`"),
        ("nonsense", "there is no scope `nonsense`; there are `files:read`, `files:write`,"),
        ("auth:admin", "there is no scope `auth:admin`; "),
    ],
)
async def test_a_scope_that_there_is_not_is_named_with_the_nearest(
    auth: AuthService, *, scope: str, said: str, administers: bool
) -> None:
    session = await auth.register(EMAIL)
    if administers:
        await auth.database.execute("UPDATE users SET roles = '{administrator}'")
        session = (await auth.refresh(session["refresh_token"])).json()
    before = await auth.counts()

    body = {**KEY, "scopes": ["files:read", scope]}
    refused = await auth.post("/v1/auth/api-keys", body, **bearer(session))

    assert_problem(refused, 422, "validation_failed")
    [error] = refused.json()["errors"]
    assert error["field"] == "scopes.1"
    assert said in error["message"]
    assert await auth.counts() == before


async def test_a_key_from_before_the_list_of_scopes_works_on(auth: AuthService) -> None:
    session = await auth.register(EMAIL)
    key = await _api_key(auth, session)
    await auth.database.execute("UPDATE api_keys SET scopes = '{files:read,nonsense}'")

    exchanged = (await _exchange(auth, key["key"])).json()
    renamed = await auth.client.patch(
        f"/v1/auth/api-keys/{key['id']}", json={"name": "old"}, headers=bearer(session)
    )

    assert claims(exchanged)["scope"] == "files:read nonsense"
    assert renamed.json()["scopes"] == ["files:read", "nonsense"]


@pytest.mark.parametrize("key", ["fh_unknown", "not a key", "ü"])
async def test_an_unknown_key_is_refused(auth: AuthService, key: str) -> None:
    assert_problem(await _exchange(auth, key), 401, "api_key_invalid")


async def test_an_expired_key_is_refused(auth: AuthService) -> None:
    session = await auth.register(EMAIL)
    key = await _api_key(auth, session, expires_at="2099-01-01T00:00:00Z")
    assert (await _exchange(auth, key["key"])).status_code == 200
    await auth.database.execute(
        "UPDATE api_keys SET created_at = now() - interval '1 hour',"
        " expires_at = now() + interval '30 seconds'"
    )
    assert (await _exchange(auth, key["key"])).json()["expires_in"] <= 30
    await auth.database.execute("UPDATE api_keys SET expires_at = now()")

    assert_problem(await _exchange(auth, key["key"]), 401, "api_key_invalid")


async def test_a_deleted_key_is_revoked_and_only_its_owner_deletes_it(auth: AuthService) -> None:
    session = await auth.register(EMAIL)
    stranger = await auth.register("eve@example.com")
    key = await _api_key(auth, session)
    await auth.forget_events()
    path = f"/v1/auth/api-keys/{key['id']}"

    refused = await auth.client.delete(path, headers=bearer(stranger))
    assert_problem(refused, 404, "api_key_not_found")
    assert await auth.events() == []

    assert (await auth.client.delete(path, headers=bearer(session))).status_code == 204
    assert_problem(await _exchange(auth, key["key"]), 401, "api_key_invalid")
    assert await auth.revoked() == {key["id"]}
    [event] = await auth.events()
    assert event["data"] == {"session_id": key["id"], "user_id": session["user"]["id"]}


def public_text(key: SigningKey) -> str:
    """Return a public key as bytes that a careless verifier would take for a shared secret."""
    return base64.b64encode(
        key.private_key.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
    ).decode()


async def test_forged_tokens_get_nobody_in(auth: AuthService) -> None:
    session = await auth.register(EMAIL)
    ring = KeyRing(auth.database, MasterKey(auth.settings.master_key))
    await ring.start()
    good = claims(session)
    header = jwt.get_unverified_header(session["access_token"])
    other_key = ec.generate_private_key(ec.SECP256R1())

    ours, rsa = ring.newest(Algorithm.ES256), ring.newest(Algorithm.RS256)
    rs256 = {"alg": "RS256", "kid": rsa.id}
    brought = ECAlgorithm.to_jwk(other_key.public_key(), as_dict=True)

    def forge(key: Any = ours.private_key, **changes: Any) -> str:
        headers = {**header, **changes.pop("headers", {})}
        said = {name: value for name, value in {**good, **changes}.items() if value is not None}
        return jwt.encode(said, key, headers["alg"], headers=headers)

    forged = {
        "another key": forge(other_key),
        "unknown kid": forge(headers={"kid": "x"}),
        "no expiry": forge(exp=None),
        "no session": forge(sid=None),
        "other issuer": forge(iss="https://evil.example"),
        "other audience": forge(aud="other"),
        "other type": forge(headers={"typ": "JWT"}),
        "no algorithm": jwt.encode(good, "", "none", headers={"typ": "at+jwt", "kid": "x"}),
        "s4 a key of ours that signs other tokens": forge(rsa.private_key, headers=rs256),
        "s4 the algorithm of another key": forge(
            rsa.private_key, headers={"alg": "RS256", "kid": ours.id}
        ),
        "s4 the public key as a secret": jwt.encode(
            good, public_text(ours), "HS256", headers={**header, "alg": "HS256"}
        ),
        "s4 a key that the token brings": forge(
            other_key,
            headers={"kid": "x", "jwk": brought},
        ),
        "s4 a key that the token points to": forge(
            other_key, headers={"jku": "https://evil.example"}
        ),
        "s5 an extension nobody knows": forge(headers={"crit": ["x"], "x": 1}),
        "nonsense": "a.b.c",
    }
    for what, token in forged.items():
        answer = await auth.client.get("/v1/auth/me", headers={"Authorization": f"Bearer {token}"})
        assert answer.status_code == 401, what
        assert_problem(answer, 401, "token_invalid")
    expired = forge(exp=int(time.time()) - 1)
    answer = await auth.client.get("/v1/auth/me", headers={"Authorization": f"Bearer {expired}"})
    assert_problem(answer, 401, "token_expired")
    assert good["iss"] == PUBLIC_URL
    assert (await auth.client.get("/v1/auth/me", headers=bearer(session))).status_code == 200
