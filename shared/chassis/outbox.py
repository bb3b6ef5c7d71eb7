"""The only door to the bus: a row written together with the change it tells of."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple
from uuid import UUID

from uuid_utils.compat import uuid7

from shared.chassis.database import SQL, Transaction
from shared.chassis.payloads import require_payload
from shared.chassis.telemetry.tracing import traceparent
from shared.schemas.events.envelope import Event, EventData
from shared.schemas.events.registry import EVENT_TYPES, RESERVED_NOUNS

EVENTS_EXCHANGE = "freehold.events"
REALTIME_EXCHANGE = "freehold.realtime"


class _Message(NamedTuple):
    id: UUID
    routing_key: str
    subject: str
    body: dict[str, Any]


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
        event = self._event(data, subject)
        await self._append_events(transaction, [event])
        return event.id

    async def emit_all(
        self, transaction: Transaction, events: Sequence[tuple[EventData, str]]
    ) -> None:
        """Queue many events, each with its subject, in their order, as `emit` does for one."""
        await self._append_events(
            transaction, [self._event(data, subject) for data, subject in events]
        )

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
        await self._append_events(transaction, [event])
        return event.id

    async def send_again(
        self, transaction: Transaction, events: Sequence[tuple[UUID, dict[str, Any]]], *, queue: str
    ) -> None:
        """Queue events, each an id and a body, once more for one consumer alone, by its queue."""
        await self._append(
            transaction,
            [
                _Message(event_id, queue, str(body.get("subject", event_id)), body)
                for event_id, body in events
            ],
            exchange="",
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
            [_Message(message_id, "message", channel, body)],
            exchange=REALTIME_EXCHANGE,
        )
        return message_id

    def _event(self, data: EventData, subject: str) -> Event[EventData]:
        if EVENT_TYPES.get(data.event_type) is not type(data):
            raise ValueError(f"event type {data.event_type} is not registered")
        return Event(
            id=uuid7(),
            type=data.event_type,
            version=data.event_version,
            time=datetime.now(UTC),
            source=self._source,
            subject=subject,
            traceparent=traceparent.get(),
            data=data,
        )

    async def _append_events(self, transaction: Transaction, events: Sequence[Event[Any]]) -> None:
        messages = []
        for event in events:
            body = event.model_dump(mode="json", serialize_as_any=True)
            require_payload(body)
            messages.append(_Message(event.id, event.type, event.subject, body))
        await self._append(transaction, messages, exchange=EVENTS_EXCHANGE)

    async def _append(
        self, transaction: Transaction, messages: Sequence[_Message], *, exchange: str
    ) -> None:
        if not messages:
            return
        await transaction.execute(
            SQL["append_to_outbox"],
            notification_channel(self._source),
            exchange,
            [message.id for message in messages],
            [message.routing_key for message in messages],
            [message.subject for message in messages],
            [message.body for message in messages],
        )


def notification_channel(schema: str) -> str:
    """Return the name on which the relay of a schema is woken."""
    return f"freehold_outbox_{schema}"
