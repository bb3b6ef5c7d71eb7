"""Events about webhooks."""

from typing import ClassVar
from uuid import UUID

from shared.schemas.events.envelope import EventData


class WebhookDisabled(EventData):
    """An endpoint gets nothing more until an administrator enables it; `reason` is for them."""

    event_type: ClassVar[str] = "webhook.disabled"
    webhook_id: UUID
    reason: str
