"""Logging in with a provider that is scripted to lie: what must be refused, and what is let in."""

import asyncio
import base64
import hashlib
import time
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from joserfc.jwk import ECKey, OctKey, RSAKey

from shared.chassis.database import Database
from tests.service.auth.auth_service import (
    ALLOWED_ORIGIN,
    PUBLIC_URL,
    AuthService,
    assert_problem,
    claims,
    make_administrator,
    running,
    settings,
)
from tests.service.auth.authenticator import enrol
from tests.service.auth.federation.browser import (
    RETURN_TO,
    Browser,
    connect,
    fragment,
)
from tests.service.auth.federation.scripted_provider import (
    CLIENT_ID,
    ScriptedProvider,
)

EMAIL = "ada@example.com"


async def accounts(auth: AuthService) -> list[str]:
    rows = await auth.database.fetch("SELECT email FROM users ORDER BY email")
    return [row["email"] for row in rows]


async def identities(auth: AuthService) -> list[tuple[str, str]]:
    rows = await auth.database.fetch(
        "SELECT issuer, subject FROM identities ORDER BY issuer, subject"
    )
    return [(row["issuer"], row["subject"]) for row in rows]


async def actions(auth: AuthService) -> list[str]:
    rows = await auth.database.fetch("SELECT action FROM audit_log ORDER BY id")
    return [row["action"] for row in rows]


# The way there


async def test_what_the_browser_is_sent_with(browser: Browser, provider: ScriptedProvider) -> None:
    answer = await browser.get(f"{browser.base}/start")
    assert answer.status_code == 303
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["referrer-policy"] == "no-referrer"
    [cookie] = answer.headers.get_list("set-cookie")
    assert cookie.startswith("freehold_sign_in=")
    assert all(part in cookie for part in ("HttpOnly", "Max-Age=600", "Path=/", "SameSite=Lax"))
    location = answer.headers["location"]
    assert location.startswith(f"{provider.issuer}/authorize?")
    asked = dict(parse_qsl(urlsplit(location).query))
    assert asked.keys() == {
        *("response_type", "client_id", "redirect_uri", "scope", "state", "nonce"),
        *("code_challenge", "code_challenge_method"),
    }
    assert asked["redirect_uri"] == f"{PUBLIC_URL}/v1/auth/oidc/other/callback"
    assert (asked["response_type"], asked["scope"]) == ("code", "openid email profile")
    row = await browser.auth.database.fetchrow("SELECT * FROM federated_attempts")
    assert row is not None
    assert row["state_hash"] == hashlib.sha256(asked["state"].encode()).digest()
    assert not any(str(value) in str(dict(row)) for value in (asked["state"], asked["nonce"]))


async def test_over_https_the_cookie_is_bound_to_the_host(
    database: Database, database_url: str, provider: ScriptedProvider
) -> None:
    chosen = settings(database_url, public_url="https://house.example.com")
    async with running(database, chosen) as auth:
        await connect(auth, await make_administrator(auth), issuer=provider.issuer)
        answer = await auth.client.get("/v1/auth/oidc/other/start")
        cookie = answer.headers["set-cookie"]
        assert cookie.startswith("__Host-freehold_sign_in=")
        assert "Secure" in cookie
        assert "Domain" not in cookie


@pytest.mark.parametrize(
    ("return_to", "arrives"),
    [
        ("/", f"{PUBLIC_URL}/"),
        ("/deep/er?a=b%20c", f"{PUBLIC_URL}/deep/er?a=b%20c"),
        ("//evil.example/", f"{PUBLIC_URL}//evil.example/"),
        (f"{PUBLIC_URL}/x", f"{PUBLIC_URL}/x"),
        (f"{ALLOWED_ORIGIN}/x", f"{ALLOWED_ORIGIN}/x"),
        ("https://evil.example/", None),
        (f"{ALLOWED_ORIGIN}.evil.example/", None),
        (f"{ALLOWED_ORIGIN}@evil.example/", None),
        (f"{ALLOWED_ORIGIN}:8443/", None),
        ("http://app.example.com/", None),
        ("/\\evil.example", None),
        ("/\t/evil.example", None),
        ("javascript:alert(1)", None),
        ("data:text/html,x", None),
        ("evil.example", None),
        ("https:evil.example", None),
        ("/x#mfa_token=planted", None),
        ("/" + "x" * 4096, None),
    ],
)
async def test_s13_nobody_is_sent_to_a_foreign_page(
    browser: Browser, provider: ScriptedProvider, return_to: str, arrives: str | None
) -> None:
    if arrives is None:
        answer = await browser.get(f"{browser.base}/start", params={"return_to": return_to})
        assert_problem(answer, 422, "validation_failed")
        assert await browser.auth.database.fetchval("SELECT count(*) FROM federated_attempts") == 0
        return
    answer = await browser.come_back(provider.log_in(await browser.start(return_to)))
    assert (answer.status_code, answer.headers["location"]) == (303, arrives)


# Who is let in


async def test_a_stranger_gets_an_account(browser: Browser, provider: ScriptedProvider) -> None:
    auth = browser.auth
    answer = await browser.log_in(provider)
    assert (answer.status_code, answer.headers["location"]) == (303, f"{PUBLIC_URL}{RETURN_TO}")
    assert "HttpOnly" in answer.headers["set-cookie"]
    session = await browser.session()
    assert (session["user"]["email"], session["user"]["name"]) == (EMAIL, "Ada Lovelace")
    assert claims(session)["amr"] == ["federated"]
    assert await identities(auth) == [(provider.issuer, "248289761001")]
    assert await auth.event_types() == ["user.registered"]
    assert (await actions(auth))[-3:] == ["account.created", "identity.linked", "session.opened"]
    assert await auth.database.fetchval(
        "SELECT password_hash IS NULL FROM users WHERE email = $1", EMAIL
    )
    [asked] = provider.asked
    pair = base64.b64decode(asked.headers["authorization"].removeprefix("Basic ")).decode()
    assert pair == f"{CLIENT_ID}:secret+of+the+client%3A+a%2Bb%26c"
    assert asked.form.keys() == {"grant_type", "code", "redirect_uri", "code_verifier"}


async def test_s20_the_same_subject_is_the_same_person_whatever_its_address(
    browser: Browser, provider: ScriptedProvider
) -> None:
    await browser.log_in(provider)
    first = await browser.session()
    provider.person |= {"email": "new@example.com", "email_verified": False}
    await browser.auth.register("new@example.com")
    answer = await browser.log_in(provider)
    assert answer.status_code == 303
    again = await browser.session()
    assert again["user"]["id"] == first["user"]["id"]
    assert again["user"]["email"] == EMAIL


async def test_s20_another_subject_with_a_verified_address_is_the_addresss_owner(
    browser: Browser, provider: ScriptedProvider
) -> None:
    auth = browser.auth
    ada = await auth.register(EMAIL)
    await auth.forget_events()
    assert (await browser.log_in(provider)).status_code == 303
    assert (await browser.session())["user"]["id"] == ada["user"]["id"]
    assert (await auth.log_in(EMAIL)).status_code == 200, "the password stays"
    notices = [event for event in await auth.events() if event["type"] == "notice.requested"]
    mails = [await auth.mail(event["data"]["link_id"]) for event in notices]
    assert [(mail["to"], mail["template"]) for mail in mails] == [
        (EMAIL, "identity_changed"),
        (EMAIL, "new_device"),
    ]
    mail = mails[0]
    assert "Other House" in mail["variables"]["change"]


async def test_it_takes_the_place_of_the_session_that_the_browser_had(
    browser: Browser, provider: ScriptedProvider
) -> None:
    await browser.log_in(provider)
    first = await browser.session()
    await browser.log_in(provider)
    second = await browser.session()
    assert await browser.auth.revoked() == {claims(first)["sid"]}

    # A form of another site comes without the Lax cookie: there is nothing to replace then.
    brought = provider.log_in(await browser.start())
    held = browser.cookies.pop("freehold_refresh")
    assert (await browser.come_back(brought)).status_code == 303
    assert browser.cookies["freehold_refresh"] != held
    assert await browser.auth.revoked() == {claims(first)["sid"]}
    rows = await browser.auth.database.fetch("SELECT id::text FROM sessions")
    assert claims(second)["sid"] in {row["id"] for row in rows}


@pytest.mark.parametrize(
    "changes",
    [
        {"email_verified": False},
        {"email_verified": None},
        {"email_verified": "false"},
        {"email_verified": 0},
        {"email": None},
        {"email": "no address"},
        {"email": ["ada@example.com"]},
    ],
)
@pytest.mark.parametrize("is_known", [True, False])
async def test_s21_an_address_that_nobody_vouches_for_opens_nothing(
    browser: Browser,
    provider: ScriptedProvider,
    changes: dict[str, Any],
    is_known: bool,  # noqa: FBT001 - a parameter of the table
) -> None:
    if is_known:
        await browser.auth.register(EMAIL)
    provider.claims = changes
    before = await accounts(browser.auth)
    answer = await browser.log_in(provider)
    assert_problem(answer, 403, "email_not_verified")
    assert "Other House" in answer.json()["detail"]
    assert await identities(browser.auth) == []
    assert await accounts(browser.auth) == before
    assert "set-cookie" not in answer.headers


async def test_s21_a_pending_sign_up_of_a_stranger_dies(
    browser: Browser, provider: ScriptedProvider
) -> None:
    auth = browser.auth
    planted = await auth.mailed_token(await auth.sign_up(EMAIL, "a password of the stranger's"))
    await browser.log_in(provider)
    assert_problem(await auth.post("/v1/auth/verify", {"token": planted}), 400, "link_invalid")
    assert "signups" not in await auth.counts()
    assert (await auth.log_in(EMAIL, "a password of the stranger's")).status_code == 401


async def test_the_message_is_a_page_for_people(
    browser: Browser, provider: ScriptedProvider
) -> None:
    provider.claims = {"email_verified": False}
    brought = provider.log_in(await browser.start())
    answer = await browser.come_back(brought, Accept="text/html,*/*")
    assert answer.status_code == 403
    assert answer.headers["content-type"].startswith("text/html")
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
    assert "Verify it there and try again" in answer.text
    assert f'href="{PUBLIC_URL}{RETURN_TO}"' in answer.text


@pytest.mark.parametrize("is_known", [True, False])
async def test_ten_first_log_ins_at_once_make_one_identity(
    browser: Browser,
    provider: ScriptedProvider,
    is_known: bool,  # noqa: FBT001 - a parameter of the table
) -> None:
    if is_known:
        await browser.auth.register(EMAIL)
    browsers = [Browser(browser.auth) for _ in range(10)]
    brought = [provider.log_in(await one.start()) for one in browsers]
    answers = await asyncio.gather(
        *(one.come_back(back) for one, back in zip(browsers, brought, strict=True))
    )
    assert {answer.status_code for answer in answers} == {303}
    assert await identities(browser.auth) == [(provider.issuer, "248289761001")]
    assert (await browser.auth.event_types()).count("user.registered") == 1
    assert (await actions(browser.auth)).count("identity.linked") == 1


@pytest.mark.parametrize("has_app", [True, False])
async def test_a_disabled_account_stays_shut_and_gets_no_identity(
    browser: Browser,
    provider: ScriptedProvider,
    has_app: bool,  # noqa: FBT001 - a parameter of the table
) -> None:
    session = await browser.auth.register(EMAIL)
    if has_app:
        await enrol(browser.auth, session)
    await browser.auth.database.execute("UPDATE users SET disabled_at = now()")
    assert_problem(await browser.log_in(provider), 403, "account_disabled")
    assert await identities(browser.auth) == []


# What is no proof


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": "https://accounts.example.com"},
        {"iss": None},
        {"aud": "another-client"},
        {"aud": None},
        {"aud": [CLIENT_ID, "another-client"]},
        {"azp": "another-client"},
        {"nonce": "another nonce"},
        {"nonce": None},
        {"nonce": "ä"},
        {"exp": int(time.time()) - 3600},
        {"exp": None},
        {"exp": "tomorrow"},
        {"iat": None},
        {"iat": int(time.time()) + 3600},
        {"nbf": int(time.time()) + 3600},
        {"sub": None},
        {"sub": ""},
        {"sub": 7},
        {"sub": "x" * 256},
        {"sub": "a\0b"},
    ],
)
async def test_an_id_token_must_be_for_this_very_log_in(
    browser: Browser, provider: ScriptedProvider, changes: dict[str, Any]
) -> None:
    provider.claims = changes
    assert_problem(await browser.log_in(provider), 400, "sign_in_invalid")
    assert await identities(browser.auth) == []


@pytest.mark.parametrize(
    "how", ["none", "HS256 with the public key", "foreign key", "other kind", "other algorithm"]
)
async def test_an_id_token_must_be_signed_by_the_providers_key(
    browser: Browser, provider: ScriptedProvider, how: str
) -> None:
    if how == "none":
        provider.algorithm = "none"
    elif how == "HS256 with the public key":
        provider.algorithm = "HS256"
        provider.sign_with = OctKey.import_key(base64.b64encode(provider.public_pem).decode())
    elif how == "foreign key":
        provider.sign_with = RSAKey.generate_key(2048)
    elif how == "other kind":
        provider.header = {"typ": "at+jwt"}
    else:
        provider.algorithm, provider.sign_with = "ES256", ECKey.generate_key("P-256")
    assert_problem(await browser.log_in(provider), 400, "sign_in_invalid")


async def test_a_token_that_is_none(browser: Browser, provider: ScriptedProvider) -> None:
    # The last two have a list for a header, and for an algorithm.
    strange = ("WyJhbGciXQ.e30.c2ln", "eyJhbGciOltdfQ.e30.c2ln")
    for token in ("x", "a.b.c", "e30.e30.e30", "." * 9, *strange):
        provider.id_token = token
        assert_problem(await browser.log_in(provider), 400, "sign_in_invalid")


async def test_keys_are_fetched_again_for_an_unknown_one_but_not_at_will(
    browser: Browser, provider: ScriptedProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    await browser.log_in(provider)
    provider.header = {"kid": "nobody knows"}
    for _ in range(3):
        assert_problem(await browser.log_in(provider), 400, "sign_in_invalid")
    assert provider.fetched.count("keys") == 1
    provider.header, provider.key = {"kid": "two"}, RSAKey.generate_key(2048, {"kid": "two"})
    monkeypatch.setattr("services.auth.federation.providers.REFETCH_SECONDS", 0.0)
    assert (await browser.log_in(provider)).status_code == 303
    assert provider.fetched == ["discovery", "keys", "keys"]


# State, and who began


@pytest.mark.parametrize("state", [None, "", "another state", "ä"])
async def test_a_state_that_is_not_ours(
    browser: Browser, provider: ScriptedProvider, state: str | None
) -> None:
    assert_problem(await browser.log_in(provider, state=state), 400, "sign_in_expired")
    assert provider.asked == []


async def test_s12_a_log_in_ends_in_the_browser_where_it_began(
    browser: Browser, provider: ScriptedProvider
) -> None:
    brought = provider.log_in(await browser.start())
    victim = Browser(browser.auth)
    assert_problem(await victim.come_back(brought), 400, "sign_in_expired")
    await victim.start()
    assert_problem(await victim.come_back(brought), 400, "sign_in_expired")
    assert provider.asked == []
    assert (await browser.come_back(brought)).status_code == 303, "and nobody else spent it"


async def test_of_ten_returns_with_one_state_one_succeeds(
    browser: Browser, provider: ScriptedProvider
) -> None:
    brought = provider.log_in(await browser.start())
    answers = await asyncio.gather(*(browser.come_back(brought) for _ in range(10)))
    assert sorted(answer.status_code for answer in answers) == [303, *[400] * 9]
    assert len(provider.asked) == 1
    assert_problem(await browser.come_back(brought), 400, "sign_in_expired")


async def test_a_state_lives_for_ten_minutes(browser: Browser, provider: ScriptedProvider) -> None:
    brought = provider.log_in(await browser.start())
    left = await browser.auth.database.fetchval(
        "SELECT extract(epoch FROM expires_at - now()) FROM federated_attempts"
    )
    assert 500 < left <= 600
    await browser.auth.database.execute(
        "UPDATE federated_attempts SET expires_at = now() - interval '1 second'"
    )
    assert_problem(await browser.come_back(brought), 400, "sign_in_expired")
    assert await browser.auth.clean_up() >= 1


async def test_log_ins_in_two_tabs_both_end_well(
    browser: Browser, provider: ScriptedProvider
) -> None:
    first = provider.log_in(await browser.start())
    second = provider.log_in(await browser.start())
    assert (await browser.come_back(first)).status_code == 303
    assert (await browser.come_back(second)).status_code == 303


async def test_s17_another_providers_answer_is_not_this_ones(
    browser: Browser, provider: ScriptedProvider
) -> None:
    answer = await browser.log_in(provider, iss="https://honest.example.com")
    assert_problem(answer, 400, "sign_in_invalid")
    answer = await browser.log_in(provider, iss="https://honest.example.com", error="access_denied")
    assert_problem(answer, 400, "sign_in_invalid")
    assert provider.asked == [], "no code goes to a provider that did not give it"
    assert (await browser.log_in(provider, iss=provider.issuer)).status_code == 303


async def test_s17_a_provider_that_announces_its_name_must_give_it(
    browser: Browser, provider: ScriptedProvider, database_url: str
) -> None:
    provider.document = {"authorization_response_iss_parameter_supported": True}
    async with running(browser.auth.database, settings(database_url)) as fresh:
        there = Browser(fresh)
        assert_problem(await there.log_in(provider), 400, "sign_in_invalid")
        assert provider.asked == []
        assert (await there.log_in(provider, iss=provider.issuer)).status_code == 303


async def test_the_state_of_one_connection_is_no_good_at_another(
    browser: Browser, provider: ScriptedProvider
) -> None:
    admin = (await browser.auth.log_in("admin@example.com")).json()
    await connect(browser.auth, admin, id="second", name="Second", issuer=provider.issuer)
    brought = provider.log_in(await browser.start())
    answer = await browser.get("/v1/auth/oidc/second/callback", params=brought)
    assert_problem(answer, 400, "sign_in_expired")


async def test_a_user_who_says_no(browser: Browser, provider: ScriptedProvider) -> None:
    text = "<b>call 555-0100 at once"
    brought = provider.log_in(await browser.start(), code=None, error="access_denied")
    answer = await browser.come_back(brought | {"error_description": text}, Accept="text/html")
    assert answer.status_code == 400
    assert "555" not in answer.text
    assert_problem(await browser.come_back(brought), 400, "sign_in_expired")


async def test_a_code_that_the_provider_does_not_know(
    browser: Browser, provider: ScriptedProvider
) -> None:
    for code in ("guessed", None, "", "x" * 5000):
        assert_problem(await browser.log_in(provider, code=code), 400, "sign_in_invalid")


async def test_a_parameter_that_comes_twice(browser: Browser, provider: ScriptedProvider) -> None:
    brought = provider.log_in(await browser.start())
    pairs = [*brought.items(), ("code", "another")]
    answer = await browser.get(f"{browser.base}/callback", params=pairs)
    assert_problem(answer, 400, "sign_in_invalid")


async def test_a_second_factor_has_to_follow(browser: Browser, provider: ScriptedProvider) -> None:
    auth = browser.auth
    app = await enrol(auth, await auth.register(EMAIL))
    answer = await browser.log_in(provider)
    assert answer.status_code == 303
    assert "set-cookie" not in answer.headers, "nobody is in yet"
    assert answer.headers["location"].startswith(f"{PUBLIC_URL}{RETURN_TO}#mfa_token=")
    told = fragment(answer)
    assert told["methods"] == "totp,recovery_code"
    body = {"mfa_token": told["mfa_token"], "code": app.code()}
    assert (await browser.send("POST", "/v1/auth/mfa/totp/verify", json=body)).status_code == 200
    assert claims(await browser.session())["amr"] == ["federated", "otp"]
