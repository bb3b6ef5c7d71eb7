"""A client that costs little: one keep-alive connection, one request at a time."""

import asyncio
import json
from typing import Any


class RefusedError(RuntimeError):
    """The server answered with something else than a success."""


class Connection:
    """Sends JSON and returns JSON."""

    def __init__(
        self, port: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._port = port
        self._reader = reader
        self._writer = writer

    @classmethod
    async def open(cls, port: int) -> "Connection":
        """Connect to a server on loopback."""
        return cls(port, *await asyncio.open_connection("127.0.0.1", port))

    async def close(self) -> None:
        """Close the connection."""
        self._writer.close()
        await self._writer.wait_closed()

    async def ask(
        self, method: str, path: str, body: object = None, *, token: str | None = None
    ) -> Any:
        """Return the answer's JSON. Raises RefusedError for any status but 200."""
        content = b"" if body is None else json.dumps(body).encode()
        head = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1"]
        if body is not None:
            head += ["Content-Type: application/json", f"Content-Length: {len(content)}"]
        if token is not None:
            head.append(f"Authorization: Bearer {token}")
        self._writer.write("\r\n".join([*head, "\r\n"]).encode() + content)
        answer = await self._reader.readuntil(b"\r\n\r\n")
        lines = answer.decode().lower().split("\r\n")
        headers = dict(line.split(": ", 1) for line in lines[1:] if ": " in line)
        received = await self._body(headers)
        if headers.get("connection") == "close":  # nginx ends a connection after many requests
            await self.close()
            self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)
        if " 200" not in lines[0]:
            raise RefusedError(f"{method} {path}: {lines[0]} {received[:300]!r}")
        return json.loads(received) if received else None

    async def _body(self, headers: dict[str, str]) -> bytes:
        if headers.get("transfer-encoding") != "chunked":
            return await self._reader.readexactly(int(headers["content-length"]))
        parts = []
        while size := int(await self._reader.readuntil(b"\r\n"), 16):
            parts.append(await self._reader.readexactly(size))
            await self._reader.readexactly(2)
        await self._reader.readexactly(2)
        return b"".join(parts)
