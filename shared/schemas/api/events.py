"""The events API: what applications emit, and the types they register for it."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import BaseModel, Field

from shared.schemas.api.inputs import KEEPABLE, Input, Spelling

EVENT_TYPE_PATTERN = r"^[a-z][a-z0-9_-]{0,62}\.[a-z][a-z0-9_-]{0,62}$"

EventTypeName = Annotated[
    str,
    Spelling(
        EVENT_TYPE_PATTERN,
        "Send `noun.verbed`, such as `order.paid`: each of 1 to 63 of a-z, 0-9, `_` and `-`, a "
        "letter first.",
    ),
    Field(description="`noun.verbed` in lower case, such as `order.paid`"),
]


class EventCreate(Input):
    """Something happened in an application."""

    type: EventTypeName
    data: dict[str, Any] = Field(
        description="A JSON object of up to 256 KiB that the type's schema allows"
    )
    subject: Annotated[str, Field(min_length=1, max_length=200), KEEPABLE] | None = Field(
        default=None,
        description="What it happened to; events of one subject keep their order",
    )


class EventAccepted(BaseModel):
    """The event is stored and on its way."""

    id: UUID = Field(description="Consumers know the event by it, and drop doubles")
    type: str
    version: int = Field(description="Version of the schema that its data were checked by")


class EventTypeDefinition(Input):
    """Register an event type, or change its schema."""

    json_schema: dict[str, Any] = Field(
        alias="schema",
        description="JSON Schema, draft 2020-12, of `data`; `$ref` works within the schema only",
        examples=[
            {
                "type": "object",
                "required": ["order_id"],
                "properties": {"order_id": {"type": "string"}},
            }
        ],
    )
    description: Annotated[str, Field(max_length=500), KEEPABLE] | None = None


class EventType(BaseModel):
    """A registered event type."""

    name: str = Field(alias="type", description="`noun.verbed`")
    version: int = Field(description="One more with each changed schema")
    json_schema: dict[str, Any] = Field(alias="schema")
    description: str | None
    created_at: datetime
    updated_at: datetime
