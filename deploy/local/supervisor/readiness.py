"""Asking a process from outside whether it serves."""

import asyncio
import signal
from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

from deploy.local.supervisor.specs import Ready

_FIRST_PAUSE_SECONDS = 0.05
_LONGEST_PAUSE_SECONDS = 0.5
_ANSWER_WITHIN_SECONDS = 10.0
_FIRST_HTTP_ERROR = 400

RunCommand = Callable[[list[str]], Awaitable[int]]


async def wait_until_ready(ready: Ready, notified: asyncio.Future[None], run: RunCommand) -> None:
    """Return when the instance serves; cancel it to give up.

    Args:
        notified: resolved when the process has sent ``READY=1``.
        run: runs a command in the part's environment and returns its exit status; when it is
            cancelled it has to end the command.
    """
    if ready.kind == "notify":
        await asyncio.shield(notified)
        return
    pause = _FIRST_PAUSE_SECONDS
    while not await _answers(ready, run):
        await asyncio.sleep(pause)
        pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)


async def _answers(ready: Ready, run: RunCommand) -> bool:
    try:
        async with asyncio.timeout(_ANSWER_WITHIN_SECONDS):
            if ready.kind == "command":
                return await run(ready.command) == 0
            if ready.kind == "http":
                return await _http_status(ready.address) < _FIRST_HTTP_ERROR
            if ready.kind == "unix":
                _, writer = await asyncio.open_unix_connection(ready.address)
            else:
                host, _, port = ready.address.rpartition(":")
                _, writer = await asyncio.open_connection(host, int(port))
            writer.close()
    except (OSError, TimeoutError):
        return False
    return True


async def _http_status(url: str) -> int:
    """Return the status of a GET, or 599 for an answer that is not HTTP."""
    parts = urlsplit(url)
    path = f"{parts.path or '/'}{'?' + parts.query if parts.query else ''}"
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port or 80)
    try:
        request = f"GET {path} HTTP/1.1\r\nHost: {parts.netloc}\r\nConnection: close\r\n\r\n"
        writer.write(request.encode())
        await writer.drain()
        words = (await reader.readline()).split()
    except ValueError:
        return 599
    finally:
        writer.close()
    is_http = len(words) > 1 and words[0].startswith(b"HTTP/") and words[1].isdigit()
    return int(words[1]) if is_http else 599


def describe_exit(status: int) -> str:
    """Say in words how a process ended."""
    if status >= 0:
        return f"exited with status {status}"
    try:
        return f"was ended by {signal.Signals(-status).name}"
    except ValueError:
        return f"was ended by signal {-status}"


def describe_failed_start(error: OSError, command: list[str]) -> str:
    """Say in words why a process could not be started at all."""
    return f"could not be started: {error.strerror}: {error.filename or command[0]}"
