"""Somebody is about to end an account's access while somebody else is on the way in."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from services.auth.store import lock_user
from shared.chassis.database import Transaction
from tests.parts.waiting import eventually
from tests.service.auth.auth_service import AuthService


async def somebody_waits(auth: AuthService) -> bool:
    """Tell whether somebody waits for a lock in this database."""
    waits: bool = await auth.database.fetchval(
        "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
        " AND datname = current_database())"
    )
    return waits


@asynccontextmanager
async def while_held(
    auth: AuthService, email: str, act: Callable[[], Awaitable[Any]]
) -> AsyncIterator[tuple[asyncio.Task[Any], Transaction]]:
    """Yield an act that waits for an account, and the transaction that has locked it."""
    user_id = await auth.database.fetchval("SELECT id FROM users WHERE email = $1", email)
    async with auth.database.transaction() as transaction:
        await lock_user(transaction, user_id)
        task = asyncio.ensure_future(act())
        await eventually(lambda: somebody_waits(auth), expected=True)
        yield task, transaction
    await task
