"""Processes that share a socket are replaced under load, and no request is lost or done twice."""

import asyncio
import contextlib
import os
import signal
import socket
import sys
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.parts.processes import Server, accepts, free_port, give, new_folder
from tests.parts.waiting import PATIENCE_SECONDS

ROOT = Path(__file__).parents[3]
CLIENTS = 32
"""So many that connections wait to be read: with few, a careless stop loses nothing either."""
RESTARTS = 7
DRAIN_SECONDS = 6.0
"""Longer than servers take; a test that stalls must not miss that a process drains."""

NGINX = """
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
events {{ worker_connections 256; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    keepalive_requests 1000000;
    upstream counting {{
        server unix:{folder}/counting.sock max_fails=0;
        keepalive 64;
        keepalive_timeout 60s;
    }}
    server {{
        listen 127.0.0.1:{port};
        location / {{
            proxy_pass http://counting;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_next_upstream off;  # trying again would hide what is lost here
        }}
    }}
}}
"""


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes


class Client:
    """One connection that is kept, as nginx and browsers keep theirs."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def request(self, method: str, path: str, body: bytes = b"") -> Answer:
        """Raises EOFError or OSError when no whole answer comes."""
        head = f"{method} {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
        self._writer.write(head.encode() + body)
        return await self.answer()

    async def answer(self) -> Answer:
        line, *fields = (await self._reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")[:-2]
        headers = dict(each.lower().split(": ", 1) for each in fields)
        length = int(headers["content-length"])
        return Answer(int(line.split()[1]), headers, await self._reader.readexactly(length))

    async def is_closed(self) -> bool:
        """Wait for what comes next, and tell whether it is the end."""
        return await self._reader.read(1) == b""

    async def close(self) -> None:
        self._writer.close()
        with contextlib.suppress(OSError):
            await self._writer.wait_closed()


class Instance:
    """One process of the counting service."""

    def __init__(self, pid: int, notifications: socket.socket) -> None:
        self.pid = pid
        self._notifications = notifications
        self._exit = asyncio.ensure_future(asyncio.to_thread(os.waitpid, pid, 0))

    async def ready(self) -> None:
        loop = asyncio.get_running_loop()
        receiving = loop.sock_recv(self._notifications, 100)
        message = await asyncio.wait_for(receiving, PATIENCE_SECONDS)
        assert message == b"READY=1"

    def terminate(self) -> None:
        os.kill(self.pid, signal.SIGTERM)

    async def exit_status(self) -> int:
        _, status = await asyncio.wait_for(asyncio.shield(self._exit), PATIENCE_SECONDS)
        self._notifications.close()
        return os.waitstatus_to_exitcode(status)

    async def remove(self) -> None:
        if not self._exit.done():
            os.kill(self.pid, signal.SIGKILL)
            await self.exit_status()


class CountingStack:
    """nginx, one listening socket, and the processes that inherit it."""

    def __init__(self) -> None:
        self.folder = new_folder("serve")
        self.journal = self.folder / "journal"
        self.gate = self.folder / "gate"
        self.port = free_port()
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(self.folder / "counting.sock"))
        self._listener.listen(2048)
        give(self.folder / "counting.sock")
        configuration = self.folder / "nginx.conf"
        configuration.write_text(NGINX.format(folder=self.folder, port=self.port))
        self._nginx = Server(
            ["nginx", "-e", "stderr", "-c", str(configuration)],
            folder=self.folder,
            environment={"PATH": f"{os.environ['PATH']}:/usr/sbin"},
        )
        self._instances: list[Instance] = []

    def start_nginx(self) -> None:
        self._nginx.start(lambda: accepts(self.port))

    async def start_instance(self, **settings: object) -> Instance:
        """Start a process as the supervisor does, and return when it is ready."""
        number = len(self._instances) + 1
        address = str(self.folder / f"notify{number}")
        notifications = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        notifications.bind(address)
        notifications.settimeout(0)
        environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT),
            "PYTHONDONTWRITEBYTECODE": "1",
            "NOTIFY_SOCKET": address,
            "LISTEN_FDS": "1",
            "FREEHOLD_INSTANCE": str(number),
            "FREEHOLD_RUN_DIR": str(self.folder),
            "FREEHOLD_PUBLIC_URL": "http://localhost",
            "FREEHOLD_INTERNAL_KEY": "k" * 32,
            "FREEHOLD_JOURNAL": str(self.journal),
            "FREEHOLD_GATE": str(self.gate),
            **{f"FREEHOLD_{name.upper()}": str(value) for name, value in settings.items()},
        }
        pid = os.posix_spawn(
            sys.executable,
            [sys.executable, "-m", "tests.service.chassis.counting_service"],
            environment,
            file_actions=[(os.POSIX_SPAWN_DUP2, self._listener.fileno(), 3)],
        )
        instance = Instance(pid, notifications)
        self._instances.append(instance)
        await instance.ready()
        return instance

    async def through_nginx(self) -> Client:
        return Client(*await asyncio.open_connection("127.0.0.1", self.port))

    async def directly(self) -> Client:
        return Client(*await asyncio.open_unix_connection(str(self.folder / "counting.sock")))

    def executed(self) -> list[tuple[str, int]]:
        """Return what was executed, and by which process."""
        lines = self.journal.read_text().splitlines()
        return [(word, int(pid)) for word, _, pid in (line.partition(" ") for line in lines)]

    async def remove(self) -> None:
        for instance in self._instances:
            await instance.remove()
        self._listener.close()
        self._nginx.remove()


@pytest.fixture
async def stack() -> AsyncIterator[CountingStack]:
    stack = CountingStack()
    yield stack
    await stack.remove()


@dataclass
class Load:
    """Clients that ask without a pause, reads and writes in turn, until told to stop."""

    stack: CountingStack
    sent: int = 0
    posted: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    stopping: bool = False

    async def run(self, name: int) -> None:
        client = await self.stack.through_nginx()
        count = 0
        while not self.stopping:
            count += 1
            word = f"{name}-{count}"
            self.sent += 1
            try:
                if count % 2:
                    self.posted.append(word)
                    answer = await client.request("POST", "/execute", word.encode())
                else:
                    answer = await client.request("GET", f"/echo/{word}")
                if (answer.status, answer.body) != (200, word.encode()):
                    self.failures.append(f"{word}: {answer}")
            except (EOFError, OSError) as error:
                self.failures.append(f"{word}: {error!r}")
                await client.close()
                client = await self.stack.through_nginx()
        await client.close()


@contextlib.asynccontextmanager
async def load(stack: CountingStack) -> AsyncIterator[Load]:
    load = Load(stack)
    clients = [asyncio.create_task(load.run(number)) for number in range(CLIENTS)]
    try:
        yield load
    finally:
        load.stopping = True
        await asyncio.wait_for(asyncio.gather(*clients), PATIENCE_SECONDS)


async def test_a_rolling_restart_under_load_loses_nothing_and_does_nothing_twice(
    stack: CountingStack,
) -> None:
    stack.start_nginx()
    running = list(await asyncio.gather(stack.start_instance(), stack.start_instance()))
    async with load(stack) as traffic:
        for _ in range(RESTARTS):
            running.append(await stack.start_instance())
            oldest = running.pop(0)
            oldest.terminate()
            assert await oldest.exit_status() == 0
    assert traffic.failures == []
    executed = stack.executed()
    assert Counter(word for word, _ in executed) == Counter(traffic.posted)
    assert len(traffic.posted) > 100 * RESTARTS
    assert len({pid for _, pid in executed}) > RESTARTS / 2


async def test_requests_wait_while_the_only_process_is_replaced(stack: CountingStack) -> None:
    stack.start_nginx()
    only = await stack.start_instance()
    async with load(stack) as traffic:
        only.terminate()
        assert await only.exit_status() == 0
        before = traffic.sent
        await stack.start_instance()
        while traffic.sent < before + 10 * CLIENTS:
            await asyncio.sleep(0.01)
    assert traffic.failures == []
    assert Counter(word for word, _ in stack.executed()) == Counter(traffic.posted)


async def test_a_draining_process_finishes_answers_and_lets_go(stack: CountingStack) -> None:
    instance = await stack.start_instance(drain_seconds=DRAIN_SECONDS)
    idle, slow, busy = [await stack.directly() for _ in range(3)]
    for client in (idle, busy):
        answer = await client.request("GET", "/echo/x")
        assert "connection" not in answer.headers
    slow_answer = asyncio.create_task(slow.request("POST", "/slow", b"slow"))
    await busy.request("GET", "/echo/x")  # by then the slow one has been received

    instance.terminate()
    async with asyncio.timeout(DRAIN_SECONDS / 2):
        answer = await busy.request("GET", "/echo/x")
        while "connection" not in answer.headers:
            assert answer.status == 200
            answer = await busy.request("GET", "/echo/x")
    assert (answer.status, answer.headers["connection"]) == (200, "close")
    assert await busy.is_closed()
    assert await idle.is_closed()
    assert not slow_answer.done()

    stack.gate.touch()
    answer = await asyncio.wait_for(slow_answer, PATIENCE_SECONDS)
    assert (answer.status, answer.body) == (200, b"slow")
    assert await instance.exit_status() == 0
    assert stack.executed() == [("slow", instance.pid)]
    for client in (idle, slow, busy):
        await client.close()
