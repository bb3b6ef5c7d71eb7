"""The last minutes of the stream in memory: recovery without a question to anybody."""

import time
from collections import deque
from dataclasses import dataclass
from typing import Final, Self

from services.realtime.frames import ServerFrame

_MAXIMUM_DIGITS: Final = 18
ENTRY_OVERHEAD_BYTES: Final = 400
"""Of Python's objects around a stored frame, so that the bound holds for short messages too."""


@dataclass(frozen=True, slots=True)
class Position:
    """A place in the stream, the same in every process; opaque to clients."""

    epoch: str
    offset: int

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """Read a position, or return None for a text that is none of ours."""
        epoch, dash, digits = text.rpartition("-")
        if not dash or not digits.isascii() or not digits.isdecimal():
            return None
        return cls(epoch, int(digits)) if len(digits) <= _MAXIMUM_DIGITS else None

    def __str__(self) -> str:
        return f"{self.epoch}-{self.offset}"


@dataclass(frozen=True, slots=True)
class Entry:
    """A message that can be recovered."""

    offset: int
    channel: str
    frame: ServerFrame
    read_at: float
    """Of the monotonic clock."""


class History:
    """A ring of the newest messages, bounded by age, count and bytes.

    It knows the first offset from which on it has everything, so a recovery is complete or it is
    refused; there is nothing in between.
    """

    def __init__(self, *, seconds: float, messages: int, size: int) -> None:
        self._seconds = seconds
        self._messages = messages
        self._size_limit = size
        self.restart("")

    def restart(self, epoch: str) -> None:
        """Forget everything: another stream begins."""
        self.epoch = epoch
        self._ring: deque[Entry] = deque()
        self._channels: dict[str, deque[Entry]] = {}
        self._size = 0
        self._floor: int | None = None
        self._tail = -1

    @property
    def tail(self) -> int:
        """The newest offset that was read; -1 before the first."""
        return self._tail

    @property
    def position(self) -> Position:
        """The place up to which everything was read."""
        return Position(self.epoch, self._tail)

    def advance(self, offset: int) -> None:
        """Note that the stream was read up to an offset, whatever is there."""
        if self._floor is None:
            self._floor = offset
        self._tail = offset
        self._forget_old()

    def skip_to(self, offset: int) -> None:
        """Note that everything before an offset is lost, so nothing before it can be recovered."""
        self.restart(self.epoch)
        self._floor = offset
        self._tail = offset - 1

    def add(self, offset: int, channel: str, frame: ServerFrame) -> None:
        """Keep the message at an offset that `advance` was called with."""
        entry = Entry(offset, channel, frame, time.monotonic())
        self._ring.append(entry)
        self._channels.setdefault(channel, deque()).append(entry)
        self._size += frame.size + ENTRY_OVERHEAD_BYTES
        while len(self._ring) > self._messages or self._size > self._size_limit:
            self._forget_first()

    def after(
        self, position: Position, channel: str, *, until: int, limit_bytes: int
    ) -> list[ServerFrame] | None:
        """Return a channel's messages after a position up to an offset.

        None if any is missing or if there is more than fits; an empty list is a complete answer.
        """
        complete = (
            position.epoch == self.epoch
            and self._floor is not None
            and self._floor - 1 <= position.offset <= self._tail
        )
        if not complete:
            return None
        missed = [
            entry.frame
            for entry in self._channels.get(channel, ())
            if position.offset < entry.offset <= until
        ]
        return missed if sum(frame.size for frame in missed) <= limit_bytes else None

    def _forget_old(self) -> None:
        oldest = time.monotonic() - self._seconds
        while self._ring and self._ring[0].read_at < oldest:
            self._forget_first()

    def _forget_first(self) -> None:
        entry = self._ring.popleft()
        channel = self._channels[entry.channel]
        channel.popleft()
        if not channel:
            del self._channels[entry.channel]
        self._size -= entry.frame.size + ENTRY_OVERHEAD_BYTES
        self._floor = entry.offset + 1
