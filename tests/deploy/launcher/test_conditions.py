"""`status` shows what processes and the broker tell of themselves, at the part it is about."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from starlette.types import ASGIApp, Receive, Scope, Send

from deploy.local import conditions
from deploy.local.commands.observe import _print_report
from deploy.local.conditions import Broker, add_conditions
from deploy.local.supervisor.specs import PartSpec, Ready
from shared.chassis.conditions import Conditions
from shared.chassis.serve import MetricsEndpoint, WebServer
from tests.parts.rabbitmq import RabbitNode
from tests.parts.waiting import PATIENCE_SECONDS, eventually

Serve = Callable[[str, int, ASGIApp], Awaitable[None]]


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who answers is heard on a machine that stalls too."""
    monkeypatch.setattr(conditions, "PATIENCE_SECONDS", PATIENCE_SECONDS)


@pytest.fixture
async def serve(tmp_path: Path) -> AsyncIterator[Serve]:
    """Give what serves an instance's metrics socket."""
    servers = []

    async def start(part: str, number: int, application: ASGIApp) -> None:
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        listener.bind(str(tmp_path / f"{part}-{number}.sock"))
        listener.listen(16)
        servers.append(WebServer(application, listener))
        await servers[-1].start()

    yield start
    await asyncio.gather(*(server.stop() for server in servers))


def spec(folder: Path, name: str) -> PartSpec:
    return PartSpec(
        name=name,
        kind="service",
        command=["true"],
        environment={},
        working_directory=folder,
        ready=Ready(kind="notify"),
        log_path=folder / "log",
        metrics_socket=str(folder / f"{name}-{{instance}}.sock"),
    )


def part(name: str, *numbers: int, **values: Any) -> dict[str, Any]:
    instances = [
        {"number": n, "pid": 1000 + n, "rss_bytes": 0, "uptime_seconds": 1.0, "restarts": 0}
        for n in numbers
    ]
    return {"name": name, "kind": "service", "state": "running", "instances": instances, **values}


async def ask(folder: Path, *parts: dict[str, Any], broker: Broker | None = None) -> dict[str, Any]:
    report = {"healthy": True, "parts": list(parts)}
    await add_conditions(report, [spec(folder, each["name"]) for each in parts], broker)
    return report


def telling(*conditions: tuple[str, str, bool]) -> MetricsEndpoint:
    told = Conditions(wall=lambda: 0.0)
    for name, problem, failing in conditions:
        told.raise_condition(name, problem, f"Heal {name}.", failing=failing)
    return MetricsEndpoint(told)


async def test_a_failing_condition_fails_the_part_and_the_stack(
    serve: Serve, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    await serve("auth", 1, telling())
    await serve("mail", 1, telling(("bus_blocked", "The bus is full.", True)))
    report = await ask(tmp_path, part("auth", 1), part("mail", 1))
    auth, mail = report["parts"]
    assert not report["healthy"]
    assert (auth["state"], auth["conditions"]) == ("running", [])
    assert (mail["state"], mail["problem"], mail["next_step"]) == (
        "failed",
        "The bus is full.",
        "Heal bus_blocked.",
    )
    assert mail["conditions"] == [
        {
            "name": "bus_blocked",
            "problem": "The bus is full.",
            "next_step": "Heal bus_blocked.",
            "failing": True,
            "instances": [1],
            "since": "1970-01-01T00:00:00Z",
        }
    ]
    assert json.dumps(report)
    _print_report(report)
    shown = capsys.readouterr().out
    assert shown.count("    The bus is full.\n    next: Heal bus_blocked.\n") == 1
    assert "NOT healthy" in shown


async def test_a_warning_changes_neither_health_nor_state_and_is_said_once_for_all(
    serve: Serve, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, number in (("auth", 1), ("auth", 3), ("mail", 1)):
        await serve(name, number, telling(("clock_jumped", "The clock jumped.", False)))
    report = await ask(tmp_path, part("auth", 1, 3), part("mail", 1))
    assert report["healthy"]
    auth, mail = report["parts"]
    assert auth["state"] == mail["state"] == "running"
    assert "problem" not in auth
    assert [condition["instances"] for condition in auth["conditions"]] == [[1, 3]]
    _print_report(report)
    shown = capsys.readouterr().out.splitlines()
    assert shown[-2:] == [
        "warning: auth, mail: The clock jumped.",
        "    next: Heal clock_jumped.",
    ]


async def test_one_that_hangs_is_told_in_bounded_time_and_the_others_are_heard(
    serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(conditions, "PATIENCE_SECONDS", 4.0)

    async def hang(_scope: Scope, receive: Receive, _send: Send) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass

    for number in range(1, 6):
        await serve("files", number, hang)
    await serve("mail", 1, telling(("bus_blocked", "The bus is full.", True)))
    async with asyncio.timeout(4 * 4.0):  # one after the other the five would take longer
        report = await ask(tmp_path, part("files", 1, 2, 3, 4, 5), part("mail", 1))
    files, mail = report["parts"]
    assert [(c["name"], c["failing"]) for c in files["conditions"]] == [("unanswered", False)] * 5
    assert files["state"] == "running"
    assert mail["state"] == "failed"


@pytest.mark.parametrize("answer", [b"ok\n", b"{}", b'[{"name": 1}]'])
async def test_one_that_is_gone_or_of_an_old_release_tells_nothing(
    serve: Serve, tmp_path: Path, answer: bytes
) -> None:
    async def old(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": answer})

    await serve("files", 1, old)
    report = await ask(tmp_path, part("files", 1), part("mail", 1))
    assert report["healthy"]
    assert [each["conditions"] for each in report["parts"]] == [[], []]


async def test_alarms_of_the_broker_stand_at_the_broker_until_they_are_over(
    rabbitmq: RabbitNode, tmp_path: Path
) -> None:
    broker = Broker(rabbitmq.metrics_port, rabbitmq.folder)

    async def shown() -> list[str]:
        report = await ask(tmp_path, part("rabbitmq", 1, kind="infrastructure"), broker=broker)
        (rabbit,) = report["parts"]
        names = [condition["name"] for condition in rabbit["conditions"]]
        assert report["healthy"] == (rabbit["state"] == "running") == (not names)
        told.extend(f"{c['problem']} {c['next_step']}" for c in rabbit["conditions"])
        return names

    async def figures_are_told() -> bool:
        await shown()
        return "it wants 953,674,316 MiB" in told[-1] and "Free at least 953," in told[-1]

    told: list[str] = []
    assert await shown() == []
    rabbitmq.control("set_disk_free_limit", "1000000GB")
    try:
        await eventually(shown, ["rabbitmq_disk"])
        assert str(rabbitmq.folder) in told[-1]
        await eventually(figures_are_told, expected=True)
        rabbitmq.control("set_vm_memory_high_watermark", "absolute", "20MB")
        await eventually(shown, ["rabbitmq_disk", "rabbitmq_memory"])
        assert "memory is over its limit" in told[-1]
    finally:
        rabbitmq.control("set_disk_free_limit", "50MB")
        rabbitmq.control("set_vm_memory_high_watermark", "0.4")
    await eventually(shown, [])


async def test_a_broker_that_does_not_run_is_not_asked(tmp_path: Path) -> None:
    stopped = part("rabbitmq", kind="infrastructure") | {"state": "starting"}
    report = await ask(tmp_path, stopped, broker=Broker(1, tmp_path))
    assert report["parts"][0]["conditions"] == []
