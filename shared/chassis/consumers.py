"""Consumes events exactly once in effect: the inbox's row and the effect commit together."""

import asyncio
import contextlib
import json
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeAlias
from uuid import UUID

from aio_pika.abc import AbstractConnection, AbstractIncomingMessage
from pydantic import ValidationError
from uuid_utils.compat import uuid7

from shared.chassis.bus import (
    BUS_ERRORS,
    RETRY_DELAYS_SECONDS,
    Bus,
    close_quietly,
    open_channel,
    retry_queue,
)
from shared.chassis.database import SQL, Database, Transaction
from shared.chassis.errors import PermanentFailure, Unavailable
from shared.chassis.lifecycle import BackgroundTask, Lifecycle, end
from shared.chassis.telemetry import metrics
from shared.chassis.telemetry.tracing import traceparent
from shared.schemas.events.envelope import Event, EventData
from shared.schemas.events.subscriptions import SUBSCRIPTIONS

logger = logging.getLogger(__name__)

PREFETCH = 50
RECONNECT_SECONDS = 1.0
HOUSEKEEPING_SECONDS = 60.0
ATTEMPT_HEADER = "x-attempt"

Handler: TypeAlias = Callable[[Transaction, Event[Any]], Awaitable[None]]
"""Runs inside the inbox's transaction. Raise to be tried again, PermanentFailure not to be."""


class EventConsumer(BackgroundTask):
    """Handles the events of one queue, one after the other.

    A delivery that fails climbs a ladder of delays and then rests in `dead_letters`. The loss of
    Postgres or of the broker is nobody's failure: the consumer waits and no attempt is counted.
    """

    name = "event consumer"

    def __init__(
        self,
        bus: Bus,
        database: Database,
        lifecycle: Lifecycle,
        *,
        queue: str,
        handlers: Mapping[type[EventData], Handler],
    ) -> None:
        super().__init__(lifecycle)
        if set(handlers) != set(SUBSCRIPTIONS[queue]):
            raise ValueError(f"the handlers of {queue} are not what the subscriptions table says")
        self._bus = bus
        self._database = database
        self._queue = queue
        self._handlers = {data.event_type: (data, run) for data, run in handlers.items()}

    async def run(self) -> None:
        """Consume until cancelled; a lost broker is waited for."""
        housekeeping = asyncio.create_task(self._keep_house(), name="inbox housekeeping")
        try:
            while True:
                with contextlib.suppress(Unavailable):
                    connection = await self._bus.connect(f"consume {self._queue}")
                    try:
                        await self._consume(connection)
                    finally:
                        await close_quietly(connection)
                await asyncio.sleep(RECONNECT_SECONDS)
        finally:
            await end(housekeeping)

    async def _consume(self, connection: AbstractConnection) -> None:
        try:
            channel = await open_channel(connection, confirms=False)
            await channel.set_qos(prefetch_count=PREFETCH)
            queue = await channel.get_queue(self._queue)
            async with queue.iterator() as messages:
                async for message in messages:
                    await self._settle(message)
        except BUS_ERRORS as error:
            logger.warning(
                "the consumer lost its queue and starts anew",
                extra={"action": "consumer_reconnects", "queue": self._queue, "cause": repr(error)},
            )

    async def _settle(self, message: AbstractIncomingMessage) -> None:
        attempt = int(str((message.headers or {}).get(ATTEMPT_HEADER, 1)))
        while True:
            try:
                await self._handle(message)
            except Unavailable as error:
                if error.dependency == "rabbitmq":
                    raise ConnectionError("the broker is gone") from error
                await asyncio.sleep(RECONNECT_SECONDS)
                continue
            except PermanentFailure as error:
                await self._park(message, attempt, str(error))
            except Exception as error:
                logger.exception(
                    "an event could not be handled",
                    extra={"action": "event_failed", "queue": self._queue, "attempt": attempt},
                )
                await self._retry(message, attempt, repr(error))
            await message.ack()
            return

    async def _handle(self, message: AbstractIncomingMessage) -> None:
        event, handler = self._decode(message)
        token = traceparent.set(event.traceparent)
        try:
            async with self._database.transaction() as transaction:
                first = await transaction.fetchval(SQL["record_in_inbox"], self._queue, event.id)
                if first:
                    await handler(transaction, event)
            self._count(event.type, "handled" if first else "duplicate")
        finally:
            traceparent.reset(token)

    def _decode(self, message: AbstractIncomingMessage) -> tuple[Event[Any], Handler]:
        event_type = message.routing_key or ""
        try:
            event_type = json.loads(message.body)["type"]
            data, handler = self._handlers[event_type]
            return Event[data].model_validate_json(message.body), handler  # type: ignore[valid-type] # the type is looked up at run time
        except (ValueError, LookupError, TypeError, ValidationError) as error:
            raise PermanentFailure(f"{event_type} could not be read: {error!r}") from error

    async def _retry(self, message: AbstractIncomingMessage, attempt: int, cause: str) -> None:
        if attempt > len(RETRY_DELAYS_SECONDS):
            await self._park(message, attempt, cause)
            return
        # The copy is confirmed before the original is acknowledged, under the same id, so a crash
        # in between makes a double that the inbox drops.
        try:
            await self._bus.publish(
                "",
                retry_queue(self._queue, RETRY_DELAYS_SECONDS[attempt - 1]),
                message.body,
                message_id=message.message_id or "",
                mandatory=True,
                headers={ATTEMPT_HEADER: attempt + 1},
            )
        except Unavailable as error:
            raise ConnectionError("the broker is gone") from error
        self._count(message.routing_key or "", "retried")

    async def _park(self, message: AbstractIncomingMessage, attempt: int, cause: str) -> None:
        try:
            body = json.loads(message.body)
        except ValueError:
            body = {"unreadable": message.body.decode("utf-8", "replace")}
        event_type = str(body.get("type", "unknown")) if isinstance(body, dict) else "unknown"
        logger.error(
            "an event was parked as a dead letter",
            extra={"action": "event_parked", "queue": self._queue, "cause": cause},
        )
        while True:
            try:
                await self._database.execute(
                    SQL["park_dead_letter"],
                    _event_id(message),
                    self._queue,
                    event_type,
                    attempt,
                    cause,
                    body,
                )
                break
            except Unavailable:
                await asyncio.sleep(RECONNECT_SECONDS)
        self._count(event_type, "dead")

    async def _keep_house(self) -> None:
        while True:
            with contextlib.suppress(Unavailable):
                metrics.DEAD_LETTERS.set(await self._database.fetchval(SQL["count_dead_letters"]))
                await self._database.execute(SQL["delete_old_inbox"])
            await asyncio.sleep(HOUSEKEEPING_SECONDS)

    def _count(self, event_type: str, outcome: str) -> None:
        metrics.EVENTS_HANDLED.labels(self._queue, event_type, outcome).inc()


def _event_id(message: AbstractIncomingMessage) -> UUID:
    try:
        return UUID(message.message_id or "")
    except ValueError:  # not published by a relay of ours
        return uuid7()
