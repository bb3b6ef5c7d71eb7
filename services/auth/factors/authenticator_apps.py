"""Authenticator apps as a kind of second factor."""

from typing import Final
from uuid import UUID

from services.auth.factors import store
from shared.chassis.database import Executor

TOTP: Final = "totp"


class AuthenticatorApps:
    """Tells which accounts have an authenticator app (TOTP, RFC 6238)."""

    async def methods(self, executor: Executor, user_id: UUID) -> tuple[str, ...]:
        """Return `totp` for an account with a confirmed app."""
        return (TOTP,) if await store.has_totp(executor, user_id) else ()
