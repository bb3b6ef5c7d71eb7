"""The service as its real processes: inherited socket, readiness, drain, and a kill."""

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import pytest

from shared.chassis.serve import FINISH_SECONDS
from tests.parts.processes import wait_until
from tests.parts.waiting import PATIENCE_SECONDS
from tests.service.realtime.client import connect
from tests.service.realtime.conftest import RealtimeHouse, WebProcess

ROOT = Path(__file__).parents[3]


@dataclass
class Launcher:
    """Starts processes of the service as a supervisor does."""

    environment: dict[str, str]
    folder: Path
    listener: socket.socket
    notices: socket.socket

    async def start(self, role: str, instance: int) -> subprocess.Popen[bytes]:
        """Start a process and return when it says that it is ready."""
        process = self.spawn(role, instance)
        # In a thread, because the process asks auth's stand-in, which runs in this loop.
        await asyncio.to_thread(
            wait_until,
            lambda: self._said_ready() or process.poll() is not None,
            PATIENCE_SECONDS,
            lambda: f"{role} is silent",
        )
        assert process.poll() is None, f"{role} ended"
        return process

    def spawn(self, role: str, instance: int = 1) -> subprocess.Popen[bytes]:
        """Start a process with the listener as descriptor 3."""
        command = f"exec 3<&0 0</dev/null; exec {sys.executable} -m services.realtime {role}"
        return subprocess.Popen(
            ["/bin/sh", "-c", command],
            cwd=ROOT,
            env={**self.environment, "FREEHOLD_INSTANCE": str(instance)},
            stdin=self.listener,
            stderr=subprocess.DEVNULL,
        )

    def _said_ready(self) -> bool:
        with contextlib.suppress(BlockingIOError):
            return b"READY=1" in self.notices.recv(1000)
        return False


@pytest.fixture
def launcher(house: RealtimeHouse) -> Iterator[Launcher]:
    folder: Path = house.settings["run_dir"]
    with (
        socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener,
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notices,
    ):
        listener.bind(str(folder / "realtime.sock"))
        listener.listen(64)
        notices.bind(str(folder / "notify"))
        notices.settimeout(0)
        variables = {f"FREEHOLD_{name.upper()}": str(v) for name, v in house.settings.items()}
        environment = {
            "PATH": os.environ["PATH"],
            "LANG": "C.UTF-8",
            "PYTHONDONTWRITEBYTECODE": "1",
            "NOTIFY_SOCKET": str(folder / "notify"),
            "LISTEN_FDS": "1",
            **variables,
        }
        yield Launcher(environment, folder, listener, notices)


@contextlib.contextmanager
def running(process: subprocess.Popen[bytes]) -> Iterator[subprocess.Popen[bytes]]:
    try:
        yield process
    finally:
        process.kill()
        process.wait()


async def test_two_processes_on_one_socket_drain_on_sigterm(
    house: RealtimeHouse, launcher: Launcher
) -> None:
    assert launcher.spawn("migrate").wait(PATIENCE_SECONDS) == 0
    with (
        running(await launcher.start("web", 1)) as one,
        running(await launcher.start("web", 2)) as two,
        running(await launcher.start("worker", 1)) as worker,
    ):
        web = WebProcess(launcher.folder / "realtime.sock")
        async with connect(web.path) as ada, connect(web.path) as grace:
            for client in (ada, grace):
                await client.log_in(house.auth.token(uuid4()))
                await client.subscribe("room:r")
            await house.publish(web, "room:r", "n", 1)
            assert await ada.event() == await grace.event() == ("room:r", "n", 1)
            for process in (one, two):
                process.send_signal(signal.SIGTERM)
            assert await ada.closed() == await grace.closed() == 1012
        worker.send_signal(signal.SIGTERM)
        # Who had to be waited for, as a request that does not end is, would take longer.
        ends = [
            asyncio.to_thread(process.wait, FINISH_SECONDS - 1) for process in (one, two, worker)
        ]
        assert await asyncio.gather(*ends) == [0, 0, 0]


async def test_a_killed_worker_or_web_process_loses_no_message(
    house: RealtimeHouse, launcher: Launcher
) -> None:
    with (
        running(await launcher.start("web", 1)) as first,
        running(await launcher.start("worker", 1)) as worker,
    ):
        web = WebProcess(launcher.folder / "realtime.sock")
        async with connect(web.path) as client:
            position = (await client.log_in(house.auth.token(uuid4())))["position"]
            await client.subscribe("room:r")
            worker.kill()
            await house.publish(web, "room:r", "n", 1)
            with running(await launcher.start("worker", 2)):
                assert await client.event() == ("room:r", "n", 1)
            first.kill()
            first.wait()
        with running(await launcher.start("web", 3)):
            async with connect(web.path) as client:
                await client.log_in(house.auth.token(uuid4()))
                assert (await client.subscribe("room:r", recover=position))["recovered"] is True
                assert await client.event() == ("room:r", "n", 1)
                await client.nothing_more()
