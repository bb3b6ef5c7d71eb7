"""A plain WebSocket client that speaks the socket's JSON frames."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, unix_connect
from websockets.exceptions import ConnectionClosed

from tests.parts.waiting import PATIENCE_SECONDS


class SocketClient:
    """One socket to one process."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection

    async def send(self, **frame: Any) -> None:
        """Send a frame."""
        await self.connection.send(json.dumps(frame))

    async def receive(self, seconds: float = PATIENCE_SECONDS) -> dict[str, Any]:
        """Return the next frame."""
        async with asyncio.timeout(seconds):
            frame: dict[str, Any] = json.loads(await self.connection.recv())
            return frame

    async def ask(self, **frame: Any) -> dict[str, Any]:
        """Send a frame and return the next one."""
        await self.send(**frame)
        return await self.receive()

    async def log_in(self, token: str, **more: Any) -> dict[str, Any]:
        """Authenticate and return the `ready` frame."""
        frame = await self.ask(op="auth", token=token, **more)
        assert frame["op"] == "ready", frame
        return frame

    async def subscribe(self, channel: str, **more: Any) -> dict[str, Any]:
        """Subscribe and return the `ok` frame."""
        frame = await self.ask(op="subscribe", channel=channel, **more)
        assert frame["op"] == "ok", frame
        return frame

    async def event(self) -> tuple[str, str, Any]:
        """Return channel, event and data of the next frame, which must be an event."""
        frame = await self.receive()
        assert frame["op"] == "event", frame
        return frame["channel"], frame["event"], frame["data"]

    async def nothing_more(self) -> None:
        """Prove that nothing is queued: a ping is answered before anything else comes."""
        assert await self.ask(op="ping", id="nothing more") == {"op": "ok", "id": "nothing more"}

    async def closed(self, seconds: float = PATIENCE_SECONDS) -> int:
        """Return the code with which the server closes; frames before it are passed over."""
        with pytest.raises(ConnectionClosed) as caught:
            async with asyncio.timeout(seconds):
                while True:
                    await self.connection.recv()
        assert caught.value.rcvd is not None
        return caught.value.rcvd.code


@contextlib.asynccontextmanager
async def connect(path: Path) -> AsyncIterator[SocketClient]:
    """Open a socket to the process that listens on a unix socket."""
    uri = "ws://realtime/v1/realtime"
    async with unix_connect(
        str(path), uri, open_timeout=PATIENCE_SECONDS, ping_interval=None, close_timeout=2
    ) as connection:
        yield SocketClient(connection)
