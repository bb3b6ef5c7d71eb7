"""A receiver of requests that behaves as each test wants it to."""

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from tests.parts.processes import free_port

Behaviour = Callable[["Receiver", asyncio.StreamWriter], Awaitable[None]]


@dataclass(frozen=True)
class Received:
    """A request as it came."""

    line: str
    headers: dict[str, str]
    body: bytes


def answer(status: int, body: bytes = b"", **headers: str) -> Behaviour:
    """Return a behaviour: answer like this."""
    lines = [f"HTTP/1.1 {status} x", f"Content-Length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]

    async def run(_: "Receiver", writer: asyncio.StreamWriter) -> None:
        writer.write("\r\n".join([*lines, "", ""]).encode() + body)
        await writer.drain()

    return run


async def hang(receiver: "Receiver", _: asyncio.StreamWriter) -> None:
    """Never answer, until the test lets go."""
    await receiver.released.wait()


async def hang_in_body(receiver: "Receiver", writer: asyncio.StreamWriter) -> None:
    """Answer 200 and a body that does not end."""
    writer.write(b"HTTP/1.1 200 x\r\nContent-Length: 1000\r\n\r\nbegun")
    await writer.drain()
    await receiver.released.wait()


async def reset(_: "Receiver", writer: asyncio.StreamWriter) -> None:
    """Cut the connection without an answer."""
    writer.transport.abort()


async def garbage(_: "Receiver", writer: asyncio.StreamWriter) -> None:
    """Speak something else than HTTP."""
    writer.write(b"220 smtp.example ESMTP\r\n")
    await writer.drain()


async def endless_body(receiver: "Receiver", writer: asyncio.StreamWriter) -> None:
    """Answer 200 and send as long as somebody reads."""
    writer.write(b"HTTP/1.1 200 x\r\nContent-Length: 1000000000\r\n\r\n")
    while True:
        writer.write(b"x" * 65536)
        await writer.drain()
        receiver.sent += 65536


async def endless_headers(_: "Receiver", writer: asyncio.StreamWriter) -> None:
    """Answer with headers that do not end."""
    writer.write(b"HTTP/1.1 200 x\r\n")
    while True:
        writer.write(b"X-Filler: " + b"x" * 1000 + b"\r\n")
        await writer.drain()


@dataclass
class Receiver:
    """Takes requests on loopback; behaviours are used up one a request, then it answers 200."""

    host: str = "127.0.0.1"
    tls: ssl.SSLContext | None = None
    behaviours: list[Behaviour] = field(default_factory=list)
    received: list[Received] = field(default_factory=list)
    port: int = field(default_factory=free_port)
    released: asyncio.Event = field(default_factory=asyncio.Event)
    sent: int = 0
    connections: int = 0
    at_once: int = 0
    most_at_once: int = 0
    _server: asyncio.Server | None = None

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://{self.host}:{self.port}/in"

    async def start(self) -> None:
        """Begin to listen."""
        self._server = await asyncio.start_server(
            self._serve, self.host, self.port, ssl=self.tls, limit=1024 * 1024
        )

    async def stop(self) -> None:
        """Refuse connections until the next start, and let go of what hangs."""
        self.released.set()
        server, self._server = self._server, None
        if server is not None:
            server.close()
            await server.wait_closed()

    async def count(self) -> int:
        """Return how many requests came."""
        return len(self.received)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            line, *rest = head.strip().split("\r\n")
            headers = dict(text.split(": ", 1) for text in rest)
            named = {key.lower(): value for key, value in headers.items()}
            length = int(named.get("content-length", "0"))
            body = await reader.readexactly(length)
            self.received.append(Received(line, headers, body))
            behaviour = self.behaviours.pop(0) if self.behaviours else answer(200)
            await behaviour(self, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            self.at_once -= 1
            writer.close()
