"""Forgetting answers whose time is over."""

from typing import Final

from shared.chassis.database import Database
from shared.chassis.idempotency.answers import KEPT
from shared.chassis.idempotency.statements import SQL
from shared.chassis.lifecycle import Lifecycle
from shared.chassis.periodic import PeriodicTask

BATCH: Final = 1000


class AnswerPruning(PeriodicTask):
    """Deletes answers older than a day. Several at once do no harm."""

    name = "pruning of idempotent answers"

    def __init__(self, database: Database, lifecycle: Lifecycle) -> None:
        super().__init__(
            lifecycle,
            rest_seconds=60.0,
            waits_action="prune_waits",
            waits_message="pruning waits for PostgreSQL",
        )
        self._database = database

    async def run_once(self) -> int:
        """Delete what is too old, in batches, and return how many there were."""
        deleted = 0
        while removed := int(
            (await self._database.execute(SQL["prune_answers"], KEPT, BATCH)).rsplit(maxsplit=1)[-1]
        ):
            deleted += removed
        return deleted
