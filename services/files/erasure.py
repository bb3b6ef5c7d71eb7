"""Removing the files of people whose accounts are deleted."""

from datetime import timedelta
from typing import Final

from services.files import store
from services.files.jobs import EraseOwner
from services.files.object_store import ObjectStore
from services.files.variants import variant_key
from shared.chassis.database import Database, Transaction
from shared.chassis.jobs.commands import JobQueue
from shared.chassis.jobs.running import RunningJob
from shared.chassis.outbox import Outbox
from shared.schemas.events.auth import UserDeleted, UserErased
from shared.schemas.events.envelope import Event

SERVICE: Final = "files"
BATCH_FILES: Final = 100
_ONE_TRANSACTION: Final = timedelta(seconds=2)
"""Longer than an upload that began before takes to write its row."""


class Erasure:
    """Removes whatever an owner has, as uploads are undone: rows are closed, objects go, rows go.

    It may be cut off at any point and run again.
    """

    def __init__(
        self, database: Database, objects: ObjectStore, jobs: JobQueue, outbox: Outbox
    ) -> None:
        self._database = database
        self._objects = objects
        self._jobs = jobs
        self._outbox = outbox

    async def on_user_deleted(self, transaction: Transaction, event: Event[UserDeleted]) -> None:
        """Let no further upload begin, and queue the removal, in the inbox's transaction."""
        owner_id = event.data.user_id
        await store.insert_erased_owner(transaction, owner_id)
        await self._jobs.enqueue(transaction, EraseOwner(owner_id=owner_id), delay=_ONE_TRANSACTION)

    async def erase(self, job: RunningJob[EraseOwner]) -> None:
        """Remove one batch and queue the next, or confirm. Raises Unavailable to be retried."""
        owner_id = job.command.owner_id
        closed = await store.close_files(self._database, owner_id, limit=BATCH_FILES)
        if closed:
            bucket = await self._objects.bucket()
            for file in closed:
                await bucket.remove(file.object_key)
                await bucket.remove(variant_key(file.object_key))
        async with job.completion() as transaction:
            if closed:
                await store.delete_closed(transaction, [file.id for file in closed])
                await self._jobs.enqueue(transaction, job.command)
                return
            await self._outbox.emit(
                transaction, UserErased(user_id=owner_id, service=SERVICE), subject=str(owner_id)
            )
