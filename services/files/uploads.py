"""Receiving a file: a row first, then the bytes, then everything that follows from them."""

import asyncio
import contextlib
import logging
from collections.abc import Iterator
from datetime import timedelta
from typing import Final
from uuid import UUID

from uuid_utils.compat import uuid7

from services.files import store
from services.files.content_types import HEAD_BYTES, PROCESSED_TYPES, content_type
from services.files.incoming import IncomingFile
from services.files.jobs import MakeVariants, SweepUpload
from services.files.object_store import ObjectMissing, ObjectStore, ObjectStoreUnreached
from services.files.parts import Part, PartReader
from services.files.store import StoredFile
from services.files.unfinished import UnfinishedUploads
from shared.chassis.database import Database, Transaction
from shared.chassis.errors import RETRY_AFTER_SECONDS, Problem, Unavailable
from shared.chassis.identity.tokens import unauthenticated
from shared.chassis.jobs.commands import JobQueue
from shared.chassis.outbox import Outbox
from shared.schemas.api.files import File, FileState
from shared.schemas.events.files import FileReady, FileUploaded
from shared.schemas.problems import ProblemCode

logger = logging.getLogger(__name__)

LEASE: Final = timedelta(hours=1)
"""How long an upload may take for one part of 8 MiB before it is taken for dead."""
UNDO_TIMEOUT_SECONDS: Final = 5.0


class Uploads:
    """Stores files that arrive in requests, each in bounded memory.

    A file is there with its row, its `file.uploaded` event and its jobs, or not at all. Whatever
    ends an upload early, an error, a client that leaves, cancellation, undoes it at once as far
    as the other parts can be reached; a job queued with the row does it after a crash.
    """

    def __init__(
        self,
        database: Database,
        objects: ObjectStore,
        jobs: JobQueue,
        outbox: Outbox,
        *,
        concurrency: int,
    ) -> None:
        self._database = database
        self._objects = objects
        self._jobs = jobs
        self._outbox = outbox
        self._unfinished = UnfinishedUploads(database, objects, jobs)
        self._concurrency = concurrency
        self._receiving = 0

    async def receive(self, owner_id: UUID, incoming: IncomingFile) -> File:
        """Store a file and return it.

        Raises Problem: `overloaded` when too many uploads are under way, `empty_file`,
        `content_type_mismatch`, whatever the incoming chunks raise, and Unavailable. Nothing of
        the file remains then.
        """
        if self._receiving >= self._concurrency:
            raise Problem(ProblemCode.OVERLOADED, headers={"Retry-After": str(RETRY_AFTER_SECONDS)})
        self._receiving += 1
        try:
            return await self._receive(owner_id, incoming)
        finally:
            self._receiving -= 1

    async def _receive(self, owner_id: UUID, incoming: IncomingFile) -> File:
        reader = PartReader(incoming.chunks)
        head = await reader.head(HEAD_BYTES)
        if not head:
            raise Problem(ProblemCode.EMPTY_FILE)
        media_type = content_type(declared=incoming.content_type, name=incoming.name, head=head)
        file_id, key = uuid7(), f"t/{owner_id}/{uuid7()}"
        async with self._database.transaction() as transaction:
            announced = await store.insert_upload(
                transaction,
                file_id=file_id,
                owner_id=owner_id,
                name=incoming.name,
                object_key=key,
                content_type=media_type,
                lease=LEASE,
            )
            if not announced:
                raise unauthenticated(ProblemCode.TOKEN_REVOKED)
            await self._jobs.enqueue(transaction, SweepUpload(file_id=file_id), delay=LEASE)
        transfer = _Transfer(self._objects, key, media_type)
        try:
            await self._transfer(transfer, file_id, reader)
            return await self._publish(file_id, media_type, reader)
        except BaseException as error:
            await self._undo(file_id, touched=transfer.touched)
            if isinstance(error, ObjectMissing):  # a sweep took the upload for dead
                raise Problem(ProblemCode.REQUEST_TIMEOUT) from error
            raise

    async def _transfer(self, transfer: "_Transfer", file_id: UUID, reader: PartReader) -> None:
        part = await reader.read()
        if part.last:
            await transfer.put(part)
            return
        await transfer.begin()
        finished = False
        while not finished:
            await transfer.add(part)
            finished = part.last
            if not finished:
                if not await store.renew_upload_lease(self._database, file_id, LEASE):
                    raise Problem(ProblemCode.REQUEST_TIMEOUT)
                del part  # two parts in memory would be one too many
                part = await reader.read()
        await transfer.finish()

    async def _publish(self, file_id: UUID, media_type: str, reader: PartReader) -> File:
        processed = media_type in PROCESSED_TYPES
        state = FileState.PROCESSING if processed else FileState.READY
        async with self._database.transaction() as transaction:
            finished = await store.finish_upload(
                transaction, file_id, state=state, size=reader.size, sha256=reader.sha256
            )
            stored = await store.find_file(transaction, file_id) if finished else None
            if stored is None:
                raise Problem(ProblemCode.REQUEST_TIMEOUT)
            await self._emit_uploaded(transaction, stored)
            if processed:
                await self._jobs.enqueue(transaction, MakeVariants(file_id=file_id))
        return stored.public()

    async def _emit_uploaded(self, transaction: Transaction, stored: StoredFile) -> None:
        file = stored.public()
        await self._outbox.emit(
            transaction,
            FileUploaded(
                file_id=file.id,
                owner_id=file.owner_id,
                content_type=file.content_type,
                size=file.size,
            ),
            subject=str(file.id),
        )
        if file.state is FileState.READY:
            await self._outbox.emit(
                transaction,
                FileReady(file_id=file.id, owner_id=file.owner_id, file=file),
                subject=str(file.id),
            )

    async def _undo(self, file_id: UUID, *, touched: bool) -> None:
        try:
            async with asyncio.timeout(UNDO_TIMEOUT_SECONDS):
                await self._unfinished.discard(file_id, touched=touched)
        except (Unavailable, TimeoutError):
            logger.warning(
                "a failed upload could not be undone yet; a job will do it",
                extra={"action": "undo_postponed", "file_id": str(file_id)},
            )


class _Transfer:
    """The bytes of one upload on their way to S3; `touched` once S3 may hold any of them."""

    def __init__(self, objects: ObjectStore, key: str, media_type: str) -> None:
        self._objects = objects
        self._key = key
        self._media_type = media_type
        self._upload_id = ""
        self._parts: list[dict[str, object]] = []
        self.touched = False

    async def put(self, part: Part) -> None:
        """Store the file as one object."""
        bucket = await self._objects.bucket()
        with self._touching():
            await bucket.put(self._key, part.body, self._media_type, part.sha256)

    async def begin(self) -> None:
        """Begin to store the file in parts."""
        bucket = await self._objects.bucket()
        with self._touching():
            self._upload_id = await bucket.begin(self._key, self._media_type)

    async def add(self, part: Part) -> None:
        """Store the next part."""
        bucket = await self._objects.bucket()
        number = len(self._parts) + 1
        self._parts.append(
            await bucket.add(self._key, self._upload_id, number, part.body, part.sha256)
        )

    async def finish(self) -> None:
        """Make the object of the parts."""
        bucket = await self._objects.bucket()
        await bucket.finish(self._key, self._upload_id, self._parts)

    @contextlib.contextmanager
    def _touching(self) -> Iterator[None]:
        self.touched = True
        try:
            yield
        except ObjectStoreUnreached:
            self.touched = False
            raise
