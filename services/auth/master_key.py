"""The one secret of this service, and the keys that are derived from it."""

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from pydantic import SecretStr


class MasterKey:
    """Derives an independent 256-bit key for each purpose."""

    def __init__(self, secret: SecretStr) -> None:
        self._secret = secret

    def derive(self, purpose: str) -> bytes:
        """Return 32 bytes that nothing about another purpose's key reveals."""
        return HKDF(
            algorithm=hashes.SHA256(),
            length=32,
            salt=None,
            info=b"freehold/auth/" + purpose.encode(),
        ).derive(self._secret.get_secret_value().encode())
