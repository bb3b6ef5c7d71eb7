"""What webhooks do when anything happens anywhere."""

from datetime import UTC, datetime
from typing import Any, Final

from services.jobs.webhooks import store
from services.jobs.webhooks.deliveries import DeliverWebhook, queue_deliveries
from services.jobs.webhooks.sending import Answer
from shared.chassis.database import Transaction
from shared.chassis.jobs.commands import JobQueue
from shared.schemas.api.webhooks import WebhookDeliveryState
from shared.schemas.events.envelope import Event
from shared.schemas.events.jobs import JobFailed

SOURCE: Final = "jobs"
"""This service, as its events name it."""


def patterns_of(event_type: str) -> list[str]:
    """Return what an endpoint may have asked for to be told of this type.

    >>> patterns_of("order.paid")
    ['*', 'order.*', 'order.paid']
    """
    parts = event_type.split(".")
    groups = [".".join(parts[:length]) + ".*" for length in range(1, len(parts))]
    return ["*", *groups, event_type]


class WebhookNews:
    """Queues a delivery of each event for every endpoint that asked for it."""

    def __init__(self, jobs: JobQueue) -> None:
        self._jobs = jobs

    async def on_event(self, transaction: Transaction, event: Event[Any]) -> None:
        """Write the deliveries and their jobs in the inbox's transaction.

        A failed delivery job is no news for webhooks: the news of it could only fail likewise.
        """
        if isinstance(event.data, JobFailed) and _is_of_a_delivery(event):
            await self._give_up(transaction, event.data)
            return
        endpoint_ids = await store.matching_endpoints(transaction, patterns_of(event.type))
        if endpoint_ids:
            await queue_deliveries(
                transaction,
                self._jobs,
                event_id=event.id,
                event_type=event.type,
                body=event.model_dump_json(),
                endpoint_ids=endpoint_ids,
            )

    async def _give_up(self, transaction: Transaction, failed: JobFailed) -> None:
        delivery_id = await store.delivery_of_job(transaction, failed.job_id)
        progress = delivery_id and await store.lock_delivery(transaction, delivery_id)
        if not delivery_id or not progress:
            return
        attempts = progress.attempts + 1
        error = f"the delivery failed inside of Freehold: {failed.cause}"
        await store.insert_attempt(
            transaction, delivery_id, attempts, datetime.now(UTC), Answer(error=error)
        )
        await store.end_delivery(
            transaction, delivery_id, WebhookDeliveryState.FAILED, attempts=attempts
        )


def _is_of_a_delivery(event: Event[JobFailed]) -> bool:
    return event.source == SOURCE and event.data.queue == DeliverWebhook.queue
