"""The parts that webhooks are made of, in the order they start."""

from datetime import timedelta
from ipaddress import ip_network

from services.jobs.webhooks.deliveries import Deliverer, DeliverWebhook
from services.jobs.webhooks.endpoints import Endpoints
from services.jobs.webhooks.lanes import Lanes
from services.jobs.webhooks.pruning import LogPruning
from services.jobs.webhooks.secrets import EndpointSecrets
from services.jobs.webhooks.sending import Sender
from services.jobs.webhooks.settings import WebhookSettings
from shared.chassis.bus import Bus
from shared.chassis.database import Database
from shared.chassis.jobs.commands import JobQueue
from shared.chassis.jobs.wakeups import Wakeups
from shared.chassis.jobs.worker import JobWorker
from shared.chassis.lifecycle import Lifecycle
from shared.chassis.outbox import Outbox
from shared.chassis.outgoing.addresses import AddressGuard
from shared.chassis.outgoing.requests import OutgoingRequests, SystemResolver


def make_endpoints(settings: WebhookSettings, database: Database, bus: Bus) -> Endpoints:
    """Return what the routes of a web process need."""
    return Endpoints(
        database,
        JobQueue(bus),
        guard=_guard(settings),
        secrets=EndpointSecrets(settings.master_key),
    )


async def start_deliveries(
    settings: WebhookSettings,
    lifecycle: Lifecycle,
    *,
    database: Database,
    bus: Bus,
    wakeups: Wakeups,
) -> None:
    """Start what a worker process needs to deliver and to keep the log bounded."""
    resolver = await lifecycle.start(SystemResolver())
    deliverer = Deliverer(
        database,
        Outbox(database.schema),
        JobQueue(bus),
        sender=Sender(OutgoingRequests(_guard(settings), resolver)),
        secrets=EndpointSecrets(settings.master_key),
        lanes=Lanes(width=settings.webhook_endpoint_concurrency),
    )
    await lifecycle.start(
        JobWorker(
            database,
            wakeups,
            lifecycle,
            queue=DeliverWebhook.queue,
            handlers={DeliverWebhook: deliverer.deliver},
            concurrency=settings.webhook_concurrency,
        )
    )
    await lifecycle.start(
        LogPruning(database, lifecycle, keep=timedelta(days=settings.webhook_log_days))
    )


def _guard(settings: WebhookSettings) -> AddressGuard:
    return AddressGuard(
        [ip_network(text) for text in settings.webhook_allowed_networks],
        setting="FREEHOLD_WEBHOOK_ALLOWED_NETWORKS",
    )
