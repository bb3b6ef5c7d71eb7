"""Only tokens that auth signed, for us and for now, prove anything; and they do so cheaply."""

import base64
import hashlib
import hmac
import json
import time
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from starlette.requests import Request

from shared.chassis.errors import Problem, Unavailable
from shared.chassis.identity.tokens import Authenticator, InvalidToken, TokenVerifier
from shared.schemas.problems import ProblemCode

ISSUER = "https://example.com"
KEY = ec.generate_private_key(ec.SECP256R1())
OTHER_KEY = ec.generate_private_key(ec.SECP256R1())
PUBLIC_PEM = KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
USER = UUID("0190b0a0-0000-7000-8000-000000000001")
SESSION = UUID("0190b0a0-0000-7000-8000-000000000002")
LEFT_OUT: Any = object()

INVALID = ProblemCode.TOKEN_INVALID
EXPIRED = ProblemCode.TOKEN_EXPIRED


class Keys:
    """Knows one key, and counts how often it is asked."""

    def __init__(self) -> None:
        self.asked = 0
        self.reachable = True

    async def key(self, key_id: str) -> ec.EllipticCurvePublicKey | None:
        self.asked += 1
        if not self.reachable:
            raise Unavailable("auth")
        return KEY.public_key() if key_id == "known" else None


def claims(**changes: Any) -> dict[str, Any]:
    now = int(time.time())
    good = {
        "iss": ISSUER,
        "aud": "freehold",
        "sub": str(USER),
        "sid": str(SESSION),
        "jti": "j",
        "iat": now,
        "exp": now + 86_400,  # tables of tokens are made long before some are tried
        "roles": ["administrator"],
    }
    return {name: value for name, value in (good | changes).items() if value is not LEFT_OUT}


def headers(**changes: Any) -> dict[str, Any]:
    good = {"typ": "at+jwt", "kid": "known"} | changes
    return {name: value for name, value in good.items() if value is not LEFT_OUT}


def token(
    *, key: Any = KEY, algorithm: str = "ES256", header: dict[str, Any] | None = None, **given: Any
) -> str:
    return jwt.encode(claims(**given), key, algorithm, headers=header or headers())


def handmade(header: dict[str, Any], payload: dict[str, Any], secret: bytes | None) -> str:
    """Make what the library refuses to make: no signature, or a MAC keyed by the public key."""
    signed = b".".join(segment(json.dumps(part).encode()) for part in (header, payload))
    mac = hmac.digest(secret, signed, hashlib.sha256) if secret else b""
    return b".".join((signed, segment(mac))).decode()


def segment(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def with_other_payload(**changes: Any) -> str:
    head, _, signature = token().split(".")
    return ".".join((head, segment(json.dumps(claims(**changes)).encode()).decode(), signature))


async def refusal(token: str, keys: Keys | None = None) -> ProblemCode:
    with pytest.raises(InvalidToken) as raised:
        await TokenVerifier(keys or Keys(), issuer=ISSUER).verify(token)
    return raised.value.code


async def test_a_good_token_tells_who_asks() -> None:
    expires_at = int(time.time()) + 900
    identity = await TokenVerifier(Keys(), issuer=ISSUER).verify(token(exp=expires_at))
    assert identity.user_id == USER
    assert identity.session_id == SESSION
    assert identity.roles == {"administrator"}
    assert identity.scopes is None
    assert identity.expires_at == expires_at
    assert identity.is_administrator


async def test_the_key_of_an_administrator_is_no_administrator() -> None:
    identity = await TokenVerifier(Keys(), issuer=ISSUER).verify(token(scope="a:read b:write"))
    assert identity.scopes == frozenset({"a:read", "b:write"})
    assert not identity.is_administrator


async def test_a_key_without_scopes_may_do_nothing_rather_than_everything() -> None:
    identity = await TokenVerifier(Keys(), issuer=ISSUER).verify(token(scope=""))
    assert identity.scopes == frozenset()


@pytest.mark.parametrize(
    "bad",
    [
        pytest.param(token(key=OTHER_KEY), id="forged signature"),
        pytest.param(with_other_payload(sub=str(SESSION)), id="changed payload"),
        pytest.param(token()[:-4], id="cut signature"),
        pytest.param(handmade(headers(alg="none"), claims(), None), id="no algorithm"),
        pytest.param(handmade(headers(alg="None"), claims(), None), id="no algorithm, spelled so"),
        pytest.param(
            handmade(headers(alg="HS256"), claims(), PUBLIC_PEM), id="the public key as a secret"
        ),
        pytest.param(
            token(key=OTHER_KEY, header=headers(jwk={"kty": "EC"}, jku="https://evil.example")),
            id="brings its own key",
        ),
        pytest.param(token(header=headers(crit=["exp2"], exp2=1)), id="critical and not known"),
        pytest.param(token(header=headers(typ="JWT")), id="another type"),
        pytest.param(token(header=headers(typ="service+jwt")), id="the type of service tokens"),
        pytest.param(token(header=headers(kid="unknown")), id="unknown key"),
        pytest.param(token(header=headers(kid=LEFT_OUT)), id="no key named"),
        pytest.param(token(iss="https://evil.example"), id="another issuer"),
        pytest.param(token(aud="another"), id="another audience"),
        pytest.param(token(iat=int(time.time()) + 43_200), id="issued in the future"),
        pytest.param(token(nbf=int(time.time()) + 43_200), id="not yet valid"),
        pytest.param(token(sub="somebody"), id="a subject that is no user id"),
        pytest.param(token(sid="x"), id="a session that is no id"),
        pytest.param(token(exp="soon"), id="an expiry that is no time"),
        pytest.param(token(roles=7), id="roles that are no list"),
        pytest.param(token(padding="x" * 5000), id="too long"),
        pytest.param("", id="empty"),
        pytest.param("a.b.c", id="no token at all"),
        pytest.param("ü.ü.ü", id="not ASCII"),
    ],
)
async def test_what_proves_nothing_is_invalid(bad: str) -> None:
    assert await refusal(bad) == INVALID


@pytest.mark.parametrize("claim", ["iss", "aud", "sub", "sid", "jti", "iat", "exp"])
async def test_no_claim_may_be_missing(claim: str) -> None:
    assert await refusal(token(**{claim: LEFT_OUT})) == INVALID


async def test_an_expired_token_is_told_apart_so_that_clients_refresh() -> None:
    assert await refusal(token(exp=int(time.time()) - 1)) == EXPIRED


async def test_a_token_of_another_key_does_not_tell_that_it_expired() -> None:
    assert await refusal(token(key=OTHER_KEY, exp=int(time.time()) - 1)) == INVALID


async def test_unreachable_keys_are_no_verdict_on_the_token() -> None:
    keys = Keys()
    keys.reachable = False
    with pytest.raises(Unavailable):
        await TokenVerifier(keys, issuer=ISSUER).verify(token())


async def test_a_signature_is_checked_once() -> None:
    keys = Keys()
    verifier = TokenVerifier(keys, issuer=ISSUER)
    good = token()
    assert await verifier.verify(good) == await verifier.verify(good)
    assert keys.asked == 1


async def test_what_is_remembered_ends_when_the_token_does(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    keys = Keys()
    verifier = TokenVerifier(keys, issuer=ISSUER)
    expires_at = int(time.time()) + 60
    short = token(exp=expires_at)
    await verifier.verify(short)

    def at(seconds: float) -> None:
        clock = SimpleNamespace(time=lambda: seconds)
        monkeypatch.setattr("shared.chassis.identity.tokens.time", clock)

    at(expires_at - 0.1)
    await verifier.verify(short)
    at(expires_at)
    with pytest.raises(InvalidToken) as raised:
        await verifier.verify(short)
    assert raised.value.code == EXPIRED
    assert keys.asked == 1


async def test_no_more_tokens_are_remembered_than_allowed_and_the_idle_ones_leave() -> None:
    keys = Keys()
    verifier = TokenVerifier(keys, issuer=ISSUER, capacity=2)
    first, second, third = (token(jti=name) for name in ("1", "2", "3"))
    for each in (first, second, first, third):  # the second is the one not used for longest
        await verifier.verify(each)
    assert keys.asked == 3
    await verifier.verify(first)
    await verifier.verify(third)
    assert keys.asked == 3
    await verifier.verify(second)
    assert keys.asked == 4


async def test_bad_tokens_take_no_room() -> None:
    keys = Keys()
    verifier = TokenVerifier(keys, issuer=ISSUER, capacity=1)
    good = token()
    await verifier.verify(good)
    for _ in range(3):
        with pytest.raises(InvalidToken):
            await verifier.verify(token(key=OTHER_KEY))
    asked = keys.asked
    await verifier.verify(good)
    assert keys.asked == asked


def asking(authorization: str | None) -> Request:
    sent = [] if authorization is None else [(b"authorization", authorization.encode("latin-1"))]
    return Request({"type": "http", "headers": sent})


@pytest.mark.parametrize(
    ("authorization", "code"),
    [
        (None, ProblemCode.AUTHENTICATION_REQUIRED),
        ("", ProblemCode.AUTHENTICATION_REQUIRED),
        ("Bearer", ProblemCode.AUTHENTICATION_REQUIRED),
        ("Basic dXNlcjpwYXNz", ProblemCode.AUTHENTICATION_REQUIRED),
        ("Bearer nonsense", INVALID),
        (f"Bearer {token(key=OTHER_KEY)}", INVALID),
        (f"Bearer {token(exp=int(time.time()) - 1)}", EXPIRED),
    ],
)
async def test_a_request_without_proof_is_challenged(
    authorization: str | None, code: ProblemCode
) -> None:
    authenticator = Authenticator(TokenVerifier(Keys(), issuer=ISSUER))
    with pytest.raises(Problem) as raised:
        await authenticator.identify(asking(authorization))
    assert raised.value.code == code
    assert raised.value.kind.status == 401
    assert raised.value.headers == {"WWW-Authenticate": "Bearer"}


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
async def test_a_bearer_token_is_read_from_the_request(scheme: str) -> None:
    authenticator = Authenticator(TokenVerifier(Keys(), issuer=ISSUER))
    identity = await authenticator.identify(asking(f"{scheme} {token()}"))
    assert identity.user_id == USER
