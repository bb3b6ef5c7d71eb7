"""An authenticator made of software: ES256 keys, and every way to lie about them."""

import base64
import hashlib
import json
import secrets
from dataclasses import dataclass, field, replace
from typing import Any

import cbor2
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256

from tests.service.auth.auth_service import AuthService, bearer

EMAIL = "ada@example.com"
PUBLIC_URL = "https://freehold.example"
HOST = "freehold.example"
BELOW = "https://app.freehold.example"
ELSEWHERE = "https://elsewhere.example"
REGISTRATION = "/v1/auth/passkeys/registration"
PASSKEYS = "/v1/auth/passkeys"
USER_PRESENT, USER_VERIFIED, BACKUP_ELIGIBLE, BACKED_UP, HAS_KEY = 1, 4, 8, 16, 64


def encoded(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "===")


@dataclass
class Lies:
    """What a browser and an authenticator say that is not as it should be."""

    origin: str = PUBLIC_URL
    host: str = HOST
    challenge: bytes | None = None
    flags: int = USER_PRESENT | USER_VERIFIED
    kind: str | None = None
    cross_origin: bool = False
    signature: bytes | None = None
    user_handle: bytes | None = None
    credential_id: bytes | None = None
    trailing: bytes = b""


HONEST = Lies()
BROWSER_LIES = [
    pytest.param(Lies(origin="https://evil.example"), id="wrong origin"),
    pytest.param(Lies(origin="https://freehold.example.evil.example"), id="longer origin"),
    pytest.param(Lies(origin="http://freehold.example"), id="without TLS"),
    pytest.param(Lies(origin=ELSEWHERE), id="an allowed origin that is no part of the site"),
    pytest.param(Lies(host="evil.example"), id="wrong relying party"),
    pytest.param(Lies(host="app.freehold.example"), id="a relying party below ours"),
    pytest.param(Lies(challenge=secrets.token_bytes(32)), id="wrong challenge"),
    pytest.param(Lies(flags=USER_PRESENT), id="user not verified"),
    pytest.param(Lies(flags=USER_VERIFIED), id="user not present"),
    pytest.param(Lies(kind="webauthn.other"), id="wrong kind"),
    pytest.param(Lies(cross_origin=True), id="inside a page of somebody else"),
    pytest.param(Lies(trailing=b"\0"), id="bytes left over"),
]


@dataclass
class SoftwareAuthenticator:
    """One passkey, with a counter that goes up by each use unless it is synchronised."""

    counter: int = 1
    step: int = 1
    flags: int = 0
    credential_id: bytes = field(default_factory=lambda: secrets.token_bytes(32))
    key: ec.EllipticCurvePrivateKey = field(
        default_factory=lambda: ec.generate_private_key(ec.SECP256R1())
    )
    user_handle: bytes = b""

    @classmethod
    def synced(cls) -> "SoftwareAuthenticator":
        return cls(counter=0, step=0, flags=BACKUP_ELIGIBLE | BACKED_UP)

    def copy(self) -> "SoftwareAuthenticator":
        """Return what a thief has who copied the key."""
        return replace(self)

    def register(self, options: dict[str, Any], lies: Lies = HONEST) -> dict[str, Any]:
        """Return what `navigator.credentials.create()` gives for some options."""
        self.user_handle = decoded(options["user"]["id"])
        credential_id = lies.credential_id or self.credential_id
        key = bytes(16) + len(credential_id).to_bytes(2, "big") + credential_id + self._public_key()
        statement = {
            "fmt": "none",
            "attStmt": {},
            "authData": self._data(lies, HAS_KEY) + key + lies.trailing,
        }
        return self._credential(
            {
                "clientDataJSON": encoded(self._client_data(options, lies, "webauthn.create")),
                "attestationObject": encoded(cbor2.dumps(statement)),
                "transports": ["internal", "carrier-pigeon"],
            }
        )

    def sign(self, options: dict[str, Any], lies: Lies = HONEST) -> dict[str, Any]:
        """Return what `navigator.credentials.get()` gives for some options."""
        self.counter += self.step
        client_data = self._client_data(options, lies, "webauthn.get")
        data = self._data(lies) + lies.trailing
        signature = self.key.sign(data + hashlib.sha256(client_data).digest(), ec.ECDSA(SHA256()))
        return self._credential(
            {
                "clientDataJSON": encoded(client_data),
                "authenticatorData": encoded(data),
                "signature": encoded(lies.signature or signature),
                "userHandle": encoded(lies.user_handle or self.user_handle),
            }
        )

    def _credential(self, response: dict[str, Any]) -> dict[str, Any]:
        return {
            "id": encoded(self.credential_id),
            "rawId": encoded(self.credential_id),
            "type": "public-key",
            "authenticatorAttachment": "platform",
            "clientExtensionResults": {},
            "response": response,
        }

    @staticmethod
    def _client_data(options: dict[str, Any], lies: Lies, kind: str) -> bytes:
        said = {
            "type": lies.kind or kind,
            "challenge": encoded(lies.challenge or decoded(options["challenge"])),
            "origin": lies.origin,
            "crossOrigin": lies.cross_origin,
        }
        return json.dumps(said).encode()

    def _data(self, lies: Lies, more_flags: int = 0) -> bytes:
        flags = lies.flags | self.flags | more_flags
        host = hashlib.sha256(lies.host.encode()).digest()
        return host + bytes([flags]) + self.counter.to_bytes(4, "big")

    def _public_key(self) -> bytes:
        numbers = self.key.public_key().public_numbers()
        return cbor2.dumps(
            {
                1: 2,
                3: -7,
                -1: 1,
                -2: numbers.x.to_bytes(32, "big"),
                -3: numbers.y.to_bytes(32, "big"),
            }
        )


async def options(auth: AuthService, path: str, body: object = None, **headers: str) -> Any:
    """Ask for options and return what a browser is handed."""
    answer = await auth.post(path, body or {}, **headers)
    assert answer.status_code == 200, answer.text
    assert answer.headers["cache-control"] == "no-store"
    assert answer.json().keys() == {"publicKey"}
    return answer.json()["publicKey"]


async def add_passkey(
    auth: AuthService, session: dict[str, Any], passkey: SoftwareAuthenticator | None = None
) -> SoftwareAuthenticator:
    """Give an account a passkey; the outbox is empty again."""
    passkey = passkey or SoftwareAuthenticator()
    asked = await options(auth, "/v1/auth/passkeys/registration", **bearer(session))
    body = {"name": "Laptop", "credential": passkey.register(asked)}
    answer = await auth.post("/v1/auth/passkeys", body, **bearer(session))
    assert answer.status_code == 201, answer.text
    await auth.forget_events()
    return passkey


async def log_in_with(
    auth: AuthService, passkey: SoftwareAuthenticator, lies: Lies = HONEST, **headers: str
) -> Any:
    """Log in with a passkey and return the answer."""
    asked = await options(auth, "/v1/auth/passkeys/options")
    body = {"credential": passkey.sign(asked, lies), "token_delivery": "body"}
    return await auth.post("/v1/auth/passkeys/session", body, **headers)


async def actions(auth: AuthService) -> list[str]:
    rows = await auth.database.fetch("SELECT action FROM audit_log ORDER BY id")
    return [row["action"] for row in rows]


async def rows(auth: AuthService, table: str) -> int:
    count: int = await auth.database.fetchval(f"SELECT count(*) FROM {table}")
    return count


async def opened(auth: AuthService, passkey: SoftwareAuthenticator) -> dict[str, Any]:
    """Return a session that was opened with the passkey."""
    answer = await log_in_with(auth, passkey)
    assert answer.status_code == 200, answer.text
    opened: dict[str, Any] = answer.json()
    return opened
