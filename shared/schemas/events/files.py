"""Events of the files service."""

from typing import ClassVar
from uuid import UUID

from shared.schemas.api.files import File
from shared.schemas.events.envelope import EventData


class FileUploaded(EventData):
    """A file's bytes and row are stored."""

    event_type: ClassVar[str] = "file.uploaded"
    file_id: UUID
    owner_id: UUID
    content_type: str
    size: int


class FileReady(EventData):
    """A file and its variants can be used."""

    event_type: ClassVar[str] = "file.ready"
    file_id: UUID
    owner_id: UUID
    file: File


class FileRejected(EventData):
    """A file could not be processed; `reason` is written for its owner."""

    event_type: ClassVar[str] = "file.rejected"
    file_id: UUID
    owner_id: UUID
    reason: str
