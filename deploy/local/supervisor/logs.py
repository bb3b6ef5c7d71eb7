"""Output of processes: read from pipes, kept as JSON lines in files that rotate."""

import asyncio
import json
import logging
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ROTATE_AT_BYTES = 10 * 1024 * 1024
KEPT_FILES = 5
LONGEST_LINE_BYTES = 64 * 1024
_READ_BYTES = 64 * 1024
_LONGEST_SUMMARY = 300


class RotatingLog:
    """A file of lines that is renamed to ``.1`` … ``.5`` when it reaches 10 MiB.

    Writing never raises: when the disk is full, lines are dropped, and the next line that fits is
    preceded by their number: a process must not fall over its log.
    """

    def __init__(
        self, path: Path, rotate_at_bytes: int = ROTATE_AT_BYTES, kept_files: int = KEPT_FILES
    ) -> None:
        self.path = path
        self.dropped_lines = 0
        self._rotate_at = rotate_at_bytes
        self._kept = kept_files
        self._descriptor: int | None = None
        self._size = 0

    def write(self, line: bytes) -> None:
        """Append one line; `line` carries no newline."""
        try:
            if self._descriptor is None:
                self._open()
            elif self._size + len(line) >= self._rotate_at:
                self._rotate()
            if self._descriptor is not None:
                self._size += os.write(self._descriptor, self._report_of_dropped() + line + b"\n")
                self.dropped_lines = 0
        except OSError:
            self.dropped_lines += 1

    def close(self) -> None:
        """Close the file; a later write opens it again."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _report_of_dropped(self) -> bytes:
        if not self.dropped_lines:
            return b""
        message = f"{self.dropped_lines} log lines were lost because the disk could not take them"
        return json_line("WARNING", message, {"service": "supervisor"}) + b"\n"

    def _open(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        self._descriptor = os.open(self.path, flags, 0o640)
        self._size = os.fstat(self._descriptor).st_size

    def _rotate(self) -> None:
        self.close()
        for number in range(self._kept, 0, -1):
            newer = self._numbered(number - 1)
            if newer.exists():
                newer.replace(self._numbered(number))
        self._open()

    def _numbered(self, number: int) -> Path:
        return self.path.with_name(f"{self.path.name}.{number}") if number else self.path


class ProcessOutput:
    """The stdout and stderr of one process, copied line by line into a log.

    A line that is not a JSON object is wrapped into one that carries `identity`. At
    most 64 KiB of an unfinished line are held; a process that writes faster than the disk waits.
    """

    def __init__(self, log: RotatingLog, identity: Mapping[str, object]) -> None:
        self._log = log
        self._identity = identity
        self._unfinished = b""
        self._last_line = b""
        self._reader, self.writer = os.pipe2(os.O_CLOEXEC)
        os.set_blocking(self._reader, False)
        asyncio.get_running_loop().add_reader(self._reader, self._read)

    @property
    def summary(self) -> str:
        """The last line that was written, shortened; of a JSON line its message."""
        return summarise(self._last_line)

    @property
    def next_step(self) -> str | None:
        """What the last line tells the operator to do, if it is a JSON line that does."""
        return _document(self._last_line).get("next_step")

    def hand_over(self) -> None:
        """Give up the writing end, which the process holds now."""
        if self.writer >= 0:
            os.close(self.writer)
            self.writer = -1

    def close(self) -> None:
        """Take what is still in the pipe and stop reading."""
        if self._reader < 0:
            return
        while self._read():
            pass
        if self._unfinished:
            self._take(self._unfinished)
        asyncio.get_running_loop().remove_reader(self._reader)
        os.close(self._reader)
        self._reader = -1
        self.hand_over()

    def _read(self) -> bool:
        try:
            chunk = os.read(self._reader, _READ_BYTES)
        except BlockingIOError:
            return False
        if not chunk:
            asyncio.get_running_loop().remove_reader(self._reader)
            return False
        *lines, self._unfinished = (self._unfinished + chunk).split(b"\n")
        for line in lines:
            self._take(line)
        if len(self._unfinished) >= LONGEST_LINE_BYTES:
            self._take(self._unfinished)
            self._unfinished = b""
        return True

    def _take(self, line: bytes) -> None:
        line = line.rstrip()
        if not line:
            return
        self._last_line = line
        if not (line.startswith(b"{") and line.endswith(b"}")):
            line = json_line("INFO", line.decode("utf-8", "replace"), self._identity)
        self._log.write(line)


class JsonLogHandler(logging.Handler):
    """Writes the supervisor's own log records, and those of asyncio, as JSON lines."""

    def __init__(self, log: RotatingLog) -> None:
        super().__init__()
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record; ``extra={"fields": {...}}`` becomes keys beside the message."""
        fields = {"service": "supervisor", **getattr(record, "fields", {})}
        if record.exc_info:
            fields["exception"] = logging.Formatter().formatException(record.exc_info)
        self._log.write(json_line(record.levelname, record.getMessage(), fields))


def json_line(level: str, message: str, fields: Mapping[str, object]) -> bytes:
    """Return one log line."""
    time = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    line = {"time": time, "level": level, "message": message, **fields}
    return json.dumps(line, ensure_ascii=False).encode("utf-8", "replace")


def summarise(line: bytes) -> str:
    """Return what a log line says, in at most 300 characters."""
    text = line.decode("utf-8", "replace").strip()
    document = _document(line)
    if document:
        said = [str(document[key]) for key in ("message", "error", "exception") if key in document]
        # The last line of a traceback names the error.
        text = ": ".join(part.strip().splitlines()[-1] for part in said if part.strip()) or text
    return text[:_LONGEST_SUMMARY]


def _document(line: bytes) -> dict[str, Any]:
    try:
        document = json.loads(line)
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}
