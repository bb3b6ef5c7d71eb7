"""Somebody is about to end an account's access while somebody else is on the way in."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from services.auth.store import lock_user
from shared.chassis.database import Transaction
from tests.parts.waiting import eventually
from tests.service.auth.auth_service import AuthService


@asynccontextmanager
async def while_held(
    auth: AuthService, email: str, act: Callable[[], Awaitable[Any]]
) -> AsyncIterator[tuple[asyncio.Task[Any], Transaction]]:
    """Yield an act that waits for an account, and the transaction that has locked it."""

    async def waits() -> bool:
        waiting: bool = await auth.database.fetchval(
            "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
            " AND datname = current_database())"
        )
        return waiting

    user_id = await auth.database.fetchval("SELECT id FROM users WHERE email = $1", email)
    async with auth.database.transaction() as transaction:
        await lock_user(transaction, user_id)
        task = asyncio.ensure_future(act())
        await eventually(waits, expected=True)
        yield task, transaction
    await task
