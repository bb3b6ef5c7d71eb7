"""Telling the operator of deletions that some service does not confirm."""

from datetime import timedelta
from typing import Final

from services.auth.accounts.store import count_overdue_deletions
from shared.chassis.database import Database
from shared.chassis.lifecycle import Lifecycle
from shared.chassis.periodic import PeriodicTask

OVERDUE_AFTER: Final = timedelta(days=1)
"""Longer than mail tries to hand over the message that has to go out before."""
CONDITION: Final = "deletions_unconfirmed"


class OverdueDeletions(PeriodicTask):
    """Looks every five minutes, and raises a condition for as long as something is overdue."""

    name = "overdue deletions"

    def __init__(self, database: Database, lifecycle: Lifecycle) -> None:
        super().__init__(
            lifecycle,
            rest_seconds=300.0,
            waits_action="overdue_deletions_wait",
            waits_message="nobody can be told of overdue deletions until the database is back",
        )
        self._database = database

    async def run_once(self) -> None:
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
