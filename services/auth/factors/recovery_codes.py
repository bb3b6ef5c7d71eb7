"""Recovery codes: what gets somebody in whose second factor is lost, each once."""

import hashlib
import secrets
from typing import Final

CODES: Final = 10
_ALPHABET = "abcdefghijklmnopqrstuvwxyz234567"
_GROUPS = 7
_GROUP_CHARACTERS = 4
_MISREAD = str.maketrans({"0": "o", "1": "l", "8": "b"})


def new_codes() -> list[str]:
    """Return ten codes of 140 random bits, too many to guess even from their plain hashes."""
    return [
        "-".join(
            "".join(secrets.choice(_ALPHABET) for _ in range(_GROUP_CHARACTERS))
            for _ in range(_GROUPS)
        )
        for _ in range(CODES)
    ]


def hash_code(code: str) -> bytes:
    """Return what is stored of a code, however it was typed: case, spaces and hyphens are free."""
    typed = "".join(code.split()).replace("-", "").lower().translate(_MISREAD)
    return hashlib.sha256(typed.encode()).digest()
