"""Recovery codes: what gets somebody in whose second factor is lost, each once."""

import secrets
from typing import Final
from uuid import UUID

from services.auth.factors import store
from services.auth.secret_hashes import hash_secret
from shared.chassis.database import Transaction

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
    return hash_secret(typed)


async def renew_codes(transaction: Transaction, user_id: UUID) -> list[str]:
    """Give an account new codes, which nobody can show again; the old ones are worth nothing."""
    codes = new_codes()
    await store.replace_recovery_codes(transaction, user_id, [hash_code(code) for code in codes])
    return codes
