"""What administrators do with endpoints and their log."""

from datetime import UTC, datetime, timedelta
from typing import ClassVar, Final
from uuid import UUID

from uuid_utils.compat import uuid7

from services.jobs.webhooks import store
from services.jobs.webhooks.consumers import SOURCE
from services.jobs.webhooks.deliveries import DeliverWebhook, queue_deliveries
from services.jobs.webhooks.secrets import EndpointSecrets
from services.jobs.webhooks.signing import new_secret, shown_secret
from shared.chassis.database import Database, Executor
from shared.chassis.errors import Problem
from shared.chassis.jobs.commands import JobQueue
from shared.chassis.outgoing.addresses import AddressGuard
from shared.chassis.outgoing.urls import check_url
from shared.chassis.telemetry.tracing import traceparent
from shared.schemas.api.webhooks import (
    Webhook,
    WebhookCreate,
    WebhookDelivery,
    WebhookUpdate,
    WebhookWithSecret,
)
from shared.schemas.events.envelope import Event, EventData
from shared.schemas.problems import FieldError, ProblemCode

SECRET_OVERLAP: Final = timedelta(hours=24)
BY_HAND: Final = "an administrator disabled it"


class WebhookTest(EventData):
    """What a test sends; it never travels on the bus."""

    event_type: ClassVar[str] = "webhook.test"
    webhook_id: UUID
    message: str = "This is a test of your webhook; nothing has happened."


class Endpoints:
    """Endpoints, each with a secret that only its answers at creation and rotation show."""

    def __init__(
        self,
        database: Database,
        jobs: JobQueue,
        *,
        guard: AddressGuard,
        secrets: EndpointSecrets,
    ) -> None:
        self._database = database
        self._jobs = jobs
        self._guard = guard
        self._secrets = secrets

    async def create(self, executor: Executor, body: WebhookCreate) -> WebhookWithSecret:
        """Add an endpoint. Raises Problem `validation_failed` for an address of no use."""
        self._require_reachable(body.url)
        endpoint_id, secret = uuid7(), new_secret()
        endpoint = await store.insert_endpoint(
            executor,
            endpoint_id,
            url=body.url,
            event_types=body.event_types,
            description=body.description,
            sealed_secret=self._secrets.sealed(endpoint_id, secret),
        )
        return _with_secret(endpoint, secret)

    async def read(self, endpoint_id: UUID) -> Webhook:
        """Return an endpoint. Raises Problem `webhook_not_found`."""
        return _found(await store.find_endpoint(self._database, endpoint_id))

    async def update(self, endpoint_id: UUID, change: WebhookUpdate) -> Webhook:
        """Change what is given. Raises Problem `validation_failed` or `webhook_not_found`."""
        if change.url is not None:
            self._require_reachable(change.url)
        return _found(
            await store.update_endpoint(
                self._database, endpoint_id, change, disabled_reason=BY_HAND
            )
        )

    async def delete(self, endpoint_id: UUID) -> None:
        """Send nothing more and forget the secrets. Raises Problem `webhook_not_found`."""
        if not await store.delete_endpoint(self._database, endpoint_id):
            raise Problem(ProblemCode.WEBHOOK_NOT_FOUND)

    async def rotate_secret(self, endpoint_id: UUID) -> WebhookWithSecret:
        """Make a new secret; for 24 hours messages are signed with the one before it too.

        Another rotation in that time ends the oldest. Raises Problem `webhook_not_found`.
        """
        secret = new_secret()
        endpoint = await store.rotate_secret(
            self._database,
            endpoint_id,
            self._secrets.sealed(endpoint_id, secret),
            overlap=SECRET_OVERLAP,
        )
        return _with_secret(_found(endpoint), secret)

    async def test(self, endpoint_id: UUID) -> WebhookDelivery:
        """Send a `webhook.test` message the way of all others, whatever types are asked for.

        Raises Problem `webhook_not_found` or `webhook_disabled`.
        """
        event: Event[WebhookTest] = Event(
            id=uuid7(),
            type=WebhookTest.event_type,
            version=WebhookTest.event_version,
            time=datetime.now(UTC),
            source=SOURCE,
            subject=str(endpoint_id),
            traceparent=traceparent.get(),
            data=WebhookTest(webhook_id=endpoint_id),
        )
        async with self._database.transaction() as transaction:
            await self._require_enabled(transaction, endpoint_id)
            [delivery_id] = await queue_deliveries(
                transaction,
                self._jobs,
                event_id=event.id,
                event_type=event.type,
                body=event.model_dump_json(),
                endpoint_ids=[endpoint_id],
            )
            return _delivery(await store.find_delivery(transaction, endpoint_id, delivery_id))

    async def retry(self, endpoint_id: UUID, delivery_id: UUID) -> WebhookDelivery:
        """Send a delivery again now, however it ended, with all attempts before it.

        Raises Problem `webhook_not_found`, `webhook_disabled` or `webhook_delivery_not_found`.
        """
        async with self._database.transaction() as transaction:
            await self._require_enabled(transaction, endpoint_id)
            round_ = await store.begin_round(transaction, endpoint_id, delivery_id)
            if round_ is None:
                raise Problem(ProblemCode.WEBHOOK_DELIVERY_NOT_FOUND)
            await self._jobs.enqueue(
                transaction, DeliverWebhook(delivery_id=delivery_id, round=round_)
            )
            return _delivery(await store.find_delivery(transaction, endpoint_id, delivery_id))

    async def _require_enabled(self, executor: Executor, endpoint_id: UUID) -> None:
        if not _found(await store.find_endpoint(executor, endpoint_id)).enabled:
            raise Problem(ProblemCode.WEBHOOK_DISABLED)

    def _require_reachable(self, url: str) -> None:
        try:
            check_url(url, self._guard)
        except ValueError as error:
            raise Problem(
                ProblemCode.VALIDATION_FAILED,
                errors=[FieldError(field="url", message=str(error))],
            ) from error


def _found(endpoint: Webhook | None) -> Webhook:
    if endpoint is None:
        raise Problem(ProblemCode.WEBHOOK_NOT_FOUND)
    return endpoint


def _delivery(delivery: WebhookDelivery | None) -> WebhookDelivery:
    if delivery is None:
        raise Problem(ProblemCode.WEBHOOK_DELIVERY_NOT_FOUND)
    return delivery


def _with_secret(endpoint: Webhook, secret: bytes) -> WebhookWithSecret:
    return WebhookWithSecret(**endpoint.model_dump(), secret=shown_secret(secret))
