"""The sockets of this process: who is on which channel, and the way of a message to them."""

import asyncio
import contextlib
import random
from typing import Final, TypeVar
from uuid import UUID

from services.realtime import metrics
from services.realtime.connection import Connection
from services.realtime.frames import CloseCode, ServerFrame
from services.realtime.history import History, Position

CATCH_UP_SECONDS: Final = 2.0
_SMALLEST_PAUSE_SECONDS: Final = 0.01

KeyT = TypeVar("KeyT")


class Hub:
    """Knows every socket of this process.

    All methods but the two that wait are synchronous: nothing comes between looking into the
    history and being on the channel, so no message is missed or doubled there.
    """

    def __init__(self, history: History) -> None:
        self._history = history
        self._connections: set[Connection] = set()
        self._channels: dict[str, set[Connection]] = {}
        self._sessions: dict[UUID, set[Connection]] = {}
        self._waiting: set[tuple[int, asyncio.Future[None]]] = set()

    @property
    def position(self) -> Position:
        """Up to where this process has read the stream."""
        return self._history.position

    def join(self, connection: Connection) -> None:
        """Count a new socket."""
        self._connections.add(connection)
        metrics.CONNECTIONS_ACTIVE.inc()

    def leave(self, connection: Connection, session_id: UUID | None) -> None:
        """Forget a socket that has ended."""
        self._connections.discard(connection)
        metrics.CONNECTIONS_ACTIVE.dec()
        for channel in list(connection.subscriptions):
            self.unsubscribe(connection, channel)
        if session_id is not None:
            _remove(self._sessions, session_id, connection)

    def log_in(self, connection: Connection, session_id: UUID, *, before: UUID | None) -> None:
        """Note whose session a socket belongs to, instead of the one before."""
        if before is not None:
            _remove(self._sessions, before, connection)
        self._sessions.setdefault(session_id, set()).add(connection)

    def end_session(self, session_id: UUID) -> None:
        """Close the sockets of a revoked session and no other."""
        for connection in self._sessions.get(session_id, set()).copy():
            connection.close(CloseCode.NOT_AUTHENTICATED, "the session has ended", at_once=True)

    async def catch_up_with(self, position: Position) -> None:
        """Wait a moment if a client has seen more of the stream than this process yet has.

        It came from a process that was ahead by some milliseconds. Returns in any case.
        """
        if position.epoch != self._history.epoch or position.offset <= self._history.tail:
            return
        reached: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        entry = (position.offset, reached)
        self._waiting.add(entry)
        try:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(reached, CATCH_UP_SECONDS)
        finally:
            self._waiting.discard(entry)

    def subscribe(
        self, connection: Connection, channel: str, recover: Position | None
    ) -> list[ServerFrame] | None:
        """Put a socket on a channel; return the messages it missed since `recover`, or None.

        None means that nothing was asked for, or that not all of it is known here. On a channel
        that the socket is on already, messages that it got live are not returned again.
        """
        live_after = connection.subscriptions.get(channel, self._history.tail)
        missed = None
        if recover is not None:
            missed = self._history.after(
                recover, channel, until=live_after, limit_bytes=connection.recovery_bytes
            )
            metrics.RECOVERIES.labels(str(missed is not None).lower()).inc()
            if missed is not None:
                live_after = min(live_after, recover.offset)
        connection.subscriptions[channel] = live_after
        self._channels.setdefault(channel, set()).add(connection)
        return missed

    def unsubscribe(self, connection: Connection, channel: str) -> None:
        """Take a socket off a channel."""
        if connection.subscriptions.pop(channel, None) is not None:
            _remove(self._channels, channel, connection)

    def advance(self, offset: int) -> None:
        """Note that the stream was read up to an offset."""
        self._history.advance(offset)
        if self._waiting:
            for wanted, reached in self._waiting:
                if wanted <= offset and not reached.done():
                    reached.set_result(None)

    def deliver(self, offset: int, channel: str, frame: ServerFrame) -> None:
        """Keep a message and give it to everybody on its channel."""
        self._history.add(offset, channel, frame)
        receivers = self._channels.get(channel)
        if receivers:
            for connection in receivers:
                connection.enqueue(frame)
            metrics.MESSAGES_SENT.inc(len(receivers))

    def close_all(self, reason: str) -> None:
        """Make every client reconnect, because what it has can no longer be continued."""
        for connection in self._connections:
            connection.close(CloseCode.RESTART, reason)

    async def drain(self, seconds: float) -> None:
        """Close every socket with 1012, in random order, spread over some seconds."""
        connections = list(self._connections)
        random.shuffle(connections)
        started = asyncio.get_running_loop().time()
        for number, connection in enumerate(connections):
            pause = started + seconds * number / len(connections)
            pause -= asyncio.get_running_loop().time()
            if pause >= _SMALLEST_PAUSE_SECONDS:
                await asyncio.sleep(pause)
            connection.close(CloseCode.RESTART, "restart; reconnect and recover")


def _remove(index: dict[KeyT, set[Connection]], key: KeyT, connection: Connection) -> None:
    connections = index.get(key)
    if connections is not None:
        connections.discard(connection)
        if not connections:
            del index[key]
