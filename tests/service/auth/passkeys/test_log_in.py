"""Logging in with a passkey alone."""

import asyncio
import hashlib
from typing import Any
from uuid import uuid4

import httpx2
import pytest

from services.auth.passkeys.store import delete_expired
from shared.chassis.database import Database
from tests.service.auth.auth_service import (
    PASSWORD,
    AuthService,
    assert_problem,
    bearer,
    claims,
    running,
    settings,
)
from tests.service.auth.software_authenticator import (
    BELOW,
    BROWSER_LIES,
    EMAIL,
    PUBLIC_URL,
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


async def test_the_options_of_a_log_in_name_nobody(
    auth: AuthService, passkey: SoftwareAuthenticator
) -> None:
    del passkey
    one = await options(auth, "/v1/auth/passkeys/options")
    other = await options(auth, "/v1/auth/passkeys/options")

    assert one.pop("challenge") != other.pop("challenge")
    assert one == other
    assert one["rpId"] == "freehold.example"
    assert one["userVerification"] == "required"
    assert one["allowCredentials"] == []


@pytest.mark.parametrize("origin", [PUBLIC_URL, BELOW])
async def test_a_passkey_alone_opens_a_session(
    auth: AuthService, passkey: SoftwareAuthenticator, origin: str
) -> None:
    answer = await log_in_with(auth, passkey, Lies(origin=origin), origin=origin)

    assert answer.status_code == 200, answer.text
    assert answer.json()["user"]["email"] == EMAIL
    assert claims(answer.json())["amr"] == ["passkey"]
    assert await rows(auth, "passkey_challenges") == 0
    assert await auth.database.fetchval("SELECT sign_count FROM passkeys") == 2
    assert (await actions(auth))[-1] == "session.opened"
    assert await auth.events() == []


async def test_the_refresh_token_goes_into_the_cookie_unless_asked_for(
    auth: AuthService, passkey: SoftwareAuthenticator
) -> None:
    asked = await options(auth, "/v1/auth/passkeys/options")

    answer = await auth.post("/v1/auth/passkeys/session", {"credential": passkey.sign(asked)})

    assert "refresh_token" not in answer.json()
    assert answer.headers["set-cookie"].startswith("__Host-freehold_refresh=")


@pytest.mark.parametrize("has_to_follow", [False, True])
async def test_it_takes_the_place_of_the_session_that_the_browser_had(
    auth: AuthService,
    passkey: SoftwareAuthenticator,
    has_to_follow: bool,  # noqa: FBT001 - a parameter of the table
) -> None:
    async def enter(cookie: str) -> httpx2.Response:
        headers = {"cookie": cookie, "origin": auth.settings.public_url}
        path, begin, named = "/v1/auth/passkeys/session", "/v1/auth/passkeys/options", {}
        if has_to_follow:
            path, begin = "/v1/auth/mfa/passkey/verify", "/v1/auth/mfa/passkey/options"
            body = {"email": EMAIL, "password": PASSWORD}
            answer = await auth.post("/v1/auth/login", body, **headers)
            named = {"mfa_token": answer.json()["mfa_token"]}
        asked = await options(auth, begin, named)
        body = {"credential": passkey.sign(asked), **named}
        return await auth.post(path, body, **headers)

    first = await enter("")
    second = await enter(first.headers["set-cookie"].partition(";")[0])

    assert await auth.revoked() == {claims(first.json())["sid"]}
    assert claims(second.json())["sid"] != claims(first.json())["sid"]


@pytest.mark.parametrize(
    "lies",
    [
        *BROWSER_LIES,
        pytest.param(Lies(kind="webauthn.create"), id="a registration"),
        pytest.param(Lies(signature=b"nonsense"), id="wrong signature"),
        pytest.param(Lies(user_handle=uuid4().bytes), id="for another account"),
    ],
)
async def test_an_assertion_that_is_not_in_order_opens_nothing(
    auth: AuthService, passkey: SoftwareAuthenticator, lies: Lies
) -> None:
    before = await auth.counts()

    answer = await log_in_with(auth, passkey, lies)

    assert_problem(answer, 401, "passkey_invalid")
    assert "set-cookie" not in answer.headers
    assert await auth.counts() == before
    assert await auth.database.fetchval("SELECT sign_count FROM passkeys") == 1
    assert (await actions(auth))[-1] == "factor.failed"


async def test_s3_a_replayed_assertion_opens_nothing(
    auth: AuthService, passkey: SoftwareAuthenticator
) -> None:
    asked = await options(auth, "/v1/auth/passkeys/options")
    body = {"credential": passkey.sign(asked), "token_delivery": "body"}

    assert (await auth.post("/v1/auth/passkeys/session", body)).status_code == 200
    assert_problem(await auth.post("/v1/auth/passkeys/session", body), 401, "passkey_invalid")


@pytest.mark.parametrize("synced", [True, False])
async def test_ten_redemptions_of_one_assertion_give_one_session(
    auth: AuthService, session: dict[str, Any], *, synced: bool
) -> None:
    passkey = SoftwareAuthenticator.synced() if synced else SoftwareAuthenticator()
    await add_passkey(auth, session, passkey)
    asked = await options(auth, "/v1/auth/passkeys/options")
    body = {"credential": passkey.sign(asked), "token_delivery": "body"}

    answers = await asyncio.gather(
        *(auth.post("/v1/auth/passkeys/session", body) for _ in range(10))
    )

    assert sorted(answer.status_code for answer in answers) == [200] + [401] * 9


async def test_a_failed_attempt_spends_its_challenge(
    auth: AuthService, passkey: SoftwareAuthenticator
) -> None:
    asked = await options(auth, "/v1/auth/passkeys/options")
    wrong = {"credential": passkey.sign(asked, Lies(signature=b"nonsense"))}
    assert_problem(await auth.post("/v1/auth/passkeys/session", wrong), 401, "passkey_invalid")

    right = {"credential": passkey.sign(asked)}
    assert_problem(await auth.post("/v1/auth/passkeys/session", right), 401, "passkey_invalid")


async def test_a_challenge_that_is_over_opens_nothing(
    auth: AuthService, passkey: SoftwareAuthenticator
) -> None:
    asked = await options(auth, "/v1/auth/passkeys/options")
    await auth.database.execute("UPDATE passkey_challenges SET expires_at = now()")

    body = {"credential": passkey.sign(asked)}
    assert_problem(await auth.post("/v1/auth/passkeys/session", body), 401, "passkey_invalid")


@pytest.mark.usefixtures("passkey")
async def test_somebody_elses_credential_opens_neither_account(auth: AuthService) -> None:
    other = await add_passkey(auth, await auth.register("bob@example.com"))
    mine = await auth.database.fetchval(
        "SELECT credential_id FROM passkeys JOIN users ON users.id = user_id WHERE email = $1",
        EMAIL,
    )
    other.credential_id = mine

    assert_problem(await log_in_with(auth, other), 401, "passkey_invalid")
    assert_problem(await log_in_with(auth, SoftwareAuthenticator()), 401, "passkey_invalid")


async def test_a_counter_that_goes_backwards_is_a_copy(
    auth: AuthService, passkey: SoftwareAuthenticator
) -> None:
    thief = passkey.copy()
    await opened(auth, passkey)

    answer = await log_in_with(auth, thief)

    assert_problem(answer, 401, "passkey_invalid")
    entry = await auth.database.fetchrow("SELECT * FROM audit_log ORDER BY id DESC LIMIT 1")
    assert entry["action"] == "passkey.copied"
    assert entry["details"]["known_count"] == entry["details"]["given_count"] == 2
    assert await auth.database.fetchval("SELECT sign_count FROM passkeys") == 2
    await opened(auth, passkey)


async def test_a_forged_counter_is_no_copy(
    auth: AuthService, passkey: SoftwareAuthenticator
) -> None:
    await opened(auth, passkey)
    passkey.counter = 0

    await log_in_with(auth, passkey, Lies(signature=b"nonsense"))

    assert (await actions(auth))[-1] == "factor.failed"


async def test_synced_passkeys_have_no_counter(auth: AuthService, session: dict[str, Any]) -> None:
    passkey = await add_passkey(auth, session, SoftwareAuthenticator.synced())

    for _ in range(3):
        await opened(auth, passkey)


async def test_a_disabled_account_is_told_so_and_the_challenge_is_spent(
    auth: AuthService, passkey: SoftwareAuthenticator
) -> None:
    asked = await options(auth, "/v1/auth/passkeys/options")
    body = {"credential": passkey.sign(asked)}
    await auth.database.execute("UPDATE users SET disabled_at = now()")

    answer = await auth.post("/v1/auth/passkeys/session", body)

    assert_problem(answer, 403, "account_disabled")
    await auth.database.execute("UPDATE users SET disabled_at = NULL")
    assert_problem(await auth.post("/v1/auth/passkeys/session", body), 401, "passkey_invalid")


async def test_s12_strange_origins_and_forms_cannot_log_anybody_in(
    auth: AuthService, passkey: SoftwareAuthenticator
) -> None:
    asked = await options(auth, "/v1/auth/passkeys/options")
    body = {"credential": passkey.sign(asked)}

    for path in (
        *("/v1/auth/passkeys/options", "/v1/auth/passkeys/session"),
        *("/v1/auth/mfa/passkey/options", "/v1/auth/mfa/passkey/verify"),
        *("/v1/auth/step-up/passkey/options", "/v1/auth/step-up/passkey"),
    ):
        answer = await auth.post(path, body, origin="https://evil.example")
        assert_problem(answer, 403, "origin_not_allowed")
        form = await auth.client.post(path, data={"credential": "x"})
        assert_problem(form, 415, "unsupported_media_type")


async def test_an_installation_without_a_name_says_that_it_has_no_passkeys(
    database: Database, database_url: str
) -> None:
    async with running(database, settings(database_url)) as auth:
        session = await auth.register(EMAIL)
        answer = await auth.post("/v1/auth/passkeys/options", {})
        assert_problem(answer, 409, "passkeys_unavailable")
        answer = await auth.post(REGISTRATION, {}, **bearer(session))
        assert_problem(answer, 409, "passkeys_unavailable")


async def test_s36_neither_challenges_nor_signatures_are_kept(
    auth: AuthService, passkey: SoftwareAuthenticator
) -> None:
    asked = await options(auth, "/v1/auth/passkeys/options")
    await auth.post("/v1/auth/passkeys/session", {"credential": passkey.sign(asked)})
    pending = await options(auth, "/v1/auth/passkeys/options")

    for table in ("audit_log", "outbox", "passkey_challenges", "passkeys", "links"):
        for row in await auth.database.fetch(f"SELECT * FROM {table}"):
            for challenge in (asked["challenge"], pending["challenge"]):
                assert challenge not in str(dict(row))
                assert decoded(challenge) not in row.values()


@pytest.mark.parametrize("part", ["clientDataJSON", "authenticatorData", "signature"])
async def test_an_assertion_with_any_byte_changed_opens_nothing(
    auth: AuthService, passkey: SoftwareAuthenticator, part: str
) -> None:
    asked = await options(auth, "/v1/auth/passkeys/options")
    credential = passkey.sign(asked)
    right = decoded(credential["response"][part])

    for place in range(len(right)):
        wrong = right[:place] + bytes([right[place] ^ 1]) + right[place + 1 :]
        response = credential["response"] | {part: encoded(wrong)}
        body = {"credential": credential | {"response": response}}
        answer = await auth.post("/v1/auth/passkeys/session", body)
        assert_problem(answer, 401, "passkey_invalid")
        # Whatever was signed wrongly has spent the challenge; the next one is to get that far too.
        await auth.database.execute(
            "INSERT INTO passkey_challenges VALUES ($1, 'log_in', NULL, NULL, now() + '1 minute') "
            "ON CONFLICT DO NOTHING",
            hashlib.sha256(decoded(asked["challenge"])).digest(),
        )

    answer = await auth.post("/v1/auth/passkeys/session", {"credential": credential})
    assert answer.status_code == 200, answer.text


async def test_challenges_that_nobody_signed_are_cleaned_up(auth: AuthService) -> None:
    await options(auth, "/v1/auth/passkeys/options")
    live = await options(auth, "/v1/auth/passkeys/options")
    await auth.database.execute(
        "UPDATE passkey_challenges SET expires_at = now() WHERE challenge_hash <> $1",
        hashlib.sha256(decoded(live["challenge"])).digest(),
    )

    assert await delete_expired(auth.database, limit=10) == 1
    assert await rows(auth, "passkey_challenges") == 1
