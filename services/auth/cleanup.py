"""Removing what time has overtaken: sign-ups, sessions, revocations, keys, counted failures."""

from datetime import timedelta
from typing import Final, Protocol

from services.auth import store
from services.auth.accounts.store import delete_expired as sweep_deletions
from services.auth.api_keys.store import delete_expired as sweep_api_keys
from services.auth.audit.store import delete_old_entries
from services.auth.email_changes.store import delete_expired as sweep_email_changes
from services.auth.factors.store import delete_expired as sweep_factors
from services.auth.federation.store import delete_expired as sweep_federated_attempts
from services.auth.mailing.store import delete_old_counts as sweep_mail_counts
from services.auth.passkeys.store import delete_expired as sweep_passkeys
from services.auth.protections.store import delete_expired as sweep_protections
from services.auth.provider.store import delete_expired as sweep_sign_ins
from services.auth.throttle import FORGET_AFTER
from shared.chassis.database import Database, Executor
from shared.chassis.lifecycle import Lifecycle
from shared.chassis.periodic import PeriodicTask

_BATCH_ROWS = 1000


class Sweep(Protocol):
    """Removes up to `limit` rows of each kind that a capability has no use for any more."""

    async def __call__(self, executor: Executor, *, limit: int) -> int:
        """Return how many rows that were."""


SWEEPS: Final[tuple[Sweep, ...]] = (
    sweep_api_keys,
    sweep_deletions,
    sweep_email_changes,
    sweep_factors,
    sweep_federated_attempts,
    sweep_mail_counts,
    sweep_passkeys,
    sweep_sign_ins,
    sweep_protections,
)
"""Of every capability with tables of its own."""


class CleanUp(PeriodicTask):
    """Deletes expired rows in small batches, so that nobody waits for a lock.

    Several instances may run at once: each skips the rows that another is deleting. A batch that
    is cut off is found again.
    """

    name = "clean-up"

    def __init__(
        self, database: Database, lifecycle: Lifecycle, *, audit_kept_for: timedelta
    ) -> None:
        super().__init__(
            lifecycle,
            rest_seconds=60.0,
            waits_action="clean_up_waits",
            waits_message="clean-up waits for the database",
        )
        self._database = database
        self._audit_kept_for = audit_kept_for

    async def run_once(self, *, batch: int = _BATCH_ROWS) -> int:
        """Delete everything that has expired by now, and return how many rows that were."""
        deleted = 0
        while removed := await self._batch(batch):
            deleted += removed
        return deleted

    async def _batch(self, rows: int) -> int:
        removed = await store.delete_expired(
            self._database, limit=rows, failures_after=FORGET_AFTER
        )
        async with self._database.transaction() as transaction:
            removed += await delete_old_entries(
                transaction, kept_for=self._audit_kept_for, limit=rows
            )
        return removed + sum([await sweep(self._database, limit=rows) for sweep in SWEEPS])
