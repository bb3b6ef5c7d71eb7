"""What the files service does in the background, as commands."""

from typing import ClassVar, Final
from uuid import UUID

from shared.chassis.jobs.commands import Job

IMAGES_QUEUE: Final = "images"
UPLOADS_QUEUE: Final = "uploads"


class MakeVariants(Job):
    """Make the variants of a stored image."""

    kind: ClassVar[str] = "make_variants"
    queue: ClassVar[str] = IMAGES_QUEUE
    file_id: UUID


class EraseOwner(Job):
    """Remove a batch of the files of somebody whose account is deleted, and go on until none is.

    The attempts reach over about a day.
    """

    kind: ClassVar[str] = "erase_owner"
    queue: ClassVar[str] = UPLOADS_QUEUE
    attempts: ClassVar[int] = 30
    owner_id: UUID


class SweepUpload(Job):
    """Remove what an upload left if it never finished."""

    kind: ClassVar[str] = "sweep_upload"
    queue: ClassVar[str] = UPLOADS_QUEUE
    attempts: ClassVar[int] = 20
    file_id: UUID
