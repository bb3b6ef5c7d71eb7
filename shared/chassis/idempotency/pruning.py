"""Forgetting answers whose time is over."""

import asyncio
import logging
from typing import Final

from shared.chassis.database import Database
from shared.chassis.errors import Unavailable
from shared.chassis.idempotency.answers import KEPT
from shared.chassis.idempotency.statements import SQL
from shared.chassis.lifecycle import BackgroundTask, Lifecycle

logger = logging.getLogger(__name__)

PRUNE_SECONDS: Final = 60.0
BATCH: Final = 1000


class AnswerPruning(BackgroundTask):
    """Deletes answers older than a day. Several at once do no harm."""

    name = "pruning of idempotent answers"

    def __init__(self, database: Database, lifecycle: Lifecycle) -> None:
        super().__init__(lifecycle)
        self._database = database

    async def run(self) -> None:
        """Prune until cancelled; a database that is away is waited for."""
        while True:
            try:
                await self.prune()
            except Unavailable:
                logger.info("pruning waits for PostgreSQL", extra={"action": "prune_waits"})
            await asyncio.sleep(PRUNE_SECONDS)

    async def prune(self) -> int:
        """Delete what is too old, in batches, and return how many there were."""
        deleted = 0
        while removed := int(
            (await self._database.execute(SQL["prune_answers"], KEPT, BATCH)).rsplit(maxsplit=1)[-1]
        ):
            deleted += removed
        return deleted
