"""What every event on the bus looks like."""

from datetime import datetime
from typing import ClassVar, Generic, TypeVar
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field


class EventData(BaseModel):
    """The payload of one event type.

    Fields may be added with a default; nothing is removed or renamed within a version. Consumers
    ignore fields they do not know.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    event_type: ClassVar[str]
    """`noun.verbed`, the routing key on the bus."""
    event_version: ClassVar[int] = 1


DataT = TypeVar("DataT", bound=EventData)


class Event(BaseModel, Generic[DataT]):
    """An event: what happened, to what, when, and in the course of which request."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    id: UUID = Field(description="UUIDv7; the same for every delivery, so consumers drop doubles")
    type: str = Field(description="`noun.verbed`")
    version: int = Field(description="Version of the data's shape")
    time: datetime = Field(description="When the change was committed, to within its transaction")
    source: str = Field(description="Service that emitted it")
    subject: str = Field(description="What it happened to; events of one subject keep their order")
    traceparent: str | None = Field(default=None, description="W3C trace context of the cause")
    data: DataT
