"""The log files of a stack, read together in the order of time."""

import heapq
import json
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

POLL_SECONDS = 0.3
TIME_KEYS = ("time", "ts")
EARLIEST = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, order=True)
class LogLine:
    """One line, sortable by its time; `text` is a JSON object."""

    at: datetime
    text: str = field(compare=False)


def log_names(folder: Path, service: str | None) -> list[str]:
    """Return the logs there are: all, or a service's own and those of its worker and migrations."""
    names = sorted(path.name.removesuffix(".log") for path in folder.glob("*.log"))
    if service is None:
        return names
    return [name for name in names if name == service or name.startswith(f"{service}-")]


def read(folder: Path, names: Sequence[str]) -> Iterator[LogLine]:
    """Yield the lines of the logs, rotated files too, merged by time."""
    return heapq.merge(*(_lines(folder, name) for name in names))


def last(folder: Path, name: str, count: int) -> list[str]:
    """Return the last lines of one log."""
    return [line.text for line in _lines(folder, name)][-count:]


def follow(folder: Path, names: Sequence[str]) -> Iterator[LogLine]:
    """Yield the lines there are and then those that come, without end."""
    followed = {name: _FollowedFile(folder / f"{name}.log", name) for name in names}
    yield from read(folder, names)
    while True:
        yield from sorted(line for file in followed.values() for line in file.fresh())
        time.sleep(POLL_SECONDS)


class _FollowedFile:
    """A file whose end is watched; it starts anew when another takes its name."""

    def __init__(self, path: Path, name: str) -> None:
        self._path = path
        self._name = name
        self._stream = path.open("rb")
        self._stream.seek(0, 2)
        self._unfinished = b""

    def fresh(self) -> list[LogLine]:
        """Return the lines that were finished since the last call."""
        content = self._unfinished + self._stream.read()
        if self._was_rotated():
            self._stream.close()
            self._stream = self._path.open("rb")
            content += self._stream.read()
        *lines, self._unfinished = content.split(b"\n")
        return [_parse(line.decode("utf-8", "replace"), self._name, EARLIEST) for line in lines]

    def _was_rotated(self) -> bool:
        try:
            there = self._path.stat()
        except FileNotFoundError:
            return False
        return there.st_ino != os.fstat(self._stream.fileno()).st_ino


def _lines(folder: Path, name: str) -> Iterator[LogLine]:
    rotated = sorted(
        folder.glob(f"{name}.log.*"), key=lambda path: int(path.suffix[1:]), reverse=True
    )
    at = EARLIEST
    for path in [*rotated, folder / f"{name}.log"]:
        try:
            stream = path.open(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            continue
        with stream:
            for text in stream:
                line = _parse(text.rstrip("\n"), name, at)
                at = line.at
                yield line


def _parse(text: str, name: str, before: datetime) -> LogLine:
    """Return a line as a JSON object that names its origin, at its own time or the one before."""
    try:
        document = json.loads(text)
    except ValueError:
        document = None
    if not isinstance(document, dict):
        document = {"message": text}
    if "service" in document and "message" in document:
        shown = text
    else:
        shown = json.dumps({"service": name, **document}, ensure_ascii=False)
    return LogLine(_time(document) or before, shown)


def _time(document: dict[str, object]) -> datetime | None:
    for key in TIME_KEYS:
        value = document.get(key)
        if isinstance(value, str):
            try:
                at = datetime.fromisoformat(value)
            except ValueError:
                continue
            return at if at.tzinfo else at.replace(tzinfo=UTC)
    return None
