"""What is left of people whose accounts are deleted."""

from typing import Final

from services.jobs.webhooks.consumers import WebhookNews
from shared.chassis.database import Transaction
from shared.chassis.idempotency.answers import forget_answers
from shared.chassis.outbox import Outbox
from shared.schemas.events.auth import UserDeleted, UserErased
from shared.schemas.events.envelope import Event

SERVICE: Final = "jobs"


class Erasure:
    """Forgets what was answered to somebody; jobs and events are the owner's applications'."""

    def __init__(self, outbox: Outbox, news: WebhookNews) -> None:
        self._outbox = outbox
        self._news = news

    async def on_user_deleted(self, transaction: Transaction, event: Event[UserDeleted]) -> None:
        """Forget and confirm in the inbox's transaction, and tell webhooks as of any event."""
        user_id = event.data.user_id
        await forget_answers(transaction, user_id)
        await self._outbox.emit(
            transaction, UserErased(user_id=user_id, service=SERVICE), subject=str(user_id)
        )
        await self._news.on_event(transaction, event)
