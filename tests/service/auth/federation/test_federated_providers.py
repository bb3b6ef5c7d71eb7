"""Providers that are out of order, out of bounds, or of a kind of their own."""

import json
import time
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from joserfc import jwt
from joserfc.jwk import ECKey
from starlette.responses import JSONResponse, RedirectResponse, Response

from tests.parts.receiver import Receiver, endless_body, hang, hang_in_body
from tests.service.auth.auth_service import (
    AuthService,
    assert_problem,
    make_administrator,
    running,
    settings,
)
from tests.service.auth.federation.browser import Browser, connect
from tests.service.auth.federation.scripted_provider import (
    CLIENT_ID,
    CLIENT_SECRET,
    ScriptedProvider,
)

TENANT = "8eaef023-2b34-4da1-9baa-8bc8c9d6a490"
KNOWN_ISSUERS = {
    "google": "https://accounts.google.com",
    "github": "https://github.com/login/oauth",
    "microsoft": "https://login.microsoftonline.com/common/v2.0",
}


async def refused(auth: AuthService, admin: dict[str, Any], **body: Any) -> str:
    """Return why a connection cannot be set up."""
    answer = await connect(auth, admin, **body)
    assert_problem(answer, 422, "validation_failed")
    assert await auth.database.fetchval("SELECT count(*) FROM connections") == 0
    message: str = answer.json()["errors"][0]["message"]
    return message


@pytest.mark.parametrize(
    ("document", "why"),
    [
        ({"issuer": "https://accounts.example.com"}, "names another issuer"),
        ({"issuer": None}, "names another issuer"),
        ({"token_endpoint": None}, "has no token_endpoint"),
        ({"jwks_uri": 7}, "has no jwks_uri"),
        ({"authorization_endpoint": "javascript:alert(1)"}, "authorization_endpoint is refused"),
        ({"token_endpoint": "file:///etc/passwd"}, "token_endpoint is refused"),
        ({"jwks_uri": "http://169.254.169.254/latest"}, "link-local"),
        ({"token_endpoint": "https://10.0.0.1/token"}, "private"),
        ({"userinfo_endpoint": "http://[::1]/"}, "loopback"),
    ],
)
async def test_s27_a_discovery_document_that_leads_astray(
    auth: AuthService,
    admin: dict[str, Any],
    provider: ScriptedProvider,
    document: dict[str, Any],
    why: str,
) -> None:
    provider.document = document
    assert why in await refused(auth, admin, issuer=provider.issuer)


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (Response(b" " * 256 * 1024 + b"{}"), "more than 262144 bytes"),
        (Response(b"{"), "not JSON"),
        (Response(b"[" * 100_000), "not JSON"),
        (JSONResponse([]), "no document"),
        (JSONResponse({}, 500), "status 500"),
        (RedirectResponse("http://169.254.169.254/latest/meta-data/"), "not JSON"),
    ],
)
async def test_s27_a_discovery_document_that_is_none(
    auth: AuthService,
    admin: dict[str, Any],
    provider: ScriptedProvider,
    answer: Response,
    why: str,
) -> None:
    provider.discovery = answer
    assert why in await refused(auth, admin, issuer=provider.issuer)


@pytest.mark.parametrize("behaviour", [hang, hang_in_body, endless_body])
async def test_s27_a_provider_that_does_not_end(
    auth: AuthService,
    admin: dict[str, Any],
    behaviour: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("services.auth.federation.providers.ANSWER_SECONDS", 0.3)
    receiver = Receiver(behaviours=[behaviour])
    await receiver.start()
    why = await refused(auth, admin, issuer=f"http://127.0.0.1:{receiver.port}")
    assert "no whole answer" in why or "more than" in why
    await receiver.stop()


@pytest.mark.parametrize(
    ("issuer", "why"),
    [
        ("https://127.0.0.1/", "loopback"),
        ("https://localhost/", "this host itself"),
        ("https://10.0.0.1/", "private"),
        ("https://169.254.169.254/", "metadata"),
        ("https://[::ffff:127.0.0.1]/", "IPv4 address in IPv6"),
        ("https://2130706433/", "four numbers"),
        ("http://accounts.example.com/", "https"),
        ("ftp://accounts.example.com/", "https"),
        ("https://user:secret@accounts.example.com/", "user and password"),
        ("https://accounts.example.com/#x", "from # on"),
        ("https://accounts.example.com:25/", "port"),
        ("accounts.example.com", "https"),
    ],
)
async def test_s27_the_own_network_is_out_of_reach(
    auth: AuthService, database_url: str, issuer: str, why: str
) -> None:
    chosen = settings(database_url, federation_allowed_networks="")
    async with running(auth.database, chosen) as closed:
        assert why in await refused(closed, await make_administrator(closed), issuer=issuer)


async def test_s27_a_name_that_leads_into_the_own_network_later(
    browser: Browser, provider: ScriptedProvider, database_url: str
) -> None:
    location = await browser.start()
    chosen = settings(database_url, federation_allowed_networks="")
    async with running(browser.auth.database, chosen) as closed:
        there = Browser(closed)
        there.cookies = browser.cookies
        answer = await there.come_back(provider.log_in(location))
        assert_problem(answer, 503, "provider_unavailable")
    assert provider.asked == []


@pytest.mark.parametrize(
    "answer",
    [
        JSONResponse({"error": "invalid_client"}, 401),
        JSONResponse({"error": "invalid_client"}),
        JSONResponse([]),
        Response(b"sorry", 502),
        Response(b"x" * 300_000),
        RedirectResponse("/elsewhere"),
    ],
)
async def test_a_token_endpoint_that_is_out_of_order(
    browser: Browser, provider: ScriptedProvider, answer: Response
) -> None:
    provider.token_answer = answer
    assert_problem(await browser.log_in(provider), 503, "provider_unavailable")


async def test_a_provider_that_is_away_is_named_as_the_cause(
    browser: Browser, provider: ScriptedProvider
) -> None:
    await browser.auth.database.execute("UPDATE connections SET issuer = 'http://127.0.0.1:1024'")
    answer = await browser.get(f"{browser.base}/start", headers={"Accept": "text/html"})
    assert answer.status_code == 503
    assert "The provider does not answer as it should" in answer.text
    assert provider.asked == []


async def test_what_a_provider_publishes_is_read_once_an_hour(
    browser: Browser, provider: ScriptedProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(3):
        assert (await browser.log_in(provider)).status_code == 303
    assert provider.fetched == ["discovery", "keys"]
    monkeypatch.setattr("services.auth.federation.providers.FRESH_SECONDS", 0.0)
    await browser.start()
    assert provider.fetched == ["discovery", "keys", "discovery"]


async def test_a_client_authenticates_as_the_provider_wants(
    auth: AuthService, admin: dict[str, Any], provider: ScriptedProvider
) -> None:
    provider.document = {"token_endpoint_auth_methods_supported": ["client_secret_post"]}
    await connect(auth, admin, issuer=provider.issuer)
    assert (await Browser(auth).log_in(provider)).status_code == 303
    [asked] = provider.asked
    assert "authorization" not in asked.headers
    assert (asked.form["client_id"], asked.form["client_secret"]) == (CLIENT_ID, CLIENT_SECRET)


@pytest.mark.parametrize(
    ("info", "code"),
    [
        ({"sub": "248289761001", "email": "ada@example.com", "email_verified": True}, None),
        ({"sub": "somebody else", "email": "ada@example.com", "email_verified": True}, 400),
        ({"email": "ada@example.com", "email_verified": True}, 400),
        ({"sub": "248289761001"}, 403),
    ],
)
async def test_what_the_id_token_leaves_out_userinfo_says(
    auth: AuthService,
    admin: dict[str, Any],
    provider: ScriptedProvider,
    info: dict[str, Any],
    code: int | None,
) -> None:
    provider.userinfo = info
    await connect(auth, admin, issuer=provider.issuer)
    assert (await Browser(auth).log_in(provider)).status_code == (code or 303)


# Kinds of their own


@pytest.mark.parametrize("kind", KNOWN_ISSUERS)
async def test_a_known_provider_needs_no_more_than_id_and_secret(
    auth: AuthService, admin: dict[str, Any], kind: str
) -> None:
    answer = await connect(auth, admin, id=kind, kind=kind)
    assert answer.status_code == 201, answer.text
    assert answer.json()["issuer"] == KNOWN_ISSUERS[kind]


@pytest.mark.parametrize(
    ("mails", "status"),
    [
        (
            [
                {"email": "other@example.com", "primary": False, "verified": True},
                {"email": "Ada@Example.com", "primary": True, "verified": True},
            ],
            303,
        ),
        ([{"email": "ada@example.com", "primary": True, "verified": False}], 403),
        ([{"email": "ada@example.com", "primary": False, "verified": True}], 403),
        ([], 403),
        ({"message": "Not Found"}, 403),
    ],
)
async def test_github_counts_the_primary_address_if_it_is_verified(
    auth: AuthService,
    admin: dict[str, Any],
    provider: ScriptedProvider,
    mails: Any,
    status: int,
) -> None:
    issuer = f"{provider.issuer}/login/oauth"
    provider.github_emails = mails
    await connect(auth, admin, id="github", kind="github", issuer=issuer)
    browser = Browser(auth, "github")
    location = await browser.start()
    assert location.startswith(f"{issuer}/authorize?")
    assert "nonce" not in location
    answer = await browser.come_back(provider.log_in(location))
    assert answer.status_code == status, answer.text
    if status == 303:
        assert (await browser.session())["user"]["email"] == "ada@example.com"
        row = await auth.database.fetchrow("SELECT issuer, subject FROM identities")
        assert row is not None
        assert dict(row) == {"issuer": issuer, "subject": "583231"}
    [asked] = provider.asked
    assert asked.form["client_secret"] == CLIENT_SECRET


@pytest.mark.parametrize(
    ("claims", "status"),
    [
        ({}, 303),
        ({"email_verified": True, "xms_edov": None}, 403),
        ({"xms_edov": False}, 403),
        ({"xms_edov": "1"}, 303),
        ({"tid": "11111111-2222-3333-4444-555555555555"}, 400),
        ({"tid": None}, 400),
        ({"tid": "../x", "iss": "{base}/../x/v2.0"}, 400),
        ({"iss": "{base}/{tenantid}/v2.0"}, 400),
        ({"iss": "https://login.example.com/" + TENANT + "/v2.0"}, 400),
    ],
)
async def test_microsofts_tenants_are_issuers_of_their_own_and_may_write_any_address(
    auth: AuthService,
    admin: dict[str, Any],
    provider: ScriptedProvider,
    claims: dict[str, Any],
    status: int,
) -> None:
    base = provider.issuer
    provider.document = {"issuer": f"{base}/{{tenantid}}/v2.0"}
    given = {"iss": f"{base}/{TENANT}/v2.0", "tid": TENANT, "xms_edov": True} | claims
    provider.claims = {"email_verified": None} | given
    if isinstance(given["iss"], str):
        provider.claims["iss"] = given["iss"].replace("{base}", base)
    answer = await connect(
        auth, admin, id="microsoft", kind="microsoft", issuer=f"{base}/tenant/v2.0"
    )
    assert answer.status_code == 201, answer.text
    answer = await Browser(auth, "microsoft").log_in(provider)
    assert answer.status_code == status, answer.text
    if status == 303:
        issuer = await auth.database.fetchval("SELECT issuer FROM identities")
        assert issuer == f"{base}/{TENANT}/v2.0"


async def test_only_microsoft_may_be_many_issuers(
    auth: AuthService, admin: dict[str, Any], provider: ScriptedProvider
) -> None:
    provider.document = {"issuer": f"{provider.issuer}/{{tenantid}}/v2.0"}
    assert "another issuer" in await refused(auth, admin, issuer=f"{provider.issuer}/tenant/v2.0")


def apple_key() -> tuple[ec.EllipticCurvePrivateKey, str]:
    key = ec.generate_private_key(ec.SECP256R1())
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return key, pem.decode()


async def test_apple_gets_a_signed_secret_and_answers_by_a_form(
    auth: AuthService, admin: dict[str, Any], provider: ScriptedProvider
) -> None:
    key, pem = apple_key()
    provider.document = {"token_endpoint_auth_methods_supported": ["client_secret_post"]}
    provider.claims = {"email_verified": "true", "name": None}
    answer = await connect(
        auth,
        admin,
        id="apple",
        kind="apple",
        issuer=provider.issuer,
        client_secret=pem,
        team_id="DEF123GHIJ",
        key_id="ABC123DEFG",
    )
    assert answer.status_code == 201, answer.text
    browser = Browser(auth, "apple")
    started = await browser.get("/v1/auth/oidc/apple/start")
    location = started.headers["location"]
    assert dict(parse_qsl(urlsplit(location).query))["response_mode"] == "form_post"
    assert started.headers["set-cookie"].startswith("freehold_sign_in_posted=")
    name = {"firstName": "Augusta", "lastName": "King"}
    user = {"name": name, "email": "somebody.else@example.com"}
    brought = provider.log_in(location) | {"user": json.dumps(user)}
    query = await browser.come_back(brought)
    assert_problem(query, 400, "sign_in_expired")

    posted = await browser.send(
        "POST",
        "/v1/auth/oidc/apple/callback",
        data=brought,
        headers={"Origin": "https://appleid.apple.com"},
    )
    assert posted.status_code == 303, posted.text
    somebody = (await browser.session())["user"]
    assert (somebody["email"], somebody["name"]) == ("ada@example.com", "Augusta King")
    [asked] = provider.asked
    token = jwt.decode(
        asked.form["client_secret"], ECKey.import_key(key.public_key()), algorithms=["ES256"]
    )
    assert token.header["kid"] == "ABC123DEFG"
    assert {name: token.claims[name] for name in ("iss", "aud", "sub")} == {
        "iss": "DEF123GHIJ",
        "aud": provider.issuer,
        "sub": CLIENT_ID,
    }
    assert 0 < token.claims["exp"] - time.time() <= 300


async def test_over_https_apples_cookie_comes_along_from_its_site(
    auth: AuthService, database_url: str, provider: ScriptedProvider
) -> None:
    chosen = settings(database_url, public_url="https://house.example.com")
    async with running(auth.database, chosen) as house:
        await connect(
            house,
            await make_administrator(house),
            id="apple",
            kind="apple",
            issuer=provider.issuer,
            client_secret=apple_key()[1],
            team_id="DEF123GHIJ",
            key_id="ABC123DEFG",
        )
        cookie = (await house.client.get("/v1/auth/oidc/apple/start")).headers["set-cookie"]
    assert cookie.startswith("__Host-freehold_sign_in_posted=")
    assert all(part in cookie for part in ("HttpOnly", "Secure", "SameSite=None", "Max-Age=600"))


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"client_secret": "no key"}, "client_secret"),
        ({"team_id": None}, "team_id"),
        ({"key_id": None}, "key_id"),
    ],
)
async def test_an_apple_connection_is_complete(
    auth: AuthService, admin: dict[str, Any], changes: dict[str, Any], field: str
) -> None:
    good = {
        "kind": "apple",
        "client_secret": apple_key()[1],
        "team_id": "DEF123GHIJ",
        "key_id": "ABC123DEFG",
    }
    answer = await connect(auth, admin, **(good | changes))
    assert_problem(answer, 422, "validation_failed")
    assert answer.json()["errors"][0]["field"] == field
    assert (await connect(auth, admin, **good)).status_code == 201


@pytest.mark.parametrize(
    ("media_type", "content", "status"),
    [
        ("application/json", b"{}", 415),
        ("application/x-www-form-urlencoded", b"x=" + b"y" * 20_000, 413),
        ("application/x-www-form-urlencoded", b"state=\xff%ff", 400),
        ("application/x-www-form-urlencoded", b"&".join([b"a=b"] * 60), 400),
    ],
)
async def test_forms_that_no_provider_sends(
    browser: Browser, media_type: str, content: bytes, status: int
) -> None:
    answer = await browser.send(
        "POST",
        f"{browser.base}/callback",
        content=content,
        headers={"Content-Type": media_type},
    )
    assert answer.status_code == status, answer.text
