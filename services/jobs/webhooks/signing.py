"""Signatures by the Standard Webhooks scheme, and the secrets they are made with."""

import base64
import hashlib
import hmac
import os
from collections.abc import Sequence
from typing import Final

_SECRET_BYTES: Final = 32
_PREFIX: Final = "whsec_"


def new_secret() -> bytes:
    """Return the bytes of a new secret."""
    return os.urandom(_SECRET_BYTES)


def shown_secret(secret: bytes) -> str:
    """Return a secret as its owner sees it and gives it to a verifying library."""
    return _PREFIX + base64.b64encode(secret).decode()


def signed_headers(
    secrets: Sequence[bytes], *, message_id: str, timestamp: int, body: bytes
) -> dict[str, str]:
    """Return the headers that prove who sent a body, and when.

    There is one signature for each secret, so that a receiver may know either while they change.
    The timestamp is in seconds since the epoch.
    """
    signed = f"{message_id}.{timestamp}.".encode() + body
    signatures = (
        base64.b64encode(hmac.new(secret, signed, hashlib.sha256).digest()).decode()
        for secret in secrets
    )
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(f"v1,{signature}" for signature in signatures),
    }
