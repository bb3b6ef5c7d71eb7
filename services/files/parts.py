"""Cuts a stream of bytes into parts of one size, with the digests that S3 and the row need."""

import hashlib
import io
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Final

PART_BYTES: Final = 8 * 1024**2
"""S3 takes no part below 5 MiB but the last, and 10,000 parts: enough for 80 GB."""


@dataclass(frozen=True)
class Part:
    """A piece of a file as long as `PART_BYTES`; only the last is shorter."""

    body: io.BytesIO
    size: int
    sha256: bytes
    last: bool

    def head(self, size: int) -> bytes:
        """Return the first bytes."""
        with self.body.getbuffer() as buffer:
            return bytes(buffer[:size])


class PartReader:
    """Reads one part at a time, so that no more than that is in memory."""

    def __init__(self, chunks: AsyncIterator[bytes]) -> None:
        self._chunks = chunks
        self._rest = memoryview(b"")
        self._ahead: Part | None = None
        self._digest = hashlib.sha256()
        self.size = 0
        """Bytes of the parts read so far."""

    @property
    def sha256(self) -> bytes:
        """Digest of everything read so far."""
        return self._digest.digest()

    async def head(self, size: int) -> bytes:
        """Return the file's first bytes; none if it is empty. To be asked before the first part."""
        if self._ahead is None:
            self._ahead = await self._cut()
        return self._ahead.head(size)

    async def read(self) -> Part:
        """Return the next part; an empty last one if the file is empty."""
        ahead, self._ahead = self._ahead, None
        return ahead if ahead is not None else await self._cut()

    async def _cut(self) -> Part:
        body = io.BytesIO()
        size = 0
        digest = hashlib.sha256()
        # One byte beyond the part must be seen to know whether it is the last one.
        while size < PART_BYTES or not self._rest:
            if not self._rest:
                chunk = await anext(self._chunks, None)
                if chunk is None:
                    return Part(body, size, digest.digest(), last=True)
                self._rest = memoryview(chunk)
                continue
            piece = self._rest[: PART_BYTES - size]
            body.write(piece)
            digest.update(piece)
            self._digest.update(piece)
            size += len(piece)
            self.size += len(piece)
            self._rest = self._rest[len(piece) :]
        return Part(body, size, digest.digest(), last=False)
