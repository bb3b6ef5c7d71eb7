"""The secrets of endpoints, which are stored encrypted."""

from collections.abc import Sequence
from uuid import UUID

from pydantic import SecretStr

from shared.chassis.sealing import Seal, derive_key


class EndpointSecrets:
    """Seals each endpoint's secret for its row and opens it to sign."""

    def __init__(self, master_key: SecretStr) -> None:
        self._seal = Seal(derive_key(master_key, service="jobs", purpose="webhook-secrets"))

    def sealed(self, endpoint_id: UUID, secret: bytes) -> bytes:
        """Return a secret as it is stored."""
        return self._seal.seal(secret, place=f"webhook {endpoint_id}")

    def opened(self, endpoint_id: UUID, sealed: Sequence[bytes]) -> list[bytes]:
        """Return secrets as they sign. Raises Unsealable for a wrong master key."""
        return [self._seal.open(secret, place=f"webhook {endpoint_id}") for secret in sealed]
