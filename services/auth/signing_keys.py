"""The keys that sign access tokens: made once, encrypted at rest, only public halves published."""

import asyncio
import base64
import contextlib
import hashlib
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from services.auth import store
from services.auth.master_key import MasterKey
from services.auth.records import NewSigningKey, SigningKeyRow
from shared.chassis.database import Database
from shared.chassis.errors import Unavailable
from shared.chassis.identity.tokens import ALGORITHM
from shared.chassis.lifecycle import BackgroundTask, Lifecycle
from shared.chassis.sealing import Seal, Unsealable

MISS_SECONDS = 1.0
RELOAD_SECONDS = 30.0
_COORDINATE_BYTES = 32


class UnreadableSigningKey(Exception):  # noqa: N818 - says what it is
    """A stored signing key does not decrypt with this master key."""


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A private key and the id that tokens name it by."""

    id: str
    private_key: ec.EllipticCurvePrivateKey
    activates_at: datetime


class KeyRing:
    """Every signing key of the installation, the newest of those whose time has come signs.

    `start` makes the first key when there is none; of several processes that start at once, one
    makes it and the others wait and read it. Also a `KeySource`, for this service's own checks.
    """

    def __init__(self, database: Database, master_key: MasterKey) -> None:
        self._database = database
        self._seal = Seal(master_key.derive("signing-keys"))
        self._keys: dict[str, SigningKey] = {}
        self._loaded_at = float("-inf")

    async def start(self) -> None:
        """Load the keys. Raises UnreadableSigningKey for a wrong master key."""
        async with self._database.transaction() as transaction:
            await store.lock_signing_keys(transaction)
            rows = await store.list_signing_keys(transaction)
            if not rows:
                first = self.create()
                rows = [
                    await store.insert_signing_key(transaction, first, activates_in=timedelta(0))
                ]
        self._take(rows)

    async def stop(self) -> None:
        """Forget the keys."""
        self._keys = {}

    async def load(self) -> None:
        """Read the keys again. Raises UnreadableSigningKey, or Unavailable."""
        self._loaded_at = time.monotonic()
        self._take(await store.list_signing_keys(self._database))

    @property
    def current(self) -> SigningKey:
        """The key that signs."""
        if not self._keys:
            raise RuntimeError("the signing keys are not loaded")
        now = datetime.now(UTC)
        keys = list(self._keys.values())
        return next((key for key in keys if key.activates_at <= now), keys[-1])

    async def key(self, key_id: str) -> ec.EllipticCurvePublicKey | None:
        """Return the public key that a token names, or None; an unknown one is looked up."""
        if key_id not in self._keys and self._loaded_at + MISS_SECONDS <= time.monotonic():
            await self.load()
        key = self._keys.get(key_id)
        return None if key is None else key.private_key.public_key()

    def jwks(self) -> dict[str, list[dict[str, str]]]:
        """Return the JSON Web Key Set of every key whose tokens may still be about."""
        return {"keys": [_jwk(key.private_key.public_key()) for key in self._keys.values()]}

    def create(self) -> NewSigningKey:
        """Make a key, its private half encrypted for the database."""
        private_key = ec.generate_private_key(ec.SECP256R1())
        key_id = _jwk(private_key.public_key())["kid"]
        plain = private_key.private_bytes(
            serialization.Encoding.DER,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        public = private_key.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        return NewSigningKey(key_id, ALGORITHM, public, self._seal.seal(plain, place=key_id))

    def _take(self, rows: Sequence[SigningKeyRow]) -> None:
        self._keys = {row.id: self._keys.get(row.id) or self._decrypt(row) for row in rows}

    def _decrypt(self, row: SigningKeyRow) -> SigningKey:
        try:
            plain = self._seal.open(row.private_key, place=row.id)
        except Unsealable as error:
            raise UnreadableSigningKey(
                f"signing key {row.id} does not decrypt: FREEHOLD_MASTER_KEY is not the one it was "
                "stored with; restore that secret from the backup of this installation"
            ) from error
        private_key = serialization.load_der_private_key(plain, password=None)
        if not isinstance(private_key, ec.EllipticCurvePrivateKey):
            raise UnreadableSigningKey(f"signing key {row.id} is not an elliptic curve key")
        return SigningKey(row.id, private_key, row.activates_at)


class KeyRefresh(BackgroundTask):
    """Reads the keys again from time to time, so that every process signs with the newest."""

    name = "signing keys"

    def __init__(self, keys: KeyRing, lifecycle: Lifecycle) -> None:
        super().__init__(lifecycle)
        self._keys = keys

    async def run(self) -> None:
        """Refresh until cancelled; while the database is away the known keys stay good."""
        while True:
            await asyncio.sleep(RELOAD_SECONDS)
            with contextlib.suppress(Unavailable):
                await self._keys.load()


def _jwk(public_key: ec.EllipticCurvePublicKey) -> dict[str, str]:
    numbers = public_key.public_numbers()
    required = {
        "crv": "P-256",
        "kty": "EC",
        "x": _base64url(numbers.x.to_bytes(_COORDINATE_BYTES, "big")),
        "y": _base64url(numbers.y.to_bytes(_COORDINATE_BYTES, "big")),
    }
    canonical = json.dumps(required, sort_keys=True, separators=(",", ":"))
    thumbprint = _base64url(hashlib.sha256(canonical.encode()).digest())  # RFC 7638
    return {**required, "kid": thumbprint, "use": "sig", "alg": ALGORITHM}


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
