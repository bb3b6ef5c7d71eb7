"""Replacing the signing key from time to time, without logging anybody out."""

import logging
from datetime import timedelta
from typing import ClassVar, Final

from services.auth import store
from services.auth.signing_keys import Algorithm, KeyRing
from shared.chassis.database import Transaction
from shared.chassis.jobs.commands import Job
from shared.chassis.jobs.running import RunningJob
from shared.chassis.jobs.schedules.records import Schedule

logger = logging.getLogger(__name__)

PUBLISHED_BEFORE: Final = timedelta(minutes=15)
"""Between publishing a key and signing with it: longer than any cache of the key set lives."""
PUBLISHED_AFTER: Final = timedelta(days=7)
"""For how long a replaced key stays published: tokens it signed end long before, and ID tokens
are still good as hints of who logs out."""


class RotateSigningKeys(Job):
    """Make the next signing key when the current one is old enough."""

    kind: ClassVar[str] = "rotate_signing_keys"
    queue: ClassVar[str] = "auth.keys"


SCHEDULE: Final = Schedule(
    name="auth.rotate_signing_keys", cron="7 * * * *", job=RotateSigningKeys()
)


class KeyRotation:
    """Looks at the age of the signing key each hour."""

    def __init__(self, keys: KeyRing, *, lifetime: timedelta) -> None:
        """Take for how long one key signs."""
        self._keys = keys
        self._lifetime = lifetime

    async def rotate(self, job: RunningJob[RotateSigningKeys]) -> None:
        """Make the next keys if it is time, and delete keys whose time is over."""
        async with job.completion() as transaction:
            await store.lock_signing_keys(transaction)
            await store.delete_retired_signing_keys(transaction)
            for algorithm in Algorithm:
                await self._replace_old(transaction, algorithm)

    async def _replace_old(self, transaction: Transaction, algorithm: Algorithm) -> None:
        if not await store.signing_keys_are_older_than(
            transaction, self._lifetime, algorithm=algorithm.value
        ):
            return
        key = await self._keys.create(algorithm)
        await store.retire_signing_keys(
            transaction, algorithm=key.algorithm, after=PUBLISHED_BEFORE + PUBLISHED_AFTER
        )
        await store.insert_signing_key(transaction, key, activates_in=PUBLISHED_BEFORE)
        logger.info(
            "a new signing key takes over in a quarter of an hour",
            extra={"action": "signing_key_made", "key_id": key.id},
        )
