"""The realtime service on real PostgreSQL and RabbitMQ, several processes' parts at once."""

import shutil
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx2
import pytest
from uuid_utils.compat import uuid7

from services.realtime import store
from services.realtime.app import SERVICE, web, worker
from services.realtime.settings import RealtimeSettings
from services.realtime.topology import declare_topology as declare_stream
from services.realtime.topology import stream_name
from shared.chassis.bus import Bus, close_quietly, declare_topology
from shared.chassis.database import Database
from shared.chassis.lifecycle import Lifecycle
from shared.chassis.migrations import CHASSIS_MIGRATIONS, migrate
from shared.chassis.outbox import EVENTS_EXCHANGE
from shared.chassis.serve import WebServer
from shared.schemas.api.files import File, FileState, Visibility
from shared.schemas.events.envelope import Event
from shared.schemas.events.files import FileReady
from tests.parts.processes import new_folder
from tests.parts.rabbitmq import RabbitNode
from tests.parts.waiting import PATIENCE_SECONDS
from tests.service.mail.auth_stand_in import INTERNAL_KEY, PUBLIC_URL, AuthStandIn


@dataclass
class WebProcess:
    """The parts of one web process, stopped on their own."""

    path: Path
    lifecycle: Lifecycle = field(default_factory=Lifecycle)

    def http(self) -> httpx2.AsyncClient:
        """Return an HTTP client for the process."""
        transport = httpx2.AsyncHTTPTransport(uds=str(self.path))
        return httpx2.AsyncClient(
            transport=transport, base_url="http://realtime", timeout=PATIENCE_SECONDS
        )


@dataclass
class RealtimeHouse:
    """The service with what is around it."""

    database: Database
    bus: Bus
    auth: AuthStandIn
    settings: dict[str, Any]
    parts: AsyncExitStack = field(default_factory=AsyncExitStack)
    _processes: int = 0

    async def start_worker(self) -> None:
        """Start a worker process' parts."""
        lifecycle = Lifecycle()
        self.parts.push_async_callback(lifecycle.stop)
        await worker(RealtimeSettings(**self.settings), lifecycle)

    async def start_web(self, **settings: Any) -> WebProcess:
        """Start a web process' parts on a socket of its own; `settings` outrank the usual ones."""
        self._processes += 1
        process = WebProcess(self.settings["run_dir"] / f"web{self._processes}.sock")
        self.parts.push_async_callback(process.lifecycle.stop)
        application = await web(RealtimeSettings(**self.settings | settings), process.lifecycle)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        listener.bind(str(process.path))
        listener.listen(64)
        await process.lifecycle.start(WebServer(application, listener))
        return process

    async def publish(
        self,
        process: WebProcess,
        channel: str,
        event: str,
        data: Any,
        *,
        user_id: UUID | None = None,
    ) -> None:
        """Publish over HTTP as some user."""
        async with process.http() as client:
            answer = await client.post(
                "/v1/realtime/publish",
                json={"channel": channel, "event": event, "data": data},
                headers={"Authorization": f"Bearer {self.auth.token(user_id or uuid4())}"},
            )
        assert answer.status_code == 202, answer.text

    async def file_is_ready(self, owner_id: UUID, *, event_id: UUID | None = None) -> File:
        """Publish `file.ready` as the files service's relay does, and return the File."""
        file = File(
            id=uuid7(),
            name="cat.jpg",
            size=5,
            content_type="image/jpeg",
            sha256="0" * 64,
            visibility=Visibility.PRIVATE,
            state=FileState.READY,
            variants={},
            created_at="2026-11-23T12:00:00Z",
            owner_id=owner_id,
        )
        event = Event[FileReady](
            id=event_id or uuid7(),
            type="file.ready",
            version=1,
            time="2026-11-23T12:00:00Z",
            source="files",
            subject=str(file.id),
            data=FileReady(file_id=file.id, owner_id=owner_id, file=file),
        )
        await self.bus.publish(
            EVENTS_EXCHANGE,
            event.type,
            event.model_dump_json().encode(),
            message_id=str(event.id),
            mandatory=True,
        )
        return file

    async def stream(self) -> str:
        """Return the name of the present stream."""
        return stream_name((await store.current_epoch(self.database)).name)

    async def count(self, table: str) -> int:
        """Return how many rows a table has."""
        rows: int = await self.database.fetchval(f"SELECT count(*) FROM {table}")
        return rows


@pytest.fixture
async def house(
    new_database: Callable[[str], str], rabbitmq: RabbitNode
) -> AsyncIterator[RealtimeHouse]:
    run_dir = new_folder("rt")
    settings = {
        "run_dir": run_dir,
        "public_url": PUBLIC_URL,
        "internal_key": INTERNAL_KEY,
        "postgres_url": new_database("realtime"),
        "amqp_url": rabbitmq.url,
        # A stalled test is no stranger who says nothing.
        "realtime_auth_seconds": 60.0,
    }
    parsed = RealtimeSettings(**settings)
    database, bus, auth = (
        Database(parsed, "realtime"),
        Bus(parsed, "realtime"),
        AuthStandIn(run_dir),
    )
    house = RealtimeHouse(database, bus, auth, settings)
    await database.start()
    assert SERVICE.migrations is not None
    await migrate(database, [CHASSIS_MIGRATIONS, SERVICE.migrations])
    connection = await bus.connect("tests")
    channel = await connection.channel()
    await declare_topology(channel, "realtime")
    await (await channel.get_queue("realtime.events")).purge()
    await declare_stream(parsed, channel)
    await close_quietly(connection)
    await auth.start()
    yield house
    await house.parts.aclose()
    await auth.stop()
    connection = await bus.connect("tests")
    await (await connection.channel()).queue_delete(await house.stream())
    await close_quietly(connection)
    await bus.stop()
    await database.stop()
    shutil.rmtree(run_dir, ignore_errors=True)
