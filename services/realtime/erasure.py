"""What is left of people whose accounts are deleted."""

from typing import Final

from shared.chassis.database import Transaction
from shared.chassis.outbox import Outbox
from shared.schemas.events.auth import UserDeleted, UserErased
from shared.schemas.events.envelope import Event

SERVICE: Final = "realtime"


class Erasure:
    """Confirms: messages are kept for minutes, and drop out of the stream within hours.

    Open sockets end with their sessions.
    """

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox

    async def on_user_deleted(self, transaction: Transaction, event: Event[UserDeleted]) -> None:
        """Confirm in the inbox's transaction."""
        user_id = event.data.user_id
        await self._outbox.emit(
            transaction, UserErased(user_id=user_id, service=SERVICE), subject=str(user_id)
        )
