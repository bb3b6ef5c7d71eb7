"""Refresh tokens: a MAC over session and counter, so none is stored and none can be made up."""

import base64
import binascii
import hmac
from dataclasses import dataclass
from uuid import UUID

from services.auth.master_key import MasterKey

_ID_BYTES = 16
_COUNTER_BYTES = 8
_MAC_BYTES = 32
_BODY_BYTES = _ID_BYTES + _COUNTER_BYTES


@dataclass(frozen=True, slots=True)
class RefreshClaim:
    """What a genuine refresh token says: the `counter`-th token of a session."""

    session_id: UUID
    counter: int


class RefreshTokens:
    """Writes and reads refresh tokens."""

    def __init__(self, master_key: MasterKey, *, purpose: str = "refresh-token") -> None:
        """Take what they refresh; a token of one purpose is nothing for another."""
        self._key = master_key.derive(purpose)

    def write(self, claim: RefreshClaim) -> str:
        """Return the token that makes a claim."""
        body = claim.session_id.bytes + claim.counter.to_bytes(_COUNTER_BYTES, "big")
        return base64.urlsafe_b64encode(body + self._mac(body)).rstrip(b"=").decode()

    def read(self, token: str) -> RefreshClaim | None:
        """Return what a token claims, or None if it is not one of ours."""
        try:
            data = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
        except (binascii.Error, ValueError):
            return None
        body, mac = data[:_BODY_BYTES], data[_BODY_BYTES:]
        if len(mac) != _MAC_BYTES or not hmac.compare_digest(mac, self._mac(body)):
            return None
        return RefreshClaim(
            session_id=UUID(bytes=body[:_ID_BYTES]),
            counter=int.from_bytes(body[_ID_BYTES:], "big"),
        )

    def _mac(self, body: bytes) -> bytes:
        return hmac.digest(self._key, body, "sha256")
