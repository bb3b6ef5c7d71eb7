"""The files API."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from pydantic import BaseModel, Field


class Visibility(StrEnum):
    """Who may read a file."""

    PRIVATE = "private"
    PUBLIC = "public"


class FileState(StrEnum):
    """How far a stored file is."""

    READY = "ready"
    PROCESSING = "processing"
    REJECTED = "rejected"


class Variant(BaseModel):
    """A derived form of an image."""

    content_type: str
    width: int = Field(description="Pixels")
    height: int = Field(description="Pixels")
    size: int = Field(description="Bytes")


class File(BaseModel):
    """A stored file."""

    id: UUID
    name: str = Field(description="As its owner named it")
    size: int = Field(description="Bytes")
    content_type: str
    sha256: str = Field(description="Of the bytes, 64 lower-case hex digits")
    visibility: Visibility
    state: FileState
    variants: dict[str, Variant] = Field(description="By name; filled when the file is ready")
    created_at: datetime
    owner_id: UUID
