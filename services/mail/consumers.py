"""What the mail service does when something happens elsewhere."""

from uuid_utils.compat import uuid7

from services.mail import store
from services.mail.jobs import SendMessage
from shared.chassis.database import Transaction
from shared.chassis.jobs.commands import JobQueue
from shared.schemas.events.auth import NoticeRequested, SignupRequested
from shared.schemas.events.envelope import Event


class AccountMails:
    """Queues the mails that auth asks for."""

    def __init__(self, jobs: JobQueue) -> None:
        self._jobs = jobs

    async def on_requested(
        self,
        transaction: Transaction,
        event: Event[SignupRequested] | Event[NoticeRequested],
    ) -> None:
        """Write the message and the job that sends it, in the inbox's transaction."""
        message_id = uuid7()
        await store.insert_message(transaction, message_id, link_id=event.data.link_id)
        await store.add_to_timeline(transaction, message_id, "accepted")
        await self._jobs.enqueue(transaction, SendMessage(message_id=message_id))
        await store.add_to_timeline(transaction, message_id, "queued")
