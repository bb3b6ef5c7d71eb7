"""Signing what applications get, by the algorithm that each was registered with."""

from typing import Any

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey

from services.auth.signing_keys import Algorithm, KeyRing, PrivateKey, PublicKey


def sign(keys: KeyRing, algorithm: Algorithm, kind: str, claims: dict[str, Any]) -> str:
    """Return a token of a kind (`typ`) with claims."""
    key = keys.newest(algorithm)
    header = {"alg": algorithm.value, "kid": key.id, "typ": kind}
    return jwt.encode(header, claims, _imported(key.private_key))


async def verification_key(keys: KeyRing, key_id: str) -> tuple[Algorithm, ECKey | RSAKey]:
    """Return a key of ours and the only algorithm that it verifies. Raises ValueError for none."""
    key = await keys.find(key_id)
    if key is None:
        raise ValueError("the token names no key of ours")
    return key.algorithm, _imported(key.private_key.public_key())


def _imported(key: PrivateKey | PublicKey) -> ECKey | RSAKey:
    if isinstance(key, RSAPrivateKey | RSAPublicKey):
        return RSAKey.import_key(key)
    return ECKey.import_key(key)
