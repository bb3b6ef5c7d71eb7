"""The realtime API over HTTP."""

from typing import Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field


class PublishRequest(BaseModel):
    """A message for everybody on a channel."""

    model_config = ConfigDict(extra="forbid")

    channel: str = Field(min_length=1, max_length=200)
    event: str = Field(min_length=1, max_length=100)
    data: Any = None


class PublishAccepted(BaseModel):
    """The message is stored and on its way."""

    id: UUID
