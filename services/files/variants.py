"""Making the variants of images."""

import contextlib
import hashlib
import io
import logging
from typing import Final
from uuid import UUID

from services.files import store
from services.files.image_pool import ImagePool, ImageProcessDied, MadeVariant, UnusableImage
from services.files.jobs import MakeVariants
from services.files.object_store import ObjectMissing, ObjectStore
from services.files.store import StoredFile, StoredVariant
from shared.chassis.database import Database, Transaction
from shared.chassis.jobs.running import RunningJob
from shared.chassis.outbox import Outbox
from shared.schemas.events.files import FileReady, FileRejected

logger = logging.getLogger(__name__)

THUMBNAIL: Final = "thumb"
THUMBNAIL_EDGE_PIXELS: Final = 400
VARIANT_TYPE: Final = "image/webp"


def variant_key(object_key: str) -> str:
    """Return where the thumbnail of an object is stored."""
    return f"{object_key}.{THUMBNAIL}"


class Variants:
    """Makes variants in child processes and tells the owner how it went.

    May be cut off at any point and run again: a variant's key is always the same, and the row
    turns ready or rejected once, together with its event.
    """

    def __init__(
        self,
        database: Database,
        objects: ObjectStore,
        images: ImagePool,
        outbox: Outbox,
        *,
        maximum_bytes: int,
    ) -> None:
        self._database = database
        self._objects = objects
        self._images = images
        self._outbox = outbox
        self._maximum_bytes = maximum_bytes

    async def make(self, job: RunningJob[MakeVariants]) -> None:
        """Make the variants of one file. Raises Unavailable or ImageProcessDied to be retried."""
        file = await store.find_file(self._database, job.command.file_id)
        if file is None:
            return
        try:
            made = await self._thumbnail(file)
        except UnusableImage as error:
            await self._reject(job, file, str(error))
        except ObjectMissing:
            logger.exception(
                "the bytes of a file are gone",
                extra={"action": "object_missing", "file_id": str(file.id)},
            )
            await self._reject(job, file, "The stored bytes could not be found.")
        except ImageProcessDied:
            # Once may be the host's fault (memory, a restart); every time is the image's.
            if job.attempt < job.command.attempts:
                raise
            await self._reject(job, file, "The image could not be decoded within the limits.")
        else:
            await self._finish(job, file, made)

    async def _thumbnail(self, file: StoredFile) -> MadeVariant:
        if file.size > self._maximum_bytes:
            raise UnusableImage(
                f"The image has {file.size} bytes; {self._maximum_bytes} are the most that are "
                "decoded."
            )
        bucket = await self._objects.bucket()
        async with contextlib.aclosing(bucket.read(file.object_key)) as source:
            return await self._images.make(source, size=file.size, edge=THUMBNAIL_EDGE_PIXELS)

    async def _finish(
        self, job: RunningJob[MakeVariants], file: StoredFile, made: MadeVariant
    ) -> None:
        variant = StoredVariant(
            object_key=variant_key(file.object_key),
            content_type=VARIANT_TYPE,
            width=made.width,
            height=made.height,
            size=len(made.body),
        )
        bucket = await self._objects.bucket()
        digest = hashlib.sha256(made.body).digest()
        await bucket.put(variant.object_key, io.BytesIO(made.body), variant.content_type, digest)
        if await store.find_file(self._database, file.id) is None:  # its owner has left
            await bucket.remove(variant.object_key)
            return
        async with job.completion() as transaction:
            if not await store.finish_processing(transaction, file.id):
                return
            await store.insert_variant(transaction, file.id, THUMBNAIL, variant)
            ready = await self._reread(transaction, file.id)
            await self._outbox.emit(
                transaction,
                FileReady(file_id=file.id, owner_id=file.owner_id, file=ready.public()),
                subject=str(file.id),
            )

    async def _reject(self, job: RunningJob[MakeVariants], file: StoredFile, reason: str) -> None:
        async with job.completion() as transaction:
            if not await store.finish_processing(transaction, file.id, rejection=reason):
                return
            await self._outbox.emit(
                transaction,
                FileRejected(file_id=file.id, owner_id=file.owner_id, reason=reason),
                subject=str(file.id),
            )

    @staticmethod
    async def _reread(transaction: Transaction, file_id: UUID) -> StoredFile:
        file = await store.find_file(transaction, file_id)
        if file is None:
            raise LookupError(f"file {file_id} vanished inside its own transaction")
        return file
