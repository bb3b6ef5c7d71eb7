"""Access tokens as auth would make them, with a key of the test's own."""

import time
from uuid import UUID, uuid4

import jwt
from cryptography.hazmat.primitives.asymmetric import ec

ISSUER = "http://freehold.test"
KEY_ID = "test-key"


class Issuer:
    """Signs tokens, and is the source of the public key that verifies them."""

    def __init__(self) -> None:
        self._private_key = ec.generate_private_key(ec.SECP256R1())

    async def key(self, key_id: str) -> ec.EllipticCurvePublicKey | None:
        return self._private_key.public_key() if key_id == KEY_ID else None

    def token(
        self,
        *,
        session_id: UUID | None = None,
        roles: tuple[str, ...] = ("user",),
        scope: str | None = None,
        life_seconds: int = 900,
        **claims: object,
    ) -> str:
        now = int(time.time())
        body: dict[str, object] = {
            "iss": ISSUER,
            "aud": "freehold",
            "sub": str(uuid4()),
            "sid": str(session_id or uuid4()),
            "jti": str(uuid4()),
            "iat": now,
            "exp": now + life_seconds,
            "roles": list(roles),
        }
        if scope is not None:
            body["scope"] = scope
        return jwt.encode(
            body | claims, self._private_key, "ES256", headers={"typ": "at+jwt", "kid": KEY_ID}
        )


class Revocations:
    """The list of revoked sessions, as a test wants it."""

    def __init__(self) -> None:
        self.revoked: set[UUID] = set()
        self.stale = False

    def is_revoked(self, identity: object) -> bool:
        return getattr(identity, "session_id", None) in self.revoked


class AuthCalls:
    """Auth's internal API: exchanges the keys it was told of."""

    def __init__(self) -> None:
        self.keys: dict[str, dict[str, object]] = {}
        self.asked: list[str] = []
        self.error: Exception | None = None

    async def post(self, path: str, body: object) -> dict[str, object]:
        assert path == "/internal/api-keys/exchange"
        assert isinstance(body, dict)
        self.asked.append(body["key"])
        if self.error is not None:
            raise self.error
        return self.keys[body["key"]]
