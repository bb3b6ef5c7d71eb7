"""One socket: a bounded queue of frames, written by one task, never waited for by others."""

import asyncio
import contextlib
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Final

from starlette.types import Message, Receive, Send
from uuid_utils.compat import uuid7

from services.realtime import metrics
from services.realtime.frames import CloseCode, ServerFrame

CLOSE_SECONDS: Final = 5.0
"""Time for a client to take what is queued and the close frame."""

FrameHandler = Callable[[str], Awaitable[None]]


class Connection:
    """A client's socket.

    `enqueue` and `close` return at once and may be called from anywhere in the loop. A client
    that does not keep up is closed, so what it costs is bounded.
    """

    def __init__(self, *, queue_bytes: int) -> None:
        self.id = uuid7()
        self.subscriptions: dict[str, int] = {}
        """Channels, each with the stream's offset after which it gets messages live."""
        self._queue: deque[ServerFrame] = deque()
        self._queued_bytes = 0
        self._queue_bytes = queue_bytes
        self._wake = asyncio.Event()
        self._drained = asyncio.Event()
        self._drained.set()
        self._closing: tuple[int, str] | None = None
        self._left = False
        self._deadline: asyncio.Timeout | None = None

    @property
    def closing(self) -> bool:
        """Whether the end has begun: nothing more is queued."""
        return self._closing is not None or self._left

    @property
    def recovery_bytes(self) -> int:
        """How much may be recovered at once, so that live messages still have room behind it."""
        return self._queue_bytes // 2

    async def drained(self) -> None:
        """Wait until the client has taken what was queued; returns at the connection's end too."""
        await self._drained.wait()

    def enqueue(self, frame: ServerFrame) -> None:
        """Send a frame after those that wait already; close a client that has too many."""
        if self.closing:
            return
        self._queue.append(frame)
        self._queued_bytes += frame.size
        self._drained.clear()
        if self._queued_bytes > self._queue_bytes:
            metrics.SLOW_CLOSES.inc()
            self.close(CloseCode.TOO_SLOW, "too slow; reconnect and recover", at_once=True)
            return
        self._wake.set()

    def close(self, code: int, reason: str, *, at_once: bool = False) -> None:
        """Close with this code, after what is queued or at once. The first call counts."""
        if self.closing:
            return
        self._closing = (code, reason)
        if at_once:
            self._queue.clear()
        if self._deadline is not None:
            self._deadline.reschedule(asyncio.get_running_loop().time() + CLOSE_SECONDS)
        self._wake.set()

    async def serve(self, receive: Receive, send: Send, handle: FrameHandler) -> None:
        """Pass the client's frames to `handle` and send what is queued, until either side ends.

        Cancelling cuts the connection.
        """
        reader = asyncio.create_task(self._read(receive, handle), name=f"socket {self.id}")
        reader.add_done_callback(self._leave)
        try:
            # A client that has vanished makes sending end with OSError.
            with contextlib.suppress(TimeoutError, OSError):
                async with asyncio.timeout(None) as self._deadline:
                    await self._write(send)
        finally:
            self._left = True
            reader.cancel()
            await asyncio.wait({reader})
        if not reader.cancelled():
            reader.result()

    async def _read(self, receive: Receive, handle: FrameHandler) -> None:
        while not self.closing:
            message: Message = await receive()
            if message["type"] == "websocket.disconnect":
                return
            text = message.get("text")
            if text is None:
                self.close(CloseCode.UNSUPPORTED_DATA, "frames are text")
                return
            await handle(text)

    async def _write(self, send: Send) -> None:
        while True:
            while self._queue:
                frame = self._queue.popleft()
                self._queued_bytes -= frame.size
                await send({"type": "websocket.send", "text": frame.text})
            self._drained.set()
            if self._closing is not None:
                code, reason = self._closing
                await send({"type": "websocket.close", "code": code, "reason": reason})
                return
            if self._left:
                return
            self._wake.clear()
            await self._wake.wait()

    def _leave(self, _: asyncio.Task[None]) -> None:
        # A reader that ended because of `close` leaves the last word to the writer.
        if self._closing is None:
            self._left = True
        self._wake.set()
