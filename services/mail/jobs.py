"""Sending a message: render, hand over, note what became of it."""

import logging
from datetime import UTC
from email.headerregistry import Address
from http import HTTPStatus
from typing import ClassVar
from urllib.parse import urlsplit
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ValidationError

from services.mail import store
from services.mail.composition import UnsafeMessage, build_message
from services.mail.smtp import PermanentRefusal, SmtpRelay, TemporaryRefusal
from services.mail.store import QueuedMessage
from services.mail.templates import Rendered, TemplateError, TemplateSet
from shared.chassis.database import Database
from shared.chassis.identity.service_calls import ServiceCallError, ServiceClient
from shared.chassis.jobs.commands import Job
from shared.chassis.jobs.running import RunningJob
from shared.chassis.outbox import Outbox
from shared.schemas.api.mail import MessageState
from shared.schemas.events.mail import MailBounced, MailDelivered

logger = logging.getLogger(__name__)

_LINK_GONE = "The link of this mail has expired or was used already; the mail is not needed."


class SendMessage(Job):
    """Send one message. The attempts reach over about 22 hours, most of them an hour apart."""

    kind: ClassVar[str] = "send_message"
    queue: ClassVar[str] = "mail"
    attempts: ClassVar[int] = 32
    backoff_seconds: ClassVar[float] = 5.0
    backoff_limit_seconds: ClassVar[float] = 3600.0
    timeout_seconds: ClassVar[float] = 60.0
    message_id: UUID


class LinkMail(BaseModel):
    """What auth says of a link: whom the mail goes to and what it must show."""

    to: str
    template: str
    variables: dict[str, str | None]
    expires_at: AwareDatetime


class Cannot(Exception):  # noqa: N818 - what happened; the reason goes to the mail log
    """No message can be made; the text says why."""


class MessageSender:
    """Sends messages and notes their end together with the job's.

    The effect on the world, the hand-over, cannot share a transaction with the note of it: if the
    process dies between the two, the message is handed over again, byte for byte the same and
    under the same Message-ID, and the receiver may show it twice. That is chosen over the other
    order, in which it might never arrive.
    """

    def __init__(
        self,
        database: Database,
        outbox: Outbox,
        *,
        auth: ServiceClient,
        templates: TemplateSet,
        relay: SmtpRelay,
        sender: Address,
        public_url: str,
    ) -> None:
        self._database = database
        self._outbox = outbox
        self._auth = auth
        self._templates = templates
        self._relay = relay
        self._sender = sender
        self._site = urlsplit(public_url).netloc

    async def send(self, job: RunningJob[SendMessage]) -> None:
        """Run one attempt.

        Raises TemporaryRefusal to be tried again, and Unavailable while auth or Postgres is away.
        """
        message = await store.find_queued(self._database, job.command.message_id)
        if message is None or message.state is not MessageState.QUEUED:
            return
        try:
            await self._attempt(job, message)
        except (Cannot, TemplateError, UnsafeMessage) as error:
            await self._end(job, MessageState.FAILED, str(error))
        except PermanentRefusal as error:
            await self._end(job, MessageState.BOUNCED, str(error))
        except (TemporaryRefusal, ServiceCallError, ValidationError) as error:
            if job.attempt < SendMessage.attempts:
                raise
            await self._end(job, MessageState.FAILED, f"Given up after the last attempt: {error}")

    async def _attempt(self, job: RunningJob[SendMessage], message: QueuedMessage) -> None:
        link = await self._fetch_link(message.link_id)
        rendered = self._render(link)
        data = build_message(
            message_id=message.id,
            sender=self._sender,
            recipient=link.to,
            rendered=rendered,
            date=message.created_at,
        )
        attempt = await store.begin_attempt(
            self._database,
            message.id,
            recipient=link.to,
            template=link.template,
            subject=rendered.subject,
        )
        if attempt is None:  # a worker that held the job before brought the message to its end
            return
        try:
            answer = await self._relay.hand_over(
                data, sender=self._sender.addr_spec, recipient=link.to
            )
        except TemporaryRefusal as error:
            await store.explain_attempt(self._database, attempt, str(error))
            raise
        await self._end(job, MessageState.DELIVERED, answer)

    async def _fetch_link(self, link_id: UUID) -> LinkMail:
        try:
            return LinkMail.model_validate(await self._auth.get(f"/internal/links/{link_id}"))
        except ServiceCallError as error:
            if error.status == HTTPStatus.NOT_FOUND:
                raise Cannot(_LINK_GONE) from error
            raise

    def _render(self, link: LinkMail) -> Rendered:
        expires_at = link.expires_at.astimezone(UTC).strftime("%d %B %Y, %H:%M UTC")
        return self._templates.render(
            link.template, {**link.variables, "site": self._site, "expires_at": expires_at}
        )

    async def _end(self, job: RunningJob[SendMessage], state: MessageState, detail: str) -> None:
        message_id = job.command.message_id
        async with job.completion() as transaction:
            if not await store.end_message(transaction, message_id, state, detail):
                return
            if state is MessageState.DELIVERED:
                await self._outbox.emit(
                    transaction, MailDelivered(message_id=message_id), subject=str(message_id)
                )
            elif state is MessageState.BOUNCED:
                await self._outbox.emit(
                    transaction,
                    MailBounced(message_id=message_id, reason=detail),
                    subject=str(message_id),
                )
        logger.info(
            "a message has ended",
            extra={"action": f"mail_{state.value}", "message_id": message_id},
        )
