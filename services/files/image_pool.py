"""Child processes that decode images, started when there is work and ended when there is none."""

import asyncio
import contextlib
import json
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

SCRIPT: Final = Path(__file__).with_name("image_child.py")
IDLE_SECONDS: Final = 30.0
IMAGES_PER_PROCESS: Final = 500
"""After so many a child is replaced: decoders leak, and heaps fragment."""

# One thread and few heaps each: the pool is what uses the cores, and the limit on memory is one on
# address space.
_ENVIRONMENT: Final = {"LANG": "C.UTF-8", "VIPS_CONCURRENCY": "1", "MALLOC_ARENA_MAX": "2"}


class UnusableImage(Exception):  # noqa: N818 - a verdict on the file
    """No variant can be made of this file; the message is for its owner."""


class ImageProcessDied(Exception):  # noqa: N818 - what happened, by the image or by the host
    """The child ended in the middle of an image."""


@dataclass(frozen=True)
class MadeVariant:
    """A derived image, WebP."""

    body: bytes
    width: int
    height: int


@dataclass
class _Child:
    process: Process
    served: int = 0
    reaper: asyncio.TimerHandle | None = None


class ImagePool:
    """Up to `size` children; each call uses one for itself.

    A child that hangs, dies or is left in the middle of a call is killed and replaced. Children
    whose parent dies read the end of their input and end by themselves.
    """

    def __init__(self, *, size: int, timeout_seconds: float) -> None:
        self._slots = asyncio.Semaphore(size)
        self._timeout_seconds = timeout_seconds
        self._idle: list[_Child] = []

    async def start(self) -> None:
        """Do nothing: children are started by need."""

    async def stop(self) -> None:
        """End the idle children; busy ones end with the calls that use them."""
        idle, self._idle = self._idle, []
        for child in idle:
            await _end(child)

    async def make(self, source: AsyncIterator[bytes], *, size: int, edge: int) -> MadeVariant:
        """Return a WebP with no side longer than `edge` pixels of an image of `size` bytes.

        Waits for a free child. Raises UnusableImage for what cannot be decoded, in time and
        memory, ImageProcessDied, and what the source raises. Cancelling kills the child.
        """
        async with self._slots:
            child = await self._take()
            try:
                answer, body = await self._converse(child.process, source, size=size, edge=edge)
            except BaseException:
                await _end(child)
                raise
            await self._give_back(child)
        if "unusable" in answer:
            raise UnusableImage(answer["unusable"])
        return MadeVariant(body, answer["width"], answer["height"])

    async def _converse(
        self, process: Process, source: AsyncIterator[bytes], *, size: int, edge: int
    ) -> tuple[dict[str, Any], bytes]:
        assert process.stdin is not None  # noqa: S101 - both are pipes
        assert process.stdout is not None  # noqa: S101 - the same
        try:
            process.stdin.write(json.dumps({"size": size, "edge": edge}).encode() + b"\n")
            async for chunk in source:
                process.stdin.write(chunk)
                await process.stdin.drain()
            async with asyncio.timeout(self._timeout_seconds):
                answer = json.loads(await process.stdout.readline())
                body = await process.stdout.readexactly(answer["size"])
        except TimeoutError as error:
            raise UnusableImage("The image takes too long to decode.") from error
        except (ConnectionError, asyncio.IncompleteReadError, ValueError) as error:
            raise ImageProcessDied from error
        return answer, body

    async def _take(self) -> _Child:
        while self._idle:
            child = self._idle.pop()
            if child.reaper is not None:
                child.reaper.cancel()
            if child.process.returncode is None:
                return child
        return _Child(
            await asyncio.create_subprocess_exec(
                sys.executable,
                "-I",
                "-B",
                str(SCRIPT),
                stdin=PIPE,
                stdout=PIPE,
                stderr=DEVNULL,
                env=_ENVIRONMENT,
            )
        )

    async def _give_back(self, child: _Child) -> None:
        child.served += 1
        if child.served >= IMAGES_PER_PROCESS:
            await _end(child)
            return
        child.reaper = asyncio.get_running_loop().call_later(IDLE_SECONDS, self._reap, child)
        self._idle.append(child)

    def _reap(self, child: _Child) -> None:
        if child in self._idle:
            self._idle.remove(child)
            child.process.kill()


async def _end(child: _Child) -> None:
    if child.reaper is not None:
        child.reaper.cancel()
    with contextlib.suppress(ProcessLookupError):
        child.process.kill()
    await child.process.wait()
