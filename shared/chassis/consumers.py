"""Consumes events exactly once in effect: the inbox's row and the effect commit together."""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeAlias
from uuid import UUID

from aio_pika.abc import AbstractConnection, AbstractIncomingMessage, AbstractQueue
from uuid_utils.compat import uuid7

from shared.chassis.bus import (
    BUS_ERRORS,
    DELIVERY_LIMIT,
    RETRY_DELAYS_SECONDS,
    Bus,
    close_quietly,
    exhausted_queue,
    open_channel,
    retry_queue,
)
from shared.chassis.canary import CANARY_HEADER, Canary
from shared.chassis.database import SQL, Database, Transaction
from shared.chassis.dead_letters import DeadLetterOffice
from shared.chassis.errors import PermanentFailure, Unavailable
from shared.chassis.lifecycle import BackgroundTask, Lifecycle, end
from shared.chassis.telemetry import metrics
from shared.chassis.telemetry.tracing import traceparent
from shared.schemas.events.envelope import Event, EventData
from shared.schemas.events.reading import read_event
from shared.schemas.events.subscriptions import SUBSCRIPTIONS
from shared.schemas.events.upcasting import NewerVersion

logger = logging.getLogger(__name__)

PREFETCH = 50
RECONNECT_SECONDS = 1.0
DRAIN_SECONDS = 10.0
HOUSEKEEPING_SECONDS = 30.0
ATTEMPT_HEADER = "x-attempt"

Handler: TypeAlias = Callable[[Transaction, Event[Any]], Awaitable[None]]
"""Runs inside the inbox's transaction. Raise to be tried again, PermanentFailure not to be."""


class EventConsumer(BackgroundTask):
    """Handles the events of one queue, one after the other.

    A delivery that fails climbs a ladder of delays and then rests in `dead_letters`. The loss of
    Postgres or of the broker is nobody's failure: the consumer waits and no attempt is counted.
    At `stop` the event in hand gets ten seconds to finish; what else was fetched stays queued.
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
        """Take a handler for each type of the queue; that of `EventData` takes all other types."""
        super().__init__(lifecycle)
        if set(handlers) != set(SUBSCRIPTIONS[queue]):
            raise ValueError(f"the handlers of {queue} are not what the subscriptions table says")
        self._bus = bus
        self._database = database
        self._queue = queue
        self._handlers = {
            data.event_type: run for data, run in handlers.items() if data is not EventData
        }
        self._any_handler = handlers.get(EventData)
        self._dead_letters = DeadLetterOffice(database, lifecycle.conditions, queue)
        self._canary = Canary(bus, queue)
        self._in_hand = asyncio.Lock()
        self._draining = False

    async def run(self) -> None:
        """Consume until cancelled; a lost broker is waited for."""
        housekeeping = self.aide(self._keep_house(), "inbox housekeeping")
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

    async def drain(self) -> None:
        """Let the event in hand finish, and take no other."""
        self._draining = True
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(DRAIN_SECONDS), self._in_hand:
                pass

    async def _consume(self, connection: AbstractConnection) -> None:
        aides = [self.aide(self._canary.run(), f"canary of {self._queue}")]
        try:
            channel = await open_channel(connection, confirms=False)
            await channel.set_qos(prefetch_count=PREFETCH)
            exhausted = await channel.get_queue(exhausted_queue(self._queue))
            aides.append(self.aide(self._take_exhausted(exhausted), "exhausted events"))
            queue = await channel.get_queue(self._queue)
            async with queue.iterator() as messages:
                async for message in messages:
                    async with self._in_hand:
                        if self._draining:
                            return
                        await self._take(message)
        except BUS_ERRORS as error:
            logger.warning(
                "the consumer lost its queue and starts anew",
                extra={"action": "consumer_reconnects", "queue": self._queue, "cause": repr(error)},
            )
        finally:
            await end(*aides)

    async def _take(self, message: AbstractIncomingMessage) -> None:
        if CANARY_HEADER in (message.headers or {}):
            await message.ack()
        else:
            with self._canary.busy():
                await self._settle(message)
        self._canary.heard()

    async def _take_exhausted(self, queue: AbstractQueue) -> None:
        # Twenty deliveries ended with the death of their process: this event may be the reason,
        # or it waited behind the reason. The ladder keeps the two apart.
        cause = f"delivered {DELIVERY_LIMIT} times and never brought to an end"
        with contextlib.suppress(*BUS_ERRORS):
            async with queue.iterator() as messages:
                async for message in messages:
                    if CANARY_HEADER not in (message.headers or {}):  # one that expired
                        await self._retry(message, _attempt(message), cause)
                    await message.ack()

    async def _settle(self, message: AbstractIncomingMessage) -> None:
        attempt = _attempt(message)
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
        try:
            event = read_event(message.body)
            return event, self._handlers.get(event.type) or self._handler_of_any(event.type)
        except NewerVersion:
            raise  # a newer release is on its way to this process, so trying again helps
        except (ValueError, LookupError, TypeError) as error:
            raise PermanentFailure(f"the event could not be read: {error}") from error

    def _handler_of_any(self, event_type: str) -> Handler:
        if self._any_handler is None:
            raise LookupError(f"{self._queue} has no handler for {event_type}")
        return self._any_handler

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
        while True:
            try:
                event_type = await self._dead_letters.park(
                    _event_id(message), message.body, attempts=attempt, cause=cause
                )
                break
            except Unavailable:
                await asyncio.sleep(RECONNECT_SECONDS)
        self._count(event_type, "dead")

    async def _keep_house(self) -> None:
        while True:
            with contextlib.suppress(Unavailable):
                await self._dead_letters.measure()
                await self._database.execute(SQL["delete_old_inbox"])
            await asyncio.sleep(HOUSEKEEPING_SECONDS)

    def _count(self, event_type: str, outcome: str) -> None:
        metrics.EVENTS_HANDLED.labels(self._queue, event_type, outcome).inc()


def _attempt(message: AbstractIncomingMessage) -> int:
    return int(str((message.headers or {}).get(ATTEMPT_HEADER, 1)))


def _event_id(message: AbstractIncomingMessage) -> UUID:
    try:
        return UUID(message.message_id or "")
    except ValueError:  # not published by a relay of ours
        return uuid7()
