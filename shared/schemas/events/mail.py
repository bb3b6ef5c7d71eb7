"""Events of the mail service."""

from typing import ClassVar
from uuid import UUID

from shared.schemas.events.envelope import EventData


class MailDelivered(EventData):
    """The next mail server took a message."""

    event_type: ClassVar[str] = "mail.delivered"
    message_id: UUID


class MailBounced(EventData):
    """A message was refused for good."""

    event_type: ClassVar[str] = "mail.bounced"
    message_id: UUID
    reason: str
