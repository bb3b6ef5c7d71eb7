"""The control socket: what other processes of the same user may ask of the supervisor."""

import asyncio
import json
import logging
from pathlib import Path
from typing import Any, Protocol

from deploy.local.supervisor.events import Events
from deploy.local.supervisor.part import PartError
from deploy.local.supervisor.sockets import bind_stream

_log = logging.getLogger(__name__)
_SECONDS_FOR_LAST_ANSWERS = 2.0


class RequestError(Exception):
    """A request that cannot be followed; the message is for the person who made it."""


class Commands(Protocol):
    """What the supervisor can be asked to do. Each raises RequestError or PartError."""

    events: Events

    def status(self) -> dict[str, Any]:
        """Return what `status` shows."""

    def snapshot(self) -> list[dict[str, Any]]:
        """Return the present state of everything, as events."""

    async def scale(self, instances: dict[str, int]) -> None:
        """Change numbers of instances."""

    async def restart(self, name: str | None) -> None:
        """Replace the instances of one part or of all services and workers."""

    async def stop(self) -> None:
        """Stop everything; returns when it has stopped."""


class ControlServer:
    """Answers one request a line; requests of one connection are answered in order."""

    def __init__(self, path: Path, commands: Commands) -> None:
        self._path = path
        self._commands = commands
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Bind the socket and serve."""
        self._server = await asyncio.start_unix_server(
            self._accept, sock=bind_stream(self._path), limit=64 * 1024
        )

    async def stop(self) -> None:
        """Stop serving after the answers under way, or 2 s."""
        if self._server is not None:
            self._server.close()
            self._path.unlink(missing_ok=True)
        if self._connections:
            _, late = await asyncio.wait(self._connections, timeout=_SECONDS_FOR_LAST_ANSWERS)
            for task in late:
                task.cancel()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is None:
            return
        self._connections.add(task)
        try:
            while line := await reader.readline():
                if not await self._answer(line, reader, writer):
                    break
        except (ConnectionError, ValueError):
            _log.info("A control connection ended early.")
        finally:
            self._connections.discard(task)
            writer.close()

    async def _answer(
        self, line: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        """Answer one request; return whether the connection goes on."""
        request: Any = None
        try:
            request = json.loads(line)
            if isinstance(request, dict) and request.get("command") == "events":
                await self._stream(reader, writer)
                return False
            answer = {"result": await self._perform(request)}
        except (RequestError, PartError) as error:
            answer = {"error": str(error)}
        except ValueError:
            answer = {"error": "The request is not one JSON object on one line."}
        except OSError as error:
            answer = {"error": f"The supervisor could not store or start something: {error}"}
        await _write(writer, answer)
        return not (isinstance(request, dict) and request.get("command") == "stop")

    async def _perform(self, request: Any) -> Any:
        match request:
            case {"command": "status"}:
                return self._commands.status()
            case {"command": "scale", "instances": dict() as instances}:
                return await self._commands.scale(instances)
            case {"command": "restart", "name": str() | None as name}:
                return await self._commands.restart(name)
            case {"command": "stop"}:
                return await self._commands.stop()
        raise RequestError("The command is not one of status, scale, restart, stop and events.")

    async def _stream(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        closed = asyncio.create_task(reader.read())
        try:
            with self._commands.events.subscribe() as queue:
                for event in self._commands.snapshot():
                    await _write(writer, event)
                while True:
                    following = asyncio.create_task(queue.get())
                    await asyncio.wait({closed, following}, return_when=asyncio.FIRST_COMPLETED)
                    if closed.done():
                        following.cancel()
                        return
                    event = following.result()
                    if not event:
                        return
                    await _write(writer, event)
        finally:
            closed.cancel()


async def _write(writer: asyncio.StreamWriter, document: dict[str, Any]) -> None:
    writer.write(json.dumps(document).encode() + b"\n")
    await writer.drain()
