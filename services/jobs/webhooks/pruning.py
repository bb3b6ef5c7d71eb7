"""Keeping the delivery log bounded."""

from datetime import timedelta
from typing import Final

from services.jobs.webhooks import store
from shared.chassis.database import Database
from shared.chassis.lifecycle import Lifecycle
from shared.chassis.periodic import PeriodicTask

_BATCH_ROWS: Final = 1000


class LogPruning(PeriodicTask):
    """Deletes what is older than the log may be, in small batches, so that nobody waits.

    Several instances may run at once: each skips the rows that another is deleting. A batch that
    is cut off is found again.
    """

    name = "webhook log pruning"

    def __init__(self, database: Database, lifecycle: Lifecycle, *, keep: timedelta) -> None:
        super().__init__(
            lifecycle,
            rest_seconds=60.0,
            waits_action="webhook_pruning_waits",
            waits_message="pruning the webhook log waits for the database",
        )
        self._database = database
        self._keep = keep

    async def run_once(self, *, batch: int = _BATCH_ROWS) -> int:
        """Delete everything that is over by now, and return how many rows that were."""
        deleted = 0
        while removed := await store.prune(self._database, keep=self._keep, batch=batch):
            deleted += removed
        return deleted
