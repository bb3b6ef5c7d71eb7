"""Removing uploads that will not finish: by whoever failed, or later by a job."""

import logging
from datetime import timedelta
from typing import Final
from uuid import UUID

from services.files import store
from services.files.jobs import SweepUpload
from services.files.object_store import ObjectStore
from shared.chassis.database import Database
from shared.chassis.jobs.commands import JobQueue
from shared.chassis.jobs.running import RunningJob

logger = logging.getLogger(__name__)

# A sweep that comes early, by the clocks of two machines, had better come a little later.
_MARGIN: Final = timedelta(seconds=1)


class UnfinishedUploads:
    """Undoes an upload: first the row is closed for good, then the object goes, then the row.

    In this order a crash, a lost commit or two sweepers at once can neither take the object of a
    file that did finish nor leave an object without a row that knows of it.
    """

    def __init__(self, database: Database, objects: ObjectStore, jobs: JobQueue) -> None:
        self._database = database
        self._objects = objects
        self._jobs = jobs

    async def discard(self, file_id: UUID, *, touched: bool) -> None:
        """Undo an upload that has just failed; does nothing if it had finished after all.

        `touched` says whether S3 may hold something of it. A job that follows at once completes
        what cannot be done now. Raises Unavailable if not even that could be written; the job
        that was queued when the upload began still comes.
        """
        key = await store.abandon_upload(self._database, file_id, stale_only=False)
        if key is None:
            return
        if touched:
            async with self._database.transaction() as transaction:
                await self._jobs.enqueue(transaction, SweepUpload(file_id=file_id))
            bucket = await self._objects.bucket()
            await bucket.remove(key)
        await store.delete_abandoned(self._database, file_id)

    async def sweep(self, job: RunningJob[SweepUpload]) -> None:
        """Undo an upload whose process is gone; look again later if it goes on."""
        file_id = job.command.file_id
        key = await store.abandon_upload(self._database, file_id, stale_only=True)
        if key is None:
            async with job.completion() as transaction:
                left = await store.upload_lease(transaction, file_id)
                if left is not None:
                    await self._jobs.enqueue(transaction, job.command, delay=left + _MARGIN)
            return
        bucket = await self._objects.bucket()
        await bucket.remove(key)
        async with job.completion() as transaction:
            await store.delete_abandoned(transaction, file_id)
        logger.info(
            "an unfinished upload was removed",
            extra={"action": "upload_swept", "file_id": str(file_id)},
        )
