"""A supervisor under test, with parts that are small scripts."""

import contextlib
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psutil

from deploy.local.supervisor.control import Client, NotRunning
from deploy.local.supervisor.specs import OneShot, PartSpec, Plan, Ready

ROOT = Path(__file__).parents[3]
CHILDREN = Path(__file__).with_name("children.py")
DEADLINE_SECONDS = 60.0


def until(read: Callable[[], Any], seconds: float = DEADLINE_SECONDS) -> Any:
    """Poll until `read` gives something true; fail with its last value."""
    deadline = time.monotonic() + seconds
    while not (value := read()):
        assert time.monotonic() < deadline, f"still {value!r} after {seconds} s"
        time.sleep(0.02)
    return value


class Stack:
    """One supervisor on a directory of its own, with the parts that a test asks for."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.run_dir = directory / "run"
        self.journal = directory / "journal"
        self.client = Client(self.run_dir / "control.sock")
        self.parts: list[PartSpec] = []
        self.one_shots: list[OneShot] = []
        self.process: subprocess.Popen[bytes] | None = None

    def part(self, name: str, role: str, *arguments: object, **values: Any) -> PartSpec:
        defaults: dict[str, Any] = {
            "name": name,
            "kind": "service",
            "command": [sys.executable, str(CHILDREN), role, *map(str, arguments)],
            "environment": {"PATH": os.defpath, "FREEHOLD_INSTANCE": "{instance}"},
            "working_directory": self.directory,
            "ready": Ready(kind="notify", timeout_seconds=DEADLINE_SECONDS),
            "log_path": self.directory / "logs" / f"{name}.log",
            "stop_timeout_seconds": DEADLINE_SECONDS,
        }
        spec = PartSpec(**{**defaults, **values})
        self.parts.append(spec)
        return spec

    def one_shot(self, name: str, role: str, *arguments: object, after: list[str]) -> None:
        spec = OneShot(
            name=name,
            command=[sys.executable, str(CHILDREN), role, *map(str, arguments)],
            environment={"PATH": os.defpath},
            working_directory=self.directory,
            log_path=self.directory / "logs" / f"{name}.log",
            after=after,
        )
        self.one_shots.append(spec)

    def plan(self) -> Plan:
        return Plan(
            parts=self.parts,
            one_shots=self.one_shots,
            run_dir=self.run_dir,
            control_socket=self.run_dir / "control.sock",
            state_path=self.directory / "scale.json",
            log_path=self.directory / "logs" / "supervisor.log",
            targets_path=self.directory / "targets.json",
            metrics_address="127.0.0.1:9100",
        )

    def up(self, *, healthy: bool = True) -> None:
        if self.process is not None:
            self.process.wait(DEADLINE_SECONDS)
        self.run_dir.mkdir(mode=0o700, exist_ok=True)
        self.plan().save(self.directory / "plan.json")
        with (self.directory / "stderr").open("ab") as stderr:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "deploy.local.supervisor", self.directory / "plan.json"],
                cwd=ROOT,
                stderr=stderr,
                start_new_session=True,
            )
        if healthy:
            until(lambda: self.status()["healthy"])

    def status(self) -> dict[str, Any]:
        try:
            return self.client.status()
        except NotRunning:
            return {"healthy": False, "parts": []}

    def of(self, name: str) -> dict[str, Any]:
        """The status of one part; empty while nothing answers."""
        return next((part for part in self.status()["parts"] if part["name"] == name), {})

    def pids(self, name: str) -> list[int]:
        return [i["pid"] for i in self.of(name).get("instances", []) if i["pid"] is not None]

    def processes(self) -> dict[str, list[psutil.Process]]:
        """Every living process of this stack, by what it is."""
        found: dict[str, list[psutil.Process]] = {"supervisor": [], "keeper": [], "child": []}
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                line = process.cmdline()
                if process.status() == psutil.STATUS_ZOMBIE:
                    continue
                if process.environ().get("NOTIFY_SOCKET") == str(self.run_dir / "notify.sock"):
                    found["child"].append(process)
                elif str(self.directory / "plan.json") in line:
                    is_keeper = "deploy.local.supervisor.keeper" in line
                    found["keeper" if is_keeper else "supervisor"].append(process)
        return found

    def ask(self, spec: PartSpec, timeout_seconds: float = DEADLINE_SECONDS) -> int:
        """Make one request over the listening socket; return the pid that answered."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(timeout_seconds)
            connection.connect(str(spec.listen))
            connection.sendall(b"?")
            answer = connection.recv(100)
        assert answer, "the connection was closed without an answer"
        return int(answer)

    def answering(self, spec: PartSpec, count: int) -> set[int]:
        """Ask until so many instances have answered; return their pids.

        Whom the kernel wakes is its own affair, so many ask at once until everyone had a turn.
        """
        answered: set[int] = set()
        with ThreadPoolExecutor(16) as askers:

            def enough() -> bool:
                answered.update(askers.map(lambda _: self.ask(spec), range(48)))
                return len(answered) >= count

            until(enough)
        return answered

    def lines(self) -> list[str]:
        return self.journal.read_text().splitlines() if self.journal.exists() else []

    def log(self, name: str) -> list[dict[str, Any]]:
        path = self.directory / "logs" / f"{name}.log"
        return [json.loads(line) for line in path.read_text().splitlines()]

    def end(self) -> None:
        """Leave nothing behind, whatever state the test left."""
        for kind in ("keeper", "supervisor", "child"):
            for process in self.processes()[kind]:
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.kill()
        if self.process is not None:
            self.process.wait(DEADLINE_SECONDS)
