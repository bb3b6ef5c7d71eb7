"""Delivering: one job for each attempt, which leaves the next one behind it."""

import logging
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import ClassVar, Final
from uuid import UUID

from services.jobs.webhooks import store
from services.jobs.webhooks.lanes import EndpointBusy, Lanes
from services.jobs.webhooks.metrics import ATTEMPT_DURATION, DISABLED, TURNS, Outcome
from services.jobs.webhooks.retries import pause_after, wished_pause
from services.jobs.webhooks.secrets import EndpointSecrets
from services.jobs.webhooks.sending import Answer, Sender
from services.jobs.webhooks.signing import signed_headers
from services.jobs.webhooks.store import DueDelivery, Progress
from shared.chassis.database import Database, Transaction
from shared.chassis.jobs.commands import Job, JobQueue
from shared.chassis.jobs.running import RunningJob
from shared.chassis.outbox import Outbox
from shared.chassis.sealing import Unsealable
from shared.schemas.api.webhooks import WebhookDeliveryState
from shared.schemas.events.webhooks import WebhookDisabled

logger = logging.getLogger(__name__)

DISABLED_AFTER: Final = timedelta(days=3)
GONE_REASON: Final = "the receiver answered 410: it wants no more messages"
FAILING_REASON: Final = "every attempt of three days has failed"


class DeliverWebhook(Job):
    """Try a delivery once.

    The ladder of attempts is the delivery's own, so that it can follow what the receiver asks for;
    the attempts of the job are for faults of ours.
    """

    kind: ClassVar[str] = "deliver_webhook"
    queue: ClassVar[str] = "jobs.webhooks"
    """With a dot, so that no application's queue can have the name."""
    attempts: ClassVar[int] = 20
    backoff_seconds: ClassVar[float] = 10.0
    delivery_id: UUID
    round: int = 1


class Deliverer:
    """Makes attempts and notes what became of them together with the job's end.

    The hand-over cannot share a transaction with its note: if the process dies between the two,
    the message is sent again under the same webhook-id, which receivers drop. That is chosen over
    the other order, in which it might never arrive.
    """

    def __init__(
        self,
        database: Database,
        outbox: Outbox,
        jobs: JobQueue,
        *,
        sender: Sender,
        secrets: EndpointSecrets,
        lanes: Lanes,
    ) -> None:
        self._database = database
        self._outbox = outbox
        self._jobs = jobs
        self._sender = sender
        self._secrets = secrets
        self._lanes = lanes

    async def deliver(self, job: RunningJob[DeliverWebhook]) -> None:
        """Make an attempt, unless the delivery has ended or its endpoint is disabled or busy."""
        command = job.command
        due = await store.find_due(self._database, command.delivery_id, command.round)
        if due is None:
            return
        if not due.enabled:
            await self._cancel(job)
            return
        began = datetime.now(UTC)
        try:
            with self._lanes.place(due.endpoint_id, clock=time.monotonic()):
                answer = await self._attempt(due)
                self._lanes.note(due.endpoint_id, seconds=answer.duration or 0.0)
        except EndpointBusy as busy:
            async with job.completion() as transaction:
                await self._jobs.enqueue(transaction, command, delay=busy.pause)
            TURNS.labels(Outcome.POSTPONED).inc()
            return
        async with job.completion() as transaction:
            outcome = await self._record(transaction, command, due.endpoint_id, began, answer)
        TURNS.labels(outcome).inc()
        logger.info(
            "a webhook was sent" if answer.succeeded else "a webhook could not be delivered",
            extra={
                "action": f"webhook_{outcome.value}",
                "delivery_id": due.id,
                "endpoint_id": due.endpoint_id,
                "status": answer.status,
                "cause": answer.error,
            },
        )

    async def _attempt(self, due: DueDelivery) -> Answer:
        body = due.body.encode()
        try:
            secrets = self._secrets.opened(due.endpoint_id, due.sealed_secrets)
        except Unsealable as error:
            return Answer(
                error=f"nothing was sent: {error}; FREEHOLD_MASTER_KEY is not the one that this "
                "endpoint was stored with, so restore that or rotate the endpoint's secret"
            )
        headers = signed_headers(
            secrets, message_id=str(due.id), timestamp=int(time.time()), body=body
        )
        answer = await self._sender.send(due.url, headers, body)
        ATTEMPT_DURATION.labels(_result(answer)).observe(answer.duration or 0.0)
        return answer

    async def _cancel(self, job: RunningJob[DeliverWebhook]) -> None:
        async with job.completion() as transaction:
            progress = await store.lock_delivery(transaction, job.command.delivery_id)
            if progress is not None and _is_of_this_round(progress, job.command):
                await store.end_delivery(
                    transaction,
                    job.command.delivery_id,
                    WebhookDeliveryState.CANCELLED,
                    attempts=progress.attempts,
                )
        TURNS.labels(Outcome.CANCELLED).inc()

    async def _record(
        self,
        transaction: Transaction,
        command: DeliverWebhook,
        endpoint_id: UUID,
        began: datetime,
        answer: Answer,
    ) -> Outcome:
        progress = await store.lock_delivery(transaction, command.delivery_id)
        if progress is None:  # the log was pruned meanwhile, with its endpoint
            return Outcome.CANCELLED
        attempts = progress.attempts + 1
        await store.insert_attempt(transaction, command.delivery_id, attempts, began, answer)
        if answer.succeeded:
            await store.note_success(transaction, endpoint_id)
            await store.end_delivery(
                transaction,
                command.delivery_id,
                WebhookDeliveryState.DELIVERED,
                attempts=attempts,
            )
            return Outcome.DELIVERED
        await store.note_failure(transaction, endpoint_id)
        disabled = await self._disable_if_hopeless(transaction, endpoint_id, answer)
        if not _is_of_this_round(progress, command):
            await store.count_attempt(transaction, command.delivery_id, attempts=attempts)
            return Outcome.RETRIED
        failures = progress.failures + 1
        wish = wished_pause(answer.status, answer.retry_after, now=datetime.now(UTC))
        pause = None if disabled else pause_after(failures, wish=wish)
        if pause is None:
            await store.end_delivery(
                transaction, command.delivery_id, WebhookDeliveryState.FAILED, attempts=attempts
            )
            return Outcome.FAILED
        await store.continue_delivery(
            transaction, command.delivery_id, attempts=attempts, failures=failures, pause=pause
        )
        await self._jobs.enqueue(transaction, command, delay=pause)
        return Outcome.RETRIED

    async def _disable_if_hopeless(
        self, transaction: Transaction, endpoint_id: UUID, answer: Answer
    ) -> bool:
        gone = answer.status == HTTPStatus.GONE
        reason = GONE_REASON if gone else FAILING_REASON
        disabled = await store.disable_failing(
            transaction, endpoint_id, reason, failing_for=None if gone else DISABLED_AFTER
        )
        if disabled:
            DISABLED.inc()
            await self._outbox.emit(
                transaction,
                WebhookDisabled(webhook_id=endpoint_id, reason=reason),
                subject=str(endpoint_id),
            )
        return gone or disabled


async def queue_deliveries(
    transaction: Transaction,
    jobs: JobQueue,
    *,
    event_id: UUID,
    event_type: str,
    body: str,
    endpoint_ids: Sequence[UUID],
) -> list[UUID]:
    """Write an event's deliveries and the jobs of their first attempts; return the deliveries.

    An endpoint that has a delivery of this event gets no second one.
    """
    deliveries = await store.insert_deliveries(
        transaction, event_id=event_id, event_type=event_type, body=body, endpoint_ids=endpoint_ids
    )
    await jobs.enqueue_many(transaction, [DeliverWebhook(delivery_id=id_) for id_ in deliveries])
    return deliveries


def _is_of_this_round(progress: Progress, command: DeliverWebhook) -> bool:
    # A person who wants a retry now begins a new round, whatever waited or ran in the old one.
    return progress.state is WebhookDeliveryState.PENDING and progress.round == command.round


def _result(answer: Answer) -> str:
    if answer.succeeded:
        return "succeeded"
    return "unreachable" if answer.status is None else "refused"
