"""The mail API."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from pydantic import BaseModel, Field


class MessageState(StrEnum):
    """How far a message is."""

    QUEUED = "queued"
    DELIVERED = "delivered"
    BOUNCED = "bounced"
    FAILED = "failed"


class TimelineEntry(BaseModel):
    """One step of a message's way."""

    at: datetime
    step: str = Field(description="accepted, queued, attempt, delivered, bounced, failed")
    detail: str | None = None


class Message(BaseModel):
    """A mail in the log. Bodies with links in them are not kept."""

    id: UUID
    to: str | None = Field(description="Null until the message was rendered")
    template: str | None
    subject: str | None
    state: MessageState
    created_at: datetime
    timeline: list[TimelineEntry]
