"""Reads the whole stream: what this process knows of the rooms, live and past, comes from here."""

import asyncio
import json
import logging
import time
from collections import OrderedDict
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from aio_pika.abc import AbstractChannel, AbstractConnection, AbstractIncomingMessage
from pydantic import BaseModel
from uuid_utils.compat import uuid7

from services.realtime import metrics, store
from services.realtime.frames import event_frame
from services.realtime.history import History, Position
from services.realtime.hub import Hub
from services.realtime.topology import host_boot_id, replace_epoch, stream_name
from shared.chassis.bus import BUS_ERRORS, Bus, Unroutable, close_quietly
from shared.chassis.database import Database
from shared.chassis.errors import Unavailable
from shared.chassis.lifecycle import BackgroundTask, Lifecycle

logger = logging.getLogger(__name__)

PREFETCH: Final = 500
ACKNOWLEDGE_EVERY: Final = 100
RECONNECT_SECONDS: Final = 1.0
START_SECONDS: Final = 60.0
CATCH_UP_SECONDS: Final = 10.0
HEARTBEAT_SECONDS: Final = 5.0
DEAF_SECONDS: Final = 30.0
REMEMBERED_IDS: Final = 50_000
SEGMENT_GAP: Final = 1
"""Offsets without a message where the broker begins a new file of the stream."""


class EpochLost(Exception):  # noqa: N818 - what happened to the stream
    """The stream gives offsets again that it had given before: its last messages were lost."""


class RoomMessage(BaseModel):
    """A message for everybody on a channel, as the relay puts it into the stream."""

    id: UUID
    channel: str
    event: str
    data: Any
    at: str


class Heartbeat(BaseModel):
    """A sign of life of one reader's connection; all others pass over it."""

    heartbeat: UUID
    sent_at: float
    """Seconds since the epoch."""


class StreamReader(BackgroundTask):
    """Follows the stream from some minutes ago on and passes each message to the hub.

    `start` returns when everything that was in the stream at that moment has been read, or, if
    that takes too long, with a shorter history. After the loss of the broker it goes on at the
    next offset, so clients notice nothing but a pause; what the relay published twice is dropped.

    A heartbeat of this process through the stream shows that it still hears. If it does not, it
    connects anew: a broker can end a consumer without a word.
    """

    name = "stream reader"

    def __init__(
        self,
        bus: Bus,
        database: Database,
        lifecycle: Lifecycle,
        *,
        history: History,
        hub: Hub,
        history_seconds: int,
    ) -> None:
        super().__init__(lifecycle)
        self._bus = bus
        self._database = database
        self._history = history
        self._hub = hub
        self._history_seconds = history_seconds
        self._connection_id = uuid7()
        self._next: int | None = None
        self._seen: OrderedDict[UUID, None] = OrderedDict()
        self._caught_up = asyncio.Event()
        self._heard = asyncio.Event()
        self._skip_history = False
        self._read_again = False

    async def start(self) -> None:
        """Return when the past has been read. Raises Unavailable if that cannot be done."""
        await super().start()
        try:
            await asyncio.wait_for(self._caught_up.wait(), START_SECONDS)
        except TimeoutError:
            raise Unavailable("rabbitmq") from None

    async def run(self) -> None:
        """Read until cancelled; a lost server is waited for."""
        while True:
            try:
                await self._read_on()
            except (EpochLost, Unavailable, *BUS_ERRORS) as error:
                logger.warning(
                    "the stream is not readable and will be tried again",
                    extra={"action": "stream_lost", "cause": repr(error)},
                )
            await asyncio.sleep(RECONNECT_SECONDS)

    async def _read_on(self) -> None:
        await self._follow_epoch()
        self._connection_id = uuid7()
        connection = await self._bus.connect("read stream")
        heartbeats: asyncio.Task[None] | None = None
        try:
            channel = await connection.channel(publisher_confirms=False)
            await channel.set_qos(prefetch_count=PREFETCH)
            queue = await channel.get_queue(stream_name(self._history.epoch))
            messages = queue.iterator(arguments={"x-stream-offset": self._first_offset()})
            await messages.consume()
            heartbeats = asyncio.create_task(self._beat(connection), name="stream heartbeats")
            unacknowledged = 0
            async for message in messages:
                await self._take(message, channel)
                unacknowledged += 1
                if unacknowledged >= ACKNOWLEDGE_EVERY:
                    await message.ack(multiple=True)
                    unacknowledged = 0
            raise ConnectionError("the broker ended the reading")
        finally:
            await close_quietly(connection)
            # A publication that fails in the same moment can swallow a cancellation.
            while heartbeats is not None and not heartbeats.done():
                heartbeats.cancel()
                await asyncio.wait({heartbeats}, timeout=0.1)

    async def _follow_epoch(self) -> None:
        try:
            epoch = (await store.current_epoch(self._database)).name
        except Unavailable:
            if self._next is None:
                raise
            return  # the stream that was read until now can be read without Postgres
        if epoch != self._history.epoch:
            self._history.restart(epoch)
            self._next = None
            self._seen.clear()
            self._hub.close_all("the history of messages begins anew; reconnect")

    def _first_offset(self) -> int | str | datetime:
        if self._next is not None and not self._read_again:
            return self._next
        if self._skip_history:
            return "next"
        return datetime.now(UTC) - timedelta(seconds=self._history_seconds)

    async def _take(self, message: AbstractIncomingMessage, channel: AbstractChannel) -> None:
        offset = int(str(message.headers["x-stream-offset"]))
        parsed = _parse(message.body, offset)
        known = self._next is not None and offset < self._next
        if isinstance(parsed, Heartbeat) and parsed.heartbeat == self._connection_id:
            if known:
                await self._begin_new_epoch(channel)
            self._hear(parsed)
        if known:
            return
        if self._next is not None and offset > self._next + SEGMENT_GAP:
            logger.error(
                "messages of the stream were dropped before they were read",
                extra={"action": "stream_gap", "missing": offset - self._next},
            )
            self._history.skip_to(offset)
            self._hub.close_all("messages were lost; reconnect")
        self._next = offset + 1
        self._hub.advance(offset)
        metrics.STREAM_HEARD.set_to_current_time()
        if isinstance(parsed, RoomMessage):
            self._pass_on(offset, parsed)

    def _pass_on(self, offset: int, message: RoomMessage) -> None:
        if message.id in self._seen:
            return
        self._seen[message.id] = None
        if len(self._seen) > REMEMBERED_IDS:
            self._seen.popitem(last=False)
        frame = event_frame(
            channel=message.channel,
            event=message.event,
            data=message.data,
            position=str(Position(self._history.epoch, offset)),
            at=message.at,
        )
        self._hub.deliver(offset, message.channel, frame)

    async def _begin_new_epoch(self, channel: AbstractChannel) -> None:
        logger.error(
            "the stream has lost its last messages; a new one begins",
            extra={"action": "epoch_lost", "epoch": self._history.epoch},
        )
        await replace_epoch(self._database, channel, self._history.epoch, boot_id=host_boot_id())
        raise EpochLost

    def _hear(self, heartbeat: Heartbeat) -> None:
        metrics.STREAM_LAG.set(max(0.0, time.time() - heartbeat.sent_at))
        self._read_again = False
        self._heard.set()
        self._caught_up.set()

    async def _beat(self, connection: AbstractConnection) -> None:
        """Send heartbeats; cut the connection, and with it the reading, if they do not return."""
        patience = CATCH_UP_SECONDS
        while True:
            self._heard.clear()
            try:
                await self._send_heartbeat()
                await asyncio.wait_for(self._heard.wait(), patience)
                patience = DEAF_SECONDS
            except TimeoutError:
                self._give_up_waiting()
                break
            except Unroutable:
                break
            except Unavailable:
                pass  # the reading connection may be well all the same
            await asyncio.sleep(HEARTBEAT_SECONDS)
        logger.error("the stream is not heard any more", extra={"action": "stream_deaf"})
        await close_quietly(connection)

    def _give_up_waiting(self) -> None:
        if self._caught_up.is_set():
            # A reader that asks for an offset beyond the end hears nothing and gets no error.
            self._read_again = True
        else:
            self._skip_history = True
            self._next = None
            self._history.restart(self._history.epoch)

    async def _send_heartbeat(self) -> None:
        await self._bus.publish(
            "",
            stream_name(self._history.epoch),
            Heartbeat(heartbeat=self._connection_id, sent_at=time.time())
            .model_dump_json()
            .encode(),
            message_id=str(uuid7()),
            mandatory=True,
        )


def _parse(body: bytes, offset: int) -> RoomMessage | Heartbeat | None:
    try:
        value = json.loads(body)
        kind = Heartbeat if "heartbeat" in value else RoomMessage
        return kind.model_validate(value)
    except (ValueError, TypeError, RecursionError) as error:
        logger.error(  # noqa: TRY400 - the message is at fault, a stack says nothing
            "a message of the stream could not be read",
            extra={"action": "stream_unreadable", "offset": offset, "cause": repr(error)},
        )
        return None
