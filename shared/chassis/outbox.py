"""The only door to the bus: a row written together with the change it tells of."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from uuid_utils.compat import uuid7

from shared.chassis.database import SQL, Transaction
from shared.chassis.payloads import require_payload
from shared.chassis.telemetry.tracing import traceparent
from shared.schemas.events.envelope import Event, EventData
from shared.schemas.events.registry import EVENT_TYPES, RESERVED_NOUNS

EVENTS_EXCHANGE = "freehold.events"
REALTIME_EXCHANGE = "freehold.realtime"


class Outbox:
    """Writes messages into a service's outbox; `source` is the service's name."""

    def __init__(self, source: str) -> None:
        self._source = source

    async def emit(self, transaction: Transaction, data: EventData, *, subject: str) -> UUID:
        """Queue an event, to be published after this transaction commits; return its id.

        Events of one subject keep their order if the caller has locked the subject's row in this
        transaction before. Raises ValueError for a type that is not in the registry,
        PayloadTooLarge for more than 256 KiB.
        """
        if EVENT_TYPES.get(data.event_type) is not type(data):
            raise ValueError(f"event type {data.event_type} is not registered")
        event: Event[EventData] = Event(
            id=uuid7(),
            type=data.event_type,
            version=data.event_version,
            time=datetime.now(UTC),
            source=self._source,
            subject=subject,
            traceparent=traceparent.get(),
            data=data,
        )
        await self._append_event(transaction, event)
        return event.id

    async def emit_application_event(
        self,
        transaction: Transaction,
        *,
        type: str,  # noqa: A002 - the field's name in the envelope
        version: int,
        data: dict[str, Any],
        source: str,
        subject: str,
    ) -> UUID:
        """Queue an event of one of the owner's programs; return its id.

        Its data was checked by the caller. Raises ValueError for a type about what is the house's
        own, PayloadTooLarge for more than 256 KiB.
        """
        if type.split(".", 1)[0] in RESERVED_NOUNS:
            raise ValueError(f"events named {type} are emitted by Freehold alone")
        event = Event[Any](
            id=uuid7(),
            type=type,
            version=version,
            time=datetime.now(UTC),
            source=source,
            subject=subject,
            traceparent=traceparent.get(),
            data=data,
        )
        await self._append_event(transaction, event)
        return event.id

    async def send_again(
        self, transaction: Transaction, *, queue: str, event_id: UUID, body: dict[str, Any]
    ) -> None:
        """Queue an event once more for one consumer alone, by its queue."""
        await self._append(
            transaction,
            event_id,
            exchange="",
            routing_key=queue,
            subject=str(body.get("subject", event_id)),
            body=body,
        )

    async def _append_event(self, transaction: Transaction, event: Event[Any]) -> None:
        body = event.model_dump(mode="json", serialize_as_any=True)
        require_payload(body)
        await self._append(
            transaction,
            event.id,
            exchange=EVENTS_EXCHANGE,
            routing_key=event.type,
            subject=event.subject,
            body=body,
        )

    async def publish_room_message(
        self, transaction: Transaction, *, channel: str, event: str, data: Any
    ) -> UUID:
        """Queue a message for everybody on a realtime channel; return its id."""
        message_id = uuid7()
        body = {
            "id": str(message_id),
            "channel": channel,
            "event": event,
            "data": data,
            "at": datetime.now(UTC).isoformat(),
        }
        await self._append(
            transaction,
            message_id,
            exchange=REALTIME_EXCHANGE,
            routing_key="message",
            subject=channel,
            body=body,
        )
        return message_id

    async def _append(
        self,
        transaction: Transaction,
        message_id: UUID,
        *,
        exchange: str,
        routing_key: str,
        subject: str,
        body: dict[str, Any],
    ) -> None:
        await transaction.execute(
            SQL["append_to_outbox"], message_id, exchange, routing_key, subject, body
        )
        await transaction.execute(SQL["wake_relay"], notification_channel(self._source))


def notification_channel(schema: str) -> str:
    """Return the name on which the relay of a schema is woken."""
    return f"freehold_outbox_{schema}"
