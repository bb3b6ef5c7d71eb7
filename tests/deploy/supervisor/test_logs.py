"""Logs of processes: JSON lines, bounded in size, never a reason to fail."""

import asyncio
import json
import os
from pathlib import Path

import pytest

from deploy.local.supervisor.logs import (
    LONGEST_LINE_BYTES,
    ProcessOutput,
    RotatingLog,
    summarise,
)


async def written(path: Path, data: bytes) -> tuple[list[str], str]:
    """Copy what a process wrote; return the lines of the log and the summary."""
    output = ProcessOutput(RotatingLog(path), {"service": "auth"})
    writer = os.dup(output.writer)
    output.hand_over()
    await asyncio.to_thread(write_and_close, writer, data)
    output.close()
    return path.read_text().splitlines(), output.summary


def write_and_close(writer: int, data: bytes) -> None:
    with os.fdopen(writer, "wb") as stream:
        stream.write(data)


async def test_json_lines_are_kept_and_others_wrapped(tmp_path: Path) -> None:
    lines, summary = await written(tmp_path / "log", b'{"message": "one"}\n\ntwo \xff\nthree')
    assert lines[0] == '{"message": "one"}'
    wrapped = [json.loads(line) for line in lines[1:]]
    assert [line["message"] for line in wrapped] == ["two \ufffd", "three"]
    assert {line["service"] for line in wrapped} == {"auth"}
    assert summary == "three"


async def test_a_line_without_end_is_cut(tmp_path: Path) -> None:
    lines, _ = await written(tmp_path / "log", b"x" * 10 * LONGEST_LINE_BYTES)
    messages = [json.loads(line)["message"] for line in lines]
    assert sum(map(len, messages)) == 10 * LONGEST_LINE_BYTES
    assert max(map(len, messages)) <= 2 * LONGEST_LINE_BYTES


def test_a_log_rotates_and_forgets_the_oldest(tmp_path: Path) -> None:
    log = RotatingLog(tmp_path / "log", rotate_at_bytes=10, kept_files=2)
    for number in range(5):
        log.write(f"line {number}..".encode())
    log.close()
    contents = {path.name: path.read_text() for path in tmp_path.iterdir()}
    assert contents == {"log": "line 4..\n", "log.1": "line 3..\n", "log.2": "line 2..\n"}


def test_a_log_that_cannot_be_written_says_later_what_is_missing(tmp_path: Path) -> None:
    folder = tmp_path / "logs"
    folder.touch()
    log = RotatingLog(folder / "log")
    log.write(b"lost")
    log.write(b"lost too")
    folder.unlink()
    log.write(b"kept")
    log.close()
    report, kept = (folder / "log").read_text().splitlines()
    assert "2 log lines were lost" in json.loads(report)["message"]
    assert kept == "kept"


@pytest.mark.parametrize(
    ("line", "summary"),
    [
        (b"plain", "plain"),
        (b'{"message": "broken", "exception": "Traceback\\n  x\\nValueError: y"}', None),
        (b'{"other": 1}', '{"other": 1}'),
        (b"x" * 1000, "x" * 300),
    ],
)
def test_the_summary_of_a_line(line: bytes, summary: str | None) -> None:
    assert summarise(line) == (summary or "broken: ValueError: y")
