"""One-time codes by the clock (TOTP, RFC 6238): six digits every thirty seconds."""

import base64
import hmac
import os
from typing import Final

from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP

STEP_SECONDS: Final = 30
_DIGITS: Final = 6
_SECRET_BYTES: Final = 20
_STEPS_BESIDE: Final = (-1, 0, 1)


def new_secret() -> bytes:
    """Return 160 random bits, the length of the hash."""
    return os.urandom(_SECRET_BYTES)


def shown_secret(secret: bytes) -> str:
    """Return a secret as people type it into their app."""
    return base64.b32encode(secret).decode()


def provisioning_uri(secret: bytes, *, account: str, issuer: str) -> str:
    """Return the `otpauth://` address that apps read from a QR code."""
    return _generator(secret).get_provisioning_uri(account, issuer)


def matching_step(secret: bytes, code: str, *, now: float) -> int | None:
    """Return the time step whose code this is: the present one or one beside it, else None.

    `now` are seconds since the epoch. Takes as long for every code.
    """
    generator = _generator(secret)
    present = int(now) // STEP_SECONDS
    given = "".join(code.split()).encode()
    matching = None
    for step in (present + beside for beside in _STEPS_BESIDE):
        if hmac.compare_digest(generator.generate(step * STEP_SECONDS), given):
            matching = step
    return matching


def _generator(secret: bytes) -> TOTP:
    # SHA-1 is what every app understands, and HMAC does not need collisions to be hard.
    return TOTP(secret, _DIGITS, SHA1(), STEP_SECONDS)  # noqa: S303 - see above
