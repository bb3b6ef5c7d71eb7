"""Secrets at rest: keys derived from a service's one master secret, and what they encrypt."""

import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from pydantic import SecretStr

_NONCE_BYTES = 12


class Unsealable(Exception):  # noqa: N818 - says what it is
    """What was stored does not decrypt: another key sealed it, or it was put in another place."""


def derive_key(secret: SecretStr, *, service: str, purpose: str) -> bytes:
    """Return 32 bytes that nothing about another service's or purpose's key reveals."""
    return HKDF(
        algorithm=hashes.SHA256(),
        length=32,
        salt=None,
        info=f"freehold/{service}/{purpose}".encode(),
    ).derive(secret.get_secret_value().encode())


class Seal:
    """Encrypts small secrets for the database (AES-256-GCM, a fresh nonce before each).

    A `place`, such as the id of the row, is bound to the secret: moved to another row it does not
    open. Safe to use from many tasks.
    """

    def __init__(self, key: bytes) -> None:
        self._cipher = AESGCM(key)

    def seal(self, plain: bytes, *, place: str) -> bytes:
        """Return the secret encrypted for this place."""
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, plain, place.encode())

    def open(self, sealed: bytes, *, place: str) -> bytes:
        """Return what was sealed for this place. Raises Unsealable."""
        nonce, encrypted = sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:]
        try:
            return self._cipher.decrypt(nonce, encrypted, place.encode())
        except (InvalidTag, ValueError) as error:
            raise Unsealable(f"what is sealed for {place} does not open with this key") from error
