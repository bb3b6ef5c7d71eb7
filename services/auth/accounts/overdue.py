"""Telling the operator of deletions that some service does not confirm."""

import asyncio
import logging
from datetime import timedelta
from typing import Final

from services.auth.accounts.store import count_overdue_deletions
from shared.chassis.database import Database
from shared.chassis.errors import Unavailable
from shared.chassis.lifecycle import BackgroundTask, Lifecycle

logger = logging.getLogger(__name__)

OVERDUE_AFTER: Final = timedelta(days=1)
"""Longer than mail tries to hand over the message that has to go out before."""
CONDITION: Final = "deletions_unconfirmed"
_INTERVAL_SECONDS: Final = 300.0


class OverdueDeletions(BackgroundTask):
    """Looks every five minutes, and raises a condition for as long as something is overdue."""

    name = "overdue deletions"

    def __init__(self, database: Database, lifecycle: Lifecycle) -> None:
        super().__init__(lifecycle)
        self._database = database

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            try:
                await self.look()
            except Unavailable:
                logger.warning(
                    "nobody can be told of overdue deletions until the database is back",
                    extra={"action": "overdue_deletions_wait"},
                )
            await asyncio.sleep(_INTERVAL_SECONDS)

    async def look(self) -> None:
        """Raise or clear the condition. Raises Unavailable."""
        overdue = await count_overdue_deletions(self._database, OVERDUE_AFTER)
        conditions = self._lifecycle.conditions
        if not overdue.deletions:
            conditions.clear(CONDITION)
            return
        services = " and ".join(overdue.services)
        conditions.raise_condition(
            CONDITION,
            f"{overdue.deletions} accounts were deleted more than a day ago, and {services} did "
            "not confirm yet that nothing of their owners is left there.",
            f"Look for failed jobs and dead letters of {services} in ./freehold status; the list "
            "is GET /v1/auth/deletions?outstanding=true.",
            failing=False,
        )
