"""Taking the places and programs of deleted accounts' owners out of the log."""

import asyncio
import logging
from datetime import timedelta
from typing import Final
from uuid import UUID

from services.auth.accounts import store
from services.auth.accounts.deletions import OWN_SERVICE, confirm
from services.auth.accounts.store import Acts
from shared.chassis.database import Database
from shared.chassis.errors import Unavailable
from shared.chassis.lifecycle import BackgroundTask, Lifecycle

logger = logging.getLogger(__name__)

AFTER: Final = timedelta(seconds=10)
"""Longer than an act takes that was let in before the account's tokens were refused everywhere."""
_INTERVAL_SECONDS: Final = 5.0
_BATCH_ROWS: Final = 1000
_FIRST: Final = UUID(int=0)


class LogErasure(BackgroundTask):
    """Looks every five seconds for deleted accounts whose log is to be erased.

    A log is erased in batches, each a transaction of its own, so its length does not matter; the
    deletion is confirmed after the last one. What is cut off begins anew. Several instances may
    erase one log at once: each entry is written anew by one of them.
    """

    name = "log erasure"

    def __init__(self, database: Database, lifecycle: Lifecycle) -> None:
        super().__init__(lifecycle)
        self._database = database

    async def run(self) -> None:
        """Erase until cancelled."""
        while True:
            try:
                await self.erase()
            except Unavailable:
                logger.warning(
                    "the log of deleted accounts is erased when the database is back",
                    extra={"action": "log_erasure_waits"},
                )
            await asyncio.sleep(_INTERVAL_SECONDS)

    async def erase(self, *, batch: int = _BATCH_ROWS) -> None:
        """Erase the log of every account that was deleted a while ago. Raises Unavailable."""
        while user_id := await store.find_unerased(self._database, OWN_SERVICE, AFTER):
            for acts in Acts:
                await self._strip(acts, user_id, batch)
            async with self._database.transaction() as transaction:
                await confirm(transaction, user_id, OWN_SERVICE)

    async def _strip(self, acts: Acts, user_id: UUID, batch: int) -> None:
        last: UUID | None = _FIRST
        while last is not None:
            async with self._database.transaction() as transaction:
                last = await store.strip_audit_log(
                    transaction, acts, user_id, after=last, limit=batch
                )
