"""Taking the places and programs of deleted accounts' owners out of the log."""

from datetime import timedelta
from typing import Final
from uuid import UUID

from services.auth.accounts import store
from services.auth.accounts.deletions import OWN_SERVICE, confirm
from shared.chassis.database import Database
from shared.chassis.lifecycle import Lifecycle
from shared.chassis.periodic import PeriodicTask

AFTER: Final = timedelta(seconds=10)
"""Longer than an act takes that was let in before the account's tokens were refused everywhere."""
_BATCH_ROWS: Final = 1000
_FIRST: Final = UUID(int=0)


class LogErasure(PeriodicTask):
    """Looks every five seconds for deleted accounts whose log is to be erased.

    A log is erased in batches, each a transaction of its own, so its length does not matter; the
    deletion is confirmed after the last one. What is cut off begins anew. Several instances may
    erase one log at once: each entry is written anew by one of them.
    """

    name = "log erasure"

    def __init__(self, database: Database, lifecycle: Lifecycle) -> None:
        super().__init__(
            lifecycle,
            rest_seconds=5.0,
            waits_action="log_erasure_waits",
            waits_message="the log of deleted accounts is erased when the database is back",
        )
        self._database = database

    async def run_once(self, *, batch: int = _BATCH_ROWS) -> None:
        """Erase the log of every account that was deleted a while ago. Raises Unavailable."""
        while user_id := await store.find_unerased(self._database, OWN_SERVICE, AFTER):
            await self._strip(user_id, batch)
            async with self._database.transaction() as transaction:
                await confirm(transaction, user_id, OWN_SERVICE)

    async def _strip(self, user_id: UUID, batch: int) -> None:
        last: UUID | None = _FIRST
        while last is not None:
            async with self._database.transaction() as transaction:
                last = await store.strip_audit_log(transaction, user_id, after=last, limit=batch)
