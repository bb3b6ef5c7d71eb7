"""The one secret of this service, and the keys that are derived from it."""

from pydantic import SecretStr

from shared.chassis.sealing import derive_key


class MasterKey:
    """Derives an independent 256-bit key for each purpose."""

    def __init__(self, secret: SecretStr) -> None:
        self._secret = secret

    def derive(self, purpose: str) -> bytes:
        """Return 32 bytes that nothing about another purpose's key reveals."""
        return derive_key(self._secret, service="auth", purpose=purpose)
