"""The keys that sign access tokens: made once, encrypted at rest, only public halves published."""

import base64
import hashlib
import json
from dataclasses import dataclass

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from services.auth import store
from services.auth.master_key import MasterKey
from services.auth.records import SigningKeyRow
from shared.chassis.database import Database
from shared.chassis.identity.tokens import ALGORITHM
from shared.chassis.sealing import Seal, Unsealable

_COORDINATE_BYTES = 32


class UnreadableSigningKey(Exception):  # noqa: N818 - says what it is
    """A stored signing key does not decrypt with this master key."""


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A private key and the id that tokens name it by."""

    id: str
    private_key: ec.EllipticCurvePrivateKey


class KeyRing:
    """Every signing key of the installation, the newest of which signs.

    `start` makes the first key when there is none; of several processes that start at once, one
    makes it and the others wait and read it. Also a `KeySource`, for this service's own checks.
    """

    def __init__(self, database: Database, master_key: MasterKey) -> None:
        self._database = database
        self._seal = Seal(master_key.derive("signing-keys"))
        self._keys: dict[str, SigningKey] = {}
        self._current: SigningKey | None = None

    async def start(self) -> None:
        """Load the keys. Raises UnreadableSigningKey for a wrong master key."""
        async with self._database.transaction() as transaction:
            await store.lock_signing_keys(transaction)
            rows = await store.list_signing_keys(transaction)
            if not rows:
                rows = [self._create()]
                await store.insert_signing_key(transaction, rows[0])
        keys = [self._decrypt(row) for row in rows]
        self._keys = {key.id: key for key in keys}
        self._current = keys[0]

    async def stop(self) -> None:
        """Forget the keys."""
        self._keys, self._current = {}, None

    @property
    def current(self) -> SigningKey:
        """The key that signs."""
        if self._current is None:
            raise RuntimeError("the signing keys are not loaded")
        return self._current

    async def key(self, key_id: str) -> ec.EllipticCurvePublicKey | None:
        """Return the public key that a token names, or None."""
        key = self._keys.get(key_id)
        return None if key is None else key.private_key.public_key()

    def jwks(self) -> dict[str, list[dict[str, str]]]:
        """Return the JSON Web Key Set of every key whose tokens may still be about."""
        return {"keys": [_jwk(key.private_key.public_key()) for key in self._keys.values()]}

    def _create(self) -> SigningKeyRow:
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
        return SigningKeyRow(key_id, ALGORITHM, public, self._seal.seal(plain, place=key_id))

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
        return SigningKey(row.id, private_key)


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
