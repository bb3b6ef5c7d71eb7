"""Removing the messages to people whose accounts are deleted."""

from datetime import timedelta
from http import HTTPStatus
from typing import ClassVar, Final
from uuid import UUID

from pydantic import BaseModel

from services.mail import store
from services.mail.jobs import SendMessage
from shared.chassis.database import Database, Transaction
from shared.chassis.identity.service_calls import ServiceCallError, ServiceClient
from shared.chassis.jobs.commands import Job, JobQueue
from shared.chassis.jobs.running import RunningJob
from shared.chassis.outbox import Outbox
from shared.schemas.events.auth import UserDeleted, UserErased
from shared.schemas.events.envelope import Event

SERVICE: Final = "mail"
BATCH_MESSAGES: Final = 1000
FIRST_LOOK: Final = timedelta(seconds=3)
"""By then the farewell has usually gone out."""
LOOK_AGAIN: Final = timedelta(seconds=20)


class EraseMessages(Job):
    """Remove the log of what was sent to somebody, once the farewell has gone out.

    The attempts reach over about a day.
    """

    kind: ClassVar[str] = "erase_messages"
    queue: ClassVar[str] = SendMessage.queue
    attempts: ClassVar[int] = 30
    user_id: UUID


class DeletionTraces(BaseModel):
    """What auth says of a deleted account until every service has confirmed."""

    email: str
    farewell_link_id: UUID


class Erasure:
    """Removes messages by their recipient, whom only auth can name."""

    def __init__(
        self, database: Database, auth: ServiceClient, jobs: JobQueue, outbox: Outbox
    ) -> None:
        self._database = database
        self._auth = auth
        self._jobs = jobs
        self._outbox = outbox

    async def on_user_deleted(self, transaction: Transaction, event: Event[UserDeleted]) -> None:
        """Queue the removal in the inbox's transaction."""
        await self._jobs.enqueue(
            transaction, EraseMessages(user_id=event.data.user_id), delay=FIRST_LOOK
        )

    async def erase(self, job: RunningJob[EraseMessages]) -> None:
        """Remove one batch and look again later, or confirm.

        Raises ServiceCallError and Unavailable to be retried.
        """
        traces = await self._fetch_traces(job.command.user_id)
        if traces is None:
            return
        sent = await store.is_sent(self._database, traces.email, traces.farewell_link_id)
        async with job.completion() as transaction:
            if not sent:
                await self._jobs.enqueue(transaction, job.command, delay=LOOK_AGAIN)
                return
            removed = await store.delete_messages(
                transaction, traces.email, traces.farewell_link_id, limit=BATCH_MESSAGES
            )
            if removed == BATCH_MESSAGES:
                await self._jobs.enqueue(transaction, job.command)
                return
            user_id = job.command.user_id
            await self._outbox.emit(
                transaction, UserErased(user_id=user_id, service=SERVICE), subject=str(user_id)
            )

    async def _fetch_traces(self, user_id: UUID) -> DeletionTraces | None:
        try:
            answer = await self._auth.get(f"/internal/deletions/{user_id}")
        except ServiceCallError as error:
            if error.status == HTTPStatus.NOT_FOUND:
                return None
            raise
        return DeletionTraces.model_validate(answer)
