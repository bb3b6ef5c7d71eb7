"""Events on their way from the bus to deliveries."""

import json
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from standardwebhooks import Webhook as Verifier
from uuid_utils.compat import uuid7

from services.jobs.webhooks.consumers import WebhookNews
from shared.chassis.consumers import EventConsumer
from shared.chassis.jobs.commands import JobQueue
from shared.chassis.lifecycle import Lifecycle
from shared.chassis.outbox import EVENTS_EXCHANGE
from shared.schemas.events.subscriptions import SUBSCRIPTIONS
from tests.parts.waiting import eventually
from tests.service.jobs.webhooks.conftest import Webhooks


async def start_consumer(webhooks: Webhooks) -> None:
    lifecycle = Lifecycle()
    webhooks.lifecycles.push_async_callback(lifecycle.stop)
    await lifecycle.start(
        EventConsumer(
            webhooks.bus,
            webhooks.database,
            lifecycle,
            queue="jobs.events",
            handlers=dict.fromkeys(
                SUBSCRIPTIONS["jobs.events"], WebhookNews(JobQueue(webhooks.bus)).on_event
            ),
        )
    )


def envelope(event_type: str, data: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": str(uuid7()),
        "type": event_type,
        "version": 1,
        "time": datetime.now(UTC).isoformat().replace("+00:00", "Z"),
        "source": "shop",
        "subject": "order/1",
        "traceparent": None,
        "data": data,
    }


async def publish(webhooks: Webhooks, event: dict[str, Any]) -> None:
    await webhooks.bus.publish(
        EVENTS_EXCHANGE,
        event["type"],
        json.dumps(event).encode(),
        message_id=event["id"],
        mandatory=True,
    )


async def test_events_of_applications_and_of_the_house_arrive_as_they_were_told(
    webhooks: Webhooks,
) -> None:
    endpoint = await webhooks.subscribe("*")
    await start_consumer(webhooks)
    await webhooks.start_worker()
    events = [
        envelope("order.paid", {"total": 12.5, "lines": [{"name": "Käse \U0001f9c0", "n": None}]}),
        envelope("mail.delivered", {"message_id": str(uuid7())}),
    ]
    for event in events:
        await publish(webhooks, event)
    await eventually(webhooks.receiver.count, 2)
    received = {
        body["id"]: body
        for request in webhooks.receiver.received
        for body in [Verifier(endpoint["secret"]).verify(request.body, request.headers)]
    }
    assert received == {event["id"]: event for event in events}


async def test_an_event_published_twice_is_delivered_once(webhooks: Webhooks) -> None:
    await webhooks.subscribe("*")
    await webhooks.subscribe("order.*")
    event = envelope("order.paid", {})
    await publish(webhooks, event)
    await publish(webhooks, event)
    await start_consumer(webhooks)
    last = envelope("shop.closed", {})
    await publish(webhooks, last)

    async def is_seen() -> bool:
        return bool(
            await webhooks.database.fetchval(
                "SELECT count(*) FROM inbox WHERE event_id = $1", UUID(last["id"])
            )
        )

    await eventually(is_seen, expected=True)
    messages = await webhooks.database.fetch(
        "SELECT message_id, count(*) AS count FROM webhook_deliveries GROUP BY 1 ORDER BY 1"
    )
    assert [(str(row["message_id"]), row["count"]) for row in messages] == [
        (event["id"], 2),
        (last["id"], 1),
    ]
    assert await webhooks.live_jobs() == 3
    await webhooks.start_worker()
    await eventually(webhooks.states, [("delivered", 1)] * 3)
    assert await webhooks.receiver.count() == 3
