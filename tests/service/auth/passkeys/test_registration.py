"""How passkeys are added, named and removed."""

import asyncio
from typing import Any
from uuid import UUID, uuid4

import cbor2
import httpx2
import pytest

from tests.service.auth.auth_service import (
    AuthService,
    assert_problem,
    bearer,
)
from tests.service.auth.authenticator import enrol, mfa_token
from tests.service.auth.software_authenticator import (
    BROWSER_LIES,
    EMAIL,
    PASSKEYS,
    REGISTRATION,
    Lies,
    SoftwareAuthenticator,
    actions,
    add_passkey,
    decoded,
    encoded,
    log_in_with,
    opened,
    options,
    rows,
)


async def _create(
    auth: AuthService, session: dict[str, Any], credential: object, name: str = "Laptop"
) -> httpx2.Response:
    body = {"name": name, "credential": credential}
    return await auth.post(PASSKEYS, body, **bearer(session))


# Adding


async def test_the_options_ask_for_a_passkey_that_needs_no_name_and_verifies_its_user(
    auth: AuthService, session: dict[str, Any]
) -> None:
    asked = await options(auth, REGISTRATION, **bearer(session))

    assert asked["rp"] == {"id": "freehold.example", "name": "freehold.example"}
    assert decoded(asked["user"]["id"]) == UUID(session["user"]["id"]).bytes
    assert asked["user"]["name"] == EMAIL
    assert len(decoded(asked["challenge"])) == 32
    assert asked["authenticatorSelection"]["residentKey"] == "required"
    assert asked["authenticatorSelection"]["userVerification"] == "required"
    assert asked["attestation"] == "none"
    assert asked["timeout"] == 300_000
    assert asked["excludeCredentials"] == []
    stored = await auth.database.fetchrow("SELECT * FROM passkey_challenges")
    assert decoded(asked["challenge"]) not in stored.values()


async def test_a_passkey_is_added_logged_and_told_to_its_owner(
    auth: AuthService, session: dict[str, Any]
) -> None:
    passkey = SoftwareAuthenticator()
    asked = await options(auth, REGISTRATION, **bearer(session))

    answer = await _create(auth, session, passkey.register(asked))

    body = answer.json()
    assert answer.status_code == 201, answer.text
    assert body["name"] == "Laptop"
    assert (body["synced"], body["last_used_at"]) == (False, None)
    assert len(body["recovery_codes"]) == 10
    stored = await auth.database.fetchrow("SELECT * FROM passkeys")
    assert stored["credential_id"] == passkey.credential_id
    assert (stored["sign_count"], stored["transports"]) == (1, ["internal"])
    assert await rows(auth, "passkey_challenges") == 0
    assert (await actions(auth))[-1] == "factor.added"
    [event] = await auth.events()
    mail = await auth.mail(UUID(event["data"]["link_id"]))
    assert (mail["to"], mail["template"]) == (EMAIL, "factor_changed")
    assert mail["variables"]["change"] == "A passkey was added."
    factors = (await auth.client.get("/v1/auth/mfa", headers=bearer(session))).json()
    assert factors["methods"] == ["passkey", "recovery_code"]


async def test_ten_registrations_of_one_challenge_give_one_passkey(
    auth: AuthService, session: dict[str, Any]
) -> None:
    asked = await options(auth, REGISTRATION, **bearer(session))
    made = [SoftwareAuthenticator().register(asked) for _ in range(10)]

    answers = await asyncio.gather(*(_create(auth, session, one) for one in made))

    # The others are refused: the session has no second proof, which the first one made necessary.
    assert sorted(answer.status_code for answer in answers) == [201] + [403] * 9
    assert await rows(auth, "passkeys") == 1


async def test_ten_registrations_of_one_challenge_by_a_strong_session_give_one_passkey(
    auth: AuthService, passkey: SoftwareAuthenticator
) -> None:
    strong = await opened(auth, passkey)
    asked = await options(auth, REGISTRATION, **bearer(strong))
    made = [SoftwareAuthenticator().register(asked) for _ in range(10)]

    answers = await asyncio.gather(*(_create(auth, strong, one) for one in made))

    assert sorted(answer.status_code for answer in answers) == [201] + [400] * 9
    assert [answer.json()["recovery_codes"] for answer in answers if answer.is_success] == [None]
    assert await rows(auth, "passkeys") == 2


@pytest.mark.parametrize("lies", [*BROWSER_LIES, Lies(credential_id=b"another")])
async def test_a_registration_that_is_not_in_order_adds_nothing(
    auth: AuthService, session: dict[str, Any], lies: Lies
) -> None:
    passkey = SoftwareAuthenticator()
    asked = await options(auth, REGISTRATION, **bearer(session))

    answer = await _create(auth, session, passkey.register(asked, lies))

    assert_problem(answer, 400, "passkey_not_added")
    assert await rows(auth, "passkeys") == 0
    assert await auth.events() == []
    assert (await actions(auth))[-1] == "session.opened"


@pytest.mark.parametrize(
    "attestation",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"\x81" * 40_000 + b"\x01", id="40,000 levels deep"),
        pytest.param(cbor2.dumps({"fmt": "tpm", "attStmt": {}, "authData": b""}), id="no data"),
        pytest.param(cbor2.dumps({"fmt": {}, "attStmt": 1, "authData": 1}), id="wrong types"),
        pytest.param(b"\x9b" + b"\xff" * 8, id="a list of 2^64 items"),
    ],
)
async def test_malformed_attestations_are_refused_and_break_nothing(
    auth: AuthService, session: dict[str, Any], attestation: bytes
) -> None:
    asked = await options(auth, REGISTRATION, **bearer(session))
    credential = SoftwareAuthenticator().register(asked)
    credential["response"]["attestationObject"] = encoded(attestation)

    assert_problem(await _create(auth, session, credential), 400, "passkey_not_added")


async def test_a_challenge_is_for_one_session_one_purpose_and_five_minutes(
    auth: AuthService, session: dict[str, Any]
) -> None:
    stranger = await auth.register("eve@example.com")
    asked = await options(auth, REGISTRATION, **bearer(session))
    passkey = SoftwareAuthenticator()

    of_another = await _create(auth, stranger, passkey.register(asked))
    assert_problem(of_another, 400, "passkey_not_added")
    public = await options(auth, "/v1/auth/passkeys/options")
    mixed = passkey.register({**asked, "challenge": public["challenge"]})
    assert_problem(await _create(auth, session, mixed), 400, "passkey_not_added")
    newer = await options(auth, REGISTRATION, **bearer(session))
    replaced = await _create(auth, session, passkey.register(asked))
    assert_problem(replaced, 400, "passkey_not_added")
    lifetime = await auth.database.fetchval(
        "SELECT max(extract(epoch FROM expires_at - now())) FROM passkey_challenges"
    )
    assert 200 < lifetime <= 300
    await auth.database.execute("UPDATE passkey_challenges SET expires_at = now()")
    late = await _create(auth, session, passkey.register(newer))
    assert_problem(late, 400, "passkey_not_added")
    assert await rows(auth, "passkeys") == 0


async def test_a_credential_is_registered_once_by_whomever(
    auth: AuthService, passkey: SoftwareAuthenticator
) -> None:
    thief = await auth.register("eve@example.com")
    asked = await options(auth, REGISTRATION, **bearer(thief))

    answer = await _create(auth, thief, passkey.copy().register(asked))

    assert_problem(answer, 400, "passkey_not_added")
    assert await rows(auth, "passkeys") == 1


async def test_s26_adding_takes_a_recent_proof_with_the_second_factor_if_there_is_one(
    auth: AuthService, session: dict[str, Any]
) -> None:
    weak = (await auth.log_in(EMAIL)).json()
    passkey = await add_passkey(auth, session)

    refused = await auth.post(REGISTRATION, {}, **bearer(weak))
    assert_problem(refused, 403, "reauthentication_required")
    strong = await opened(auth, passkey)
    asked = await options(auth, REGISTRATION, **bearer(strong))
    assert [one["id"] for one in asked["excludeCredentials"]] == [encoded(passkey.credential_id)]
    await auth.database.execute(
        "UPDATE sessions SET authenticated_at = now() - interval '11 minutes'"
    )
    old = (await auth.refresh(strong["refresh_token"])).json()
    refused = await auth.post(REGISTRATION, {}, **bearer(old))
    assert_problem(refused, 403, "reauthentication_required")
    refused = await _create(auth, old, SoftwareAuthenticator().register(asked))
    assert_problem(refused, 403, "reauthentication_required")


async def test_api_keys_touch_no_passkeys(auth: AuthService, session: dict[str, Any]) -> None:
    key = await auth.post(
        "/v1/auth/api-keys", {"name": "k", "scopes": ["files:read"]}, **bearer(session)
    )
    exchanged = await auth.internal(
        "POST", "/internal/api-keys/exchange", source="gateway", body={"key": key.json()["key"]}
    )
    token = {"Authorization": f"Bearer {exchanged.json()['access_token']}"}

    for method, path in [
        ("GET", PASSKEYS),
        ("POST", REGISTRATION),
        ("DELETE", f"{PASSKEYS}/{uuid4()}"),
        ("POST", "/v1/auth/step-up/passkey/options"),
    ]:
        body = {} if method == "POST" else None
        answer = await auth.client.request(method, path, json=body, headers=token)
        assert_problem(answer, 403, "forbidden")


async def test_an_account_has_twenty_passkeys_at_most(
    auth: AuthService, passkey: SoftwareAuthenticator
) -> None:
    strong = await opened(auth, passkey)
    asked = await options(auth, REGISTRATION, **bearer(strong))
    await auth.database.execute(
        "INSERT INTO passkeys SELECT gen_random_uuid(), user_id, gen_random_uuid()::text::bytea, "
        "public_key, 0, '{}', false, 'x' FROM passkeys, generate_series(1, 19)"
    )

    full = await _create(auth, strong, SoftwareAuthenticator().register(asked))
    assert_problem(full, 409, "passkeys_full")
    assert_problem(await auth.post(REGISTRATION, {}, **bearer(strong)), 409, "passkeys_full")
    assert await rows(auth, "passkeys") == 20


@pytest.mark.parametrize("name", ["", "x" * 101, " ", "a\nb", "a\0b"])
async def test_names_can_be_shown(auth: AuthService, session: dict[str, Any], name: str) -> None:
    asked = await options(auth, REGISTRATION, **bearer(session))
    credential = SoftwareAuthenticator().register(asked)

    assert_problem(await _create(auth, session, credential, name), 422, "validation_failed")


# Listing, naming, removing


async def test_owners_list_and_rename_their_passkeys(
    auth: AuthService, passkey: SoftwareAuthenticator
) -> None:
    strong = await opened(auth, passkey)
    await add_passkey(auth, strong, SoftwareAuthenticator.synced())
    await auth.forget_events()

    first = (await auth.client.get(f"{PASSKEYS}?limit=1", headers=bearer(strong))).json()
    second = (
        await auth.client.get(
            PASSKEYS, params={"limit": 1, "cursor": first["next"]}, headers=bearer(strong)
        )
    ).json()
    assert [one["synced"] for one in first["items"] + second["items"]] == [True, False]
    assert second["next"] is None
    assert second["items"][0]["last_used_at"] is not None
    assert second["items"][0].keys() == {"id", "name", "created_at", "last_used_at", "synced"}

    path = f"{PASSKEYS}/{second['items'][0]['id']}"
    renamed = await auth.client.patch(path, json={"name": "Old key"}, headers=bearer(strong))
    assert (renamed.status_code, renamed.json()["name"]) == (200, "Old key")
    assert (await actions(auth))[-1] == "passkey.renamed"
    assert await auth.events() == []


async def test_others_passkeys_cannot_be_seen_named_or_removed(
    auth: AuthService, passkey: SoftwareAuthenticator
) -> None:
    del passkey
    stranger = await auth.register("eve@example.com")
    theirs = await auth.database.fetchval("SELECT id FROM passkeys")

    listed = await auth.client.get(PASSKEYS, headers=bearer(stranger))
    assert listed.json() == {"items": [], "next": None}
    for path in (f"{PASSKEYS}/{theirs}", f"{PASSKEYS}/{uuid4()}", f"{PASSKEYS}/none"):
        renamed = await auth.client.patch(path, json={"name": "x"}, headers=bearer(stranger))
        assert_problem(renamed, 404, "passkey_not_found")
        removed = await auth.client.delete(path, headers=bearer(stranger))
        assert_problem(removed, 404, "passkey_not_found")
    assert await rows(auth, "passkeys") == 1


async def test_s26_removing_takes_the_second_factor_and_ends_with_the_recovery_codes(
    auth: AuthService, session: dict[str, Any], passkey: SoftwareAuthenticator
) -> None:
    path = f"{PASSKEYS}/{await auth.database.fetchval('SELECT id FROM passkeys')}"
    weak = await auth.client.delete(path, headers=bearer(session))
    assert_problem(weak, 403, "reauthentication_required")
    strong = await opened(auth, passkey)
    await auth.forget_events()

    answer = await auth.client.delete(path, headers=bearer(strong))

    assert answer.status_code == 204
    assert await rows(auth, "passkeys") == 0
    assert await rows(auth, "recovery_codes") == 0
    assert (await actions(auth))[-1] == "factor.removed"
    [event] = await auth.events()
    mail = await auth.mail(UUID(event["data"]["link_id"]))
    assert mail["variables"]["change"] == "A passkey was removed."
    assert_problem(await log_in_with(auth, passkey), 401, "passkey_invalid")
    assert (await auth.log_in(EMAIL)).json()["access_token"]


async def test_the_app_keeps_its_recovery_codes_when_a_passkey_goes(auth: AuthService) -> None:
    session = await auth.register(EMAIL)
    app = await enrol(auth, session)
    token = await mfa_token(auth, EMAIL)
    body = {"mfa_token": token, "code": app.code()}
    strong = (await auth.post("/v1/auth/mfa/totp/verify", body)).json()
    await add_passkey(auth, strong)
    path = f"{PASSKEYS}/{await auth.database.fetchval('SELECT id FROM passkeys')}"

    assert (await auth.client.delete(path, headers=bearer(strong))).status_code == 204
    assert await rows(auth, "recovery_codes") == 10


async def test_the_last_way_in_stays(auth: AuthService, passkey: SoftwareAuthenticator) -> None:
    await auth.database.execute("UPDATE users SET password_hash = NULL")
    path = f"{PASSKEYS}/{await auth.database.fetchval('SELECT id FROM passkeys')}"
    answer = await auth.client.delete(path, headers=bearer(await opened(auth, passkey)))
    assert_problem(answer, 409, "last_way_in")
    assert await rows(auth, "passkeys") == 1
    assert await rows(auth, "recovery_codes") == 10


async def test_an_export_names_passkeys_and_no_key_of_them(
    auth: AuthService, passkey: SoftwareAuthenticator
) -> None:
    strong = await opened(auth, passkey)
    listed = (await auth.client.get(PASSKEYS, headers=bearer(strong))).json()["items"]
    answer = await auth.client.get("/v1/auth/me/export", headers=bearer(strong))
    assert answer.json()["passkeys"] == listed
    assert answer.json()["totp"] is None
