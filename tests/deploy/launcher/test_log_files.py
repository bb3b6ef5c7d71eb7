"""Logs of several files are one stream of JSON lines in the order of time."""

import json
from pathlib import Path

import pytest

from deploy.local.log_files import last, log_names, read


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "auth.log.1").write_text('{"time": "2026-01-01T00:00:01.000Z", "message": "a1"}\n')
    (tmp_path / "auth.log").write_text(
        '{"time": "2026-01-01T00:00:03.000+00:00", "service": "auth", "message": "a3"}\nplain\n'
    )
    (tmp_path / "auth-worker.log").write_text(
        '{"time": "2026-01-01 00:00:02.000000+00:00", "msg": "w2"}\n'
    )
    (tmp_path / "author.log").write_text('{"ts": "2026-01-01T00:00:00Z", "message": "o0"}\n')
    return tmp_path


def test_a_services_logs_are_its_own_and_its_workers(folder: Path) -> None:
    assert log_names(folder, "auth") == ["auth", "auth-worker"]
    assert log_names(folder, None) == ["auth", "auth-worker", "author"]
    assert log_names(folder, "other") == []


def test_lines_come_in_the_order_of_time_and_name_their_origin(folder: Path) -> None:
    lines = [json.loads(line.text) for line in read(folder, log_names(folder, None))]
    assert [(line["service"], line.get("message") or line["msg"]) for line in lines] == [
        ("author", "o0"),
        ("auth", "a1"),
        ("auth-worker", "w2"),
        ("auth", "a3"),
        ("auth", "plain"),
    ]


def test_the_last_lines_of_one_log(folder: Path) -> None:
    assert [json.loads(line)["message"] for line in last(folder, "auth", 2)] == ["a3", "plain"]
    assert last(folder, "missing", 2) == []
