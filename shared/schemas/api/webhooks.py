"""The webhooks API: who is told of events, and what became of it."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, Field, field_validator

from shared.schemas.api.inputs import KEEPABLE, Input, Spelling

EventPattern = Annotated[
    str,
    Field(
        max_length=200,
        description="A type such as `file.ready`, all of a noun such as `order.*`, or `*` for all",
    ),
    Spelling(
        r"^(\*|[a-z][a-z0-9_-]*(\.[a-z][a-z0-9_-]*)*\.(\*|[a-z][a-z0-9_-]*))$",
        "Send a type such as `file.ready`, all of a noun such as `order.*`, or `*` for all.",
    ),
]
EventPatterns = Annotated[list[EventPattern], Field(min_length=1, max_length=100)]
Url = Annotated[
    str,
    Field(
        min_length=1,
        max_length=2048,
        description="Where messages are sent by POST: https, the port 443, 80 or from 1024 on, "
        "neither user nor password in it",
    ),
]
Description = Annotated[str, Field(max_length=500), KEEPABLE]


def _not_null(value: object) -> object:
    if value is None:
        raise ValueError("Leave the field out to keep its value.")
    return value


class WebhookCreate(Input):
    """Tell a program of events from now on."""

    url: Url
    event_types: EventPatterns
    description: Description | None = None


class WebhookUpdate(Input):
    """Change an endpoint; fields left out stay as they are."""

    url: Url | None = None
    event_types: EventPatterns | None = None
    description: Description | None = None
    enabled: bool | None = Field(
        default=None, description="True also ends the count of failures that led to disabling"
    )

    _required_values = field_validator("url", "event_types", "enabled")(_not_null)


class Webhook(BaseModel):
    """An endpoint that is told of events."""

    id: UUID
    url: str
    event_types: list[str]
    description: str | None
    enabled: bool
    disabled_reason: str | None = Field(description="Why nothing is sent; null while it is enabled")
    failing_since: datetime | None = Field(
        description="Since when every attempt has failed; after three days it is disabled"
    )
    created_at: datetime
    updated_at: datetime


class WebhookWithSecret(Webhook):
    """An endpoint and its new secret, which is shown this once."""

    secret: str = Field(
        description="`whsec_…`, by which receivers verify (Standard Webhooks)", repr=False
    )


class WebhookDeliveryState(StrEnum):
    """How far a delivery is."""

    PENDING = "pending"
    DELIVERED = "delivered"
    FAILED = "failed"
    CANCELLED = "cancelled"


class WebhookAttempt(BaseModel):
    """One attempt to hand a message over."""

    number: int
    at: datetime
    duration_ms: int | None
    status: int | None = Field(description="HTTP status; null when there was no answer")
    answer: str | None = Field(description="The first KiB of the answer's body")
    error: str | None = Field(description="Why it was no success; null when it was")


class WebhookDelivery(BaseModel):
    """An event on its way to an endpoint. Its id is the `webhook-id` of every attempt."""

    id: UUID
    event_id: UUID
    event_type: str
    state: WebhookDeliveryState
    attempts: list[WebhookAttempt]
    next_attempt_at: datetime | None = Field(description="Null when nothing more is sent")
    created_at: datetime
    ended_at: datetime | None
