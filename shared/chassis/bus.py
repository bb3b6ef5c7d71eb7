"""RabbitMQ: connections that come back, confirmed publishing, and the topology of queues."""

import asyncio
import contextlib
import json
from typing import Any

import aio_pika
from aio_pika.abc import AbstractChannel, AbstractConnection
from aio_pika.exceptions import AMQPError, DeliveryError
from aiormq.exceptions import ChannelInvalidStateError

from shared.chassis.conditions import Conditions
from shared.chassis.errors import Unavailable
from shared.chassis.lifecycle import end
from shared.chassis.outbox import EVENTS_EXCHANGE, REALTIME_EXCHANGE
from shared.chassis.settings import BusSettings
from shared.chassis.telemetry import metrics
from shared.schemas.events.subscriptions import SUBSCRIPTIONS, routing_pattern

CONNECT_TIMEOUT_SECONDS = 10.0
PUBLISH_TIMEOUT_SECONDS = 10.0
BLOCKED_TIMEOUT_SECONDS = 2.0
CLOSE_TIMEOUT_SECONDS = 3.0
LAST_WAKES_SECONDS = 1.0
HEARTBEAT_SECONDS = 15
WAKE_EXCHANGE = "freehold.wake"
RETRY_DELAYS_SECONDS = (5, 30, 300, 1800)
"""Steps of the ladder that a failing event climbs before it is parked as a dead letter."""
DELIVERY_LIMIT = 20
"""Deliveries that ended with their process, before the event takes the ladder."""

BUS_ERRORS = (AMQPError, ChannelInvalidStateError, ConnectionError, OSError, TimeoutError)
"""What aio-pika raises when the broker is gone, is stopping, or closed a channel."""


class Unroutable(Exception):  # noqa: N818 - what happened; the relay tries again
    """A message with subscribers reached no queue."""


class Bus:
    """A service's link to RabbitMQ, made when it is first used and made again after a loss.

    Publishing and consuming have connections of their own, because a broker short of memory or
    disk blocks publishers, and consumers must go on. The connections are aio-pika's plain ones:
    whoever consumes notices the loss and starts anew, so there is one way to begin and one state
    to reason about, where a connection that restores itself has many.
    """

    def __init__(
        self, settings: BusSettings, service: str, conditions: Conditions | None = None
    ) -> None:
        """Take the conditions of the process, where a broker that refuses messages is told."""
        self.service = service
        self._conditions = conditions or Conditions()
        self._may_be_blocked = False
        self._blocked = False
        self._url = settings.amqp_url.get_secret_value()
        self._publishing: AbstractConnection | None = None
        self._channel: AbstractChannel | None = None
        self._wakes: set[str] = set()
        self._waking: asyncio.Task[None] | None = None
        self._lock = asyncio.Lock()

    async def start(self) -> None:
        """Do nothing: a service without its broker still serves what needs none."""

    async def stop(self) -> None:
        """Send the wake-ups that wait, a second long, and close the publishing connection.

        Consumers close their own.
        """
        if self._waking is not None:
            await asyncio.wait([self._waking], timeout=LAST_WAKES_SECONDS)
            await end(self._waking)
        connection, self._publishing = self._publishing, None
        if connection is not None:
            await close_quietly(connection)

    async def connect(self, purpose: str) -> AbstractConnection:
        """Open a connection that the caller closes. Raises Unavailable."""
        try:
            return await aio_pika.connect(
                self._url,
                timeout=CONNECT_TIMEOUT_SECONDS,
                heartbeat=HEARTBEAT_SECONDS,
                client_properties={"connection_name": f"freehold {self.service} {purpose}"},
            )
        except BUS_ERRORS as error:
            raise Unavailable("rabbitmq") from error

    async def publish(
        self,
        exchange: str,
        routing_key: str,
        body: bytes,
        *,
        message_id: str,
        mandatory: bool,
        headers: dict[str, Any] | None = None,
        expiration_seconds: float | None = None,
        channel: AbstractChannel | None = None,
    ) -> None:
        """Publish a persistent message and return when the broker has confirmed it.

        Messages that must not overtake each other are given one channel, from
        `publishing_channel`: after its loss none of them goes out by another.

        May be called from many tasks at once; awaiting many together is how a window of confirms
        is made. Raises Unroutable (only if mandatory) or Unavailable; the message may then still
        have arrived, so consumers drop doubles. An empty exchange name is the default exchange.
        """
        try:
            channel = channel or await self.publishing_channel()
            target = (
                await channel.get_exchange(exchange, ensure=False)
                if exchange
                else channel.default_exchange
            )
        except BUS_ERRORS as error:
            raise Unavailable("rabbitmq") from error
        if self._may_be_blocked:
            await self._wait_until_unblocked(channel)
        try:
            await target.publish(
                aio_pika.Message(
                    body,
                    message_id=message_id,
                    content_type="application/json",
                    delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
                    headers=headers or {},
                    expiration=expiration_seconds,
                ),
                routing_key,
                mandatory=mandatory,
                timeout=PUBLISH_TIMEOUT_SECONDS,
            )
        except DeliveryError as error:
            raise Unroutable(f"{exchange} has no queue for {routing_key}") from error
        except TimeoutError as error:
            # A broker in alarm confirms what it was sent when it is well again, so the connection
            # stays; the next to publish waits before it sends.
            self._may_be_blocked = True
            raise Unavailable("rabbitmq") from error
        except BUS_ERRORS as error:
            await self._discard(channel)
            raise Unavailable("rabbitmq") from error

    async def _wait_until_unblocked(self, channel: AbstractChannel) -> None:
        connection = self._publishing
        try:
            async with asyncio.timeout(BLOCKED_TIMEOUT_SECONDS):
                if connection is not None:
                    await connection.transport.connection.ready()  # type: ignore[union-attr] # an open connection has a transport
        except TimeoutError as error:
            self._blocked = True
            metrics.RABBITMQ_BLOCKED.set(1)
            self._conditions.raise_condition(
                "bus_blocked",
                "RabbitMQ takes no messages, because its disk or its memory is nearly full; "
                "events and room messages wait in the database and nothing is lost",
                "free disk space where RabbitMQ keeps its data, or give it more memory; "
                "what waits follows by itself",
                failing=True,
            )
            raise Unavailable("rabbitmq") from error
        if not self._may_be_blocked:
            return
        # Without an alarm the time-out was a broker that is slow or gone: begin anew.
        self._may_be_blocked = False
        metrics.RABBITMQ_BLOCKED.set(0)
        was_blocked, self._blocked = self._blocked, False
        self._conditions.clear("bus_blocked")
        if not was_blocked:
            await self._discard(channel)
            raise Unavailable("rabbitmq")

    def wake(self, queue: str) -> None:
        """Tell the workers of a job queue that there is work, soon and without waiting.

        Many calls become one message. If it is lost, the workers find the job by polling.
        """
        self._wakes.add(queue)
        if self._waking is None or self._waking.done():
            self._waking = asyncio.create_task(self._send_wakes(), name="wake job workers")

    async def _send_wakes(self) -> None:
        while self._wakes:
            queue = self._wakes.pop()
            with contextlib.suppress(Unavailable):
                await self.publish(
                    WAKE_EXCHANGE,
                    self.service,
                    queue.encode(),
                    message_id="",
                    mandatory=False,
                    expiration_seconds=5,
                )

    async def publishing_channel(self) -> AbstractChannel:
        """Return the open channel with confirms, a new one after a loss. Raises Unavailable."""
        async with self._lock:
            if self._channel is None or self._channel.is_closed:
                if self._publishing is not None:
                    await close_quietly(self._publishing)
                self._publishing = await self.connect("publish")
                self._channel = await open_channel(self._publishing, confirms=True)
            return self._channel

    async def _discard(self, channel: AbstractChannel) -> None:
        # Many publishes fail together when a connection is lost; only the first closes it.
        async with self._lock:
            if self._channel is not channel:
                return
            self._channel = None
            connection, self._publishing = self._publishing, None
        if connection is not None:
            await close_quietly(connection)


async def open_channel(connection: AbstractConnection, *, confirms: bool) -> AbstractChannel:
    """Open a channel; with confirms, an unroutable message raises. Raises ConnectionError."""
    try:
        async with asyncio.timeout(CONNECT_TIMEOUT_SECONDS):
            return await connection.channel(publisher_confirms=confirms, on_return_raises=confirms)
    except RuntimeError as error:  # what aiormq raises for a connection that has just closed
        raise ConnectionError("the connection to RabbitMQ is closed") from error


async def close_quietly(connection: AbstractConnection) -> None:
    """Close a connection that may be gone already."""
    with contextlib.suppress(*BUS_ERRORS):
        async with asyncio.timeout(CLOSE_TIMEOUT_SECONDS):
            await connection.close()


async def declare_topology(channel: AbstractChannel, service: str) -> None:
    """Declare the exchanges and the queues of one service; what exists already stays as it is."""
    events = await channel.declare_exchange(
        EVENTS_EXCHANGE, aio_pika.ExchangeType.TOPIC, durable=True
    )
    await channel.declare_exchange(REALTIME_EXCHANGE, aio_pika.ExchangeType.FANOUT, durable=True)
    await channel.declare_exchange(WAKE_EXCHANGE, aio_pika.ExchangeType.DIRECT, durable=True)
    for name, types in SUBSCRIPTIONS.items():
        if not name.startswith(f"{service}."):
            continue
        queue = await channel.declare_queue(
            name,
            durable=True,
            arguments={
                "x-queue-type": "quorum",
                "x-delivery-limit": DELIVERY_LIMIT,
                # Two processes side by side would handle the events of one subject in any order;
                # so one is active and the others stand by.
                "x-single-active-consumer": True,
                **_dead_letter_to(exhausted_queue(name)),
            },
        )
        await channel.declare_queue(
            exhausted_queue(name), durable=True, arguments={"x-queue-type": "quorum"}
        )
        for data in types:
            await queue.bind(events, routing_pattern(data))
        for delay in RETRY_DELAYS_SECONDS:
            await channel.declare_queue(
                retry_queue(name, delay),
                durable=True,
                arguments={
                    "x-queue-type": "quorum",
                    "x-message-ttl": delay * 1000,
                    **_dead_letter_to(name),
                },
            )


def retry_queue(queue: str, delay_seconds: int) -> str:
    """Return the name of the queue in which a failed event of `queue` waits."""
    return f"{queue}.retry.{delay_seconds}s"


def exhausted_queue(queue: str) -> str:
    """Return the name of the queue for events of `queue` that were delivered too often."""
    return f"{queue}.exhausted"


def _dead_letter_to(queue: str) -> dict[str, Any]:
    # Without these two the broker may lose a message on the way between the queues.
    safely = {"x-dead-letter-strategy": "at-least-once", "x-overflow": "reject-publish"}
    return {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": queue, **safely}


def encode(body: object) -> bytes:
    """Return a JSON value as UTF-8 bytes."""
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
