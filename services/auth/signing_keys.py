"""The keys that sign tokens: made once, encrypted at rest, only public halves published."""

import asyncio
import base64
import contextlib
import hashlib
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import TypeAlias

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from services.auth import store
from services.auth.master_key import MasterKey
from services.auth.records import NewSigningKey, SigningKeyRow
from shared.chassis.database import Database
from shared.chassis.errors import Unavailable
from shared.chassis.lifecycle import BackgroundTask, Lifecycle
from shared.chassis.sealing import Seal, Unsealable

MISS_SECONDS = 1.0
RELOAD_SECONDS = 30.0
_COORDINATE_BYTES = 32
_RSA_BITS = 2048
_RSA_EXPONENT = 65_537

PrivateKey: TypeAlias = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
PublicKey: TypeAlias = ec.EllipticCurvePublicKey | rsa.RSAPublicKey


class Algorithm(StrEnum):
    """How tokens are signed; each algorithm has keys of its own."""

    ES256 = "ES256"
    """Access tokens, of which no other algorithm is taken, and what applications get."""
    RS256 = "RS256"
    """For applications that cannot verify the other."""


class UnreadableSigningKey(Exception):  # noqa: N818 - says what it is
    """A stored signing key does not decrypt with this master key."""


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A private key and the id that tokens name it by."""

    id: str
    algorithm: Algorithm
    private_key: PrivateKey
    activates_at: datetime


class KeyRing:
    """Every signing key of the installation, the newest of those whose time has come signs.

    `start` makes the first key of each algorithm; of several processes that start at once, one
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
            for algorithm in set(Algorithm) - {Algorithm(row.algorithm) for row in rows}:
                first = await self.create(algorithm)
                await store.insert_signing_key(transaction, first, activates_in=timedelta(0))
            rows = await store.list_signing_keys(transaction)
        self._take(rows)

    async def stop(self) -> None:
        """Forget the keys."""
        self._keys = {}

    async def load(self) -> None:
        """Read the keys again. Raises UnreadableSigningKey, or Unavailable."""
        self._loaded_at = time.monotonic()
        self._take(await store.list_signing_keys(self._database))

    def newest(self, algorithm: Algorithm) -> SigningKey:
        """Return the key that signs by an algorithm."""
        keys = [key for key in self._keys.values() if key.algorithm is algorithm]
        if not keys:
            raise RuntimeError("the signing keys are not loaded")
        now = datetime.now(UTC)
        return next((key for key in keys if key.activates_at <= now), keys[-1])

    async def find(self, key_id: str) -> SigningKey | None:
        """Return the key that a token names, or None; an unknown one is looked up."""
        if key_id not in self._keys and self._loaded_at + MISS_SECONDS <= time.monotonic():
            await self.load()
        return self._keys.get(key_id)

    async def key(self, key_id: str) -> ec.EllipticCurvePublicKey | None:
        """Return the public key of an access token, or None; keys of other tokens are none."""
        key = await self.find(key_id)
        if key is None or not isinstance(key.private_key, ec.EllipticCurvePrivateKey):
            return None
        return key.private_key.public_key()

    def jwks(self, *algorithms: Algorithm) -> dict[str, list[dict[str, str]]]:
        """Return the JSON Web Key Set of every key whose tokens may still be about."""
        keys = [key for key in self._keys.values() if key.algorithm in algorithms]
        return {"keys": [_jwk(key.private_key.public_key()) for key in keys]}

    async def create(self, algorithm: Algorithm) -> NewSigningKey:
        """Make a key, its private half encrypted for the database."""
        private_key = await asyncio.to_thread(_generate, algorithm)
        key_id = _jwk(private_key.public_key())["kid"]
        plain = private_key.private_bytes(
            serialization.Encoding.DER,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        return NewSigningKey(key_id, algorithm.value, self._seal.seal(plain, place=key_id))

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
        if not isinstance(private_key, PrivateKey):
            raise UnreadableSigningKey(f"signing key {row.id} is of no kind that signs tokens")
        return SigningKey(row.id, Algorithm(row.algorithm), private_key, row.activates_at)


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


def _generate(algorithm: Algorithm) -> PrivateKey:
    if algorithm is Algorithm.RS256:
        return rsa.generate_private_key(_RSA_EXPONENT, _RSA_BITS)
    return ec.generate_private_key(ec.SECP256R1())


def _jwk(public_key: PublicKey) -> dict[str, str]:
    if isinstance(public_key, rsa.RSAPublicKey):
        algorithm, required = Algorithm.RS256, _rsa_members(public_key)
    else:
        algorithm, required = Algorithm.ES256, _curve_members(public_key)
    canonical = json.dumps(required, sort_keys=True, separators=(",", ":"))
    thumbprint = _base64url(hashlib.sha256(canonical.encode()).digest())  # RFC 7638
    return {**required, "kid": thumbprint, "use": "sig", "alg": algorithm.value}


def _curve_members(public_key: ec.EllipticCurvePublicKey) -> dict[str, str]:
    numbers = public_key.public_numbers()
    return {
        "crv": "P-256",
        "kty": "EC",
        "x": _base64url(numbers.x.to_bytes(_COORDINATE_BYTES, "big")),
        "y": _base64url(numbers.y.to_bytes(_COORDINATE_BYTES, "big")),
    }


def _rsa_members(public_key: rsa.RSAPublicKey) -> dict[str, str]:
    numbers = public_key.public_numbers()
    return {
        "e": _base64url(numbers.e.to_bytes((numbers.e.bit_length() + 7) // 8, "big")),
        "kty": "RSA",
        "n": _base64url(numbers.n.to_bytes((numbers.n.bit_length() + 7) // 8, "big")),
    }


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
