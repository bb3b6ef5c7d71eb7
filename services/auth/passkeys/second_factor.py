"""Passkeys as a kind of second factor."""

from typing import Final
from uuid import UUID

from services.auth.passkeys import store
from shared.chassis.database import Executor

PASSKEY: Final = "passkey"


class Passkeys:
    """Tells which accounts have a passkey."""

    async def methods(self, executor: Executor, user_id: UUID) -> tuple[str, ...]:
        """Return `passkey` for an account that has one."""
        return (PASSKEY,) if await store.has_passkeys(executor, user_id) else ()
