"""The jobs service on real servers, beside auth's internal routes and a mail service's."""

import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID, uuid4

import httpx2
from starlette.types import ASGIApp

from services.jobs.app import SERVICE, web, worker
from services.jobs.settings import JobsSettings
from shared.chassis.administration_routes import JobRoutes
from shared.chassis.bus import Bus, close_quietly, declare_topology
from shared.chassis.database import Database
from shared.chassis.dead_letter_routes import DeadLetterRoutes
from shared.chassis.http import http_application
from shared.chassis.lifecycle import Lifecycle
from shared.chassis.migrations import CHASSIS_MIGRATIONS, migrate
from shared.chassis.serve import WebServer
from shared.chassis.settings import DatabaseSettings
from tests.parts.postgres import emptying
from tests.parts.rabbitmq import RabbitNode
from tests.service.mail.auth_stand_in import INTERNAL_KEY, PUBLIC_URL, AuthStandIn

MASTER_KEY = "master-key-of-the-tests-0123456789ab"


class Answer(NamedTuple):
    """What a call was answered."""

    status: int
    body: Any
    headers: Any

    @property
    def code(self) -> str:
        """The problem's code."""
        assert self.headers["content-type"] == "application/problem+json", self.body
        return str(self.body["code"])

    @property
    def fields(self) -> list[str]:
        """The fields that the problem names."""
        return [error["field"] for error in self.body.get("errors", [])]


class Caller:
    """Somebody with a token, or without one."""

    def __init__(self, client: httpx2.AsyncClient, token: str | None) -> None:
        self._client = client
        self._headers = {} if token is None else {"Authorization": f"Bearer {token}"}

    async def call(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        """Send a request; a body that is bytes goes as it is, anything else as JSON."""
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        if body is not None:
            given["Content-Type"] = "application/json"
        answer = await self._client.request(
            method,
            path,
            content=None if body is None else content,
            headers=self._headers | given,
            timeout=40,
        )
        parsed = json.loads(answer.content) if answer.content else None
        return Answer(answer.status_code, parsed, answer.headers)

    async def get(self, path: str) -> Any:
        """Read something that is there."""
        answer = await self.call("GET", path)
        assert answer.status == 200, answer
        return answer.body

    async def post(self, path: str, body: Any = None, **headers: str) -> Any:
        """Do something that succeeds."""
        answer = await self.call("POST", path, {} if body is None else body, **headers)
        assert answer.status in {200, 202}, answer
        return answer.body

    async def enqueue(self, queue: str = "orders", **values: Any) -> Any:
        """Queue a job and return it."""
        return await self.post("/v1/jobs", {"queue": queue, "kind": "pack", **values})

    async def claim(self, queue: str = "orders", **values: Any) -> list[Any]:
        """Claim jobs and return them."""
        claimed: list[Any] = (await self.post("/v1/jobs/claim", {"queue": queue, **values}))[
            "items"
        ]
        return claimed


@dataclass
class JobsHouse:
    """The service with what is around it."""

    run_dir: Path
    values: dict[str, Any]
    settings: JobsSettings
    database: Database
    bus: Bus
    auth: AuthStandIn
    mail: Database
    app: ASGIApp
    processes: dict[ASGIApp, Lifecycle] = field(default_factory=dict)

    @asynccontextmanager
    async def caller(self, token: str | None, app: ASGIApp | None = None) -> AsyncIterator[Caller]:
        transport = httpx2.ASGITransport(app or self.app)
        async with httpx2.AsyncClient(transport=transport, base_url="http://jobs") as client:
            yield Caller(client, token)

    def administrator(self) -> str:
        return self.auth.administrator()

    def user(self) -> str:
        return self.auth.token(uuid4(), roles=("user",))

    def key(self, *scopes: str, key_id: UUID | None = None) -> str:
        """Sign a token as auth does for an API key with these scopes."""
        return self.auth.token(uuid4(), session_id=key_id, scope=" ".join(scopes))

    @asynccontextmanager
    async def another_process(self) -> AsyncIterator[ASGIApp]:
        """Start the parts of one more web process, with connections of its own."""
        lifecycle = Lifecycle()
        try:
            app = await web(self.settings, lifecycle)
            self.processes[app] = lifecycle
            yield app
        finally:
            self.processes.clear()
            await lifecycle.stop()

    async def drain(self, app: ASGIApp) -> None:
        """Do to another process what it does when it is told to stop."""
        await self.processes[app].drain()

    @asynccontextmanager
    async def worker(self) -> AsyncIterator[Lifecycle]:
        """Run what a worker process runs."""
        lifecycle = Lifecycle()
        try:
            await worker(self.settings, lifecycle)
            yield lifecycle
        finally:
            await lifecycle.stop()

    async def value(self, sql: str, *args: object) -> Any:
        return await self.database.fetchval(sql, *args)

    async def jobs(self) -> list[tuple[str, str, int]]:
        """Return kind, state and attempts of every job, oldest first."""
        rows = await self.database.fetch("SELECT kind, state, attempts FROM jobs ORDER BY id")
        return [tuple(row) for row in rows]

    async def emitted(self) -> list[dict[str, Any]]:
        """Return every event that was written for the relay."""
        rows = await self.database.fetch("SELECT body FROM outbox ORDER BY id")
        return [row["body"] for row in rows]

    async def empty(self) -> None:
        """Forget what the test before has left."""
        for database in (self.database, self.mail):
            await database.execute(emptying("outbox_cursor"))


@asynccontextmanager
async def open_house(
    run_dir: Path, new_database: Callable[[str], str], rabbitmq: RabbitNode
) -> AsyncIterator[JobsHouse]:
    """Start everything the service needs, and one web process."""
    values = {
        "run_dir": run_dir,
        "public_url": PUBLIC_URL,
        "internal_key": INTERNAL_KEY,
        "master_key": MASTER_KEY,
        "postgres_url": new_database("jobs"),
        "amqp_url": rabbitmq.url,
    }
    settings = JobsSettings.model_validate(values)
    async with AsyncExitStack() as stack:
        database = Database(settings, "jobs")
        mail = Database(DatabaseSettings(postgres_url=new_database("mail")), "mail")
        bus = Bus(settings, "jobs")
        auth = AuthStandIn(run_dir)
        for part in (database, mail, bus, auth):
            stack.push_async_callback(part.stop)
            await part.start()
        assert SERVICE.migrations is not None
        await migrate(database, [CHASSIS_MIGRATIONS, SERVICE.migrations])
        await migrate(mail, [CHASSIS_MIGRATIONS])
        connection = await bus.connect("tests")
        stack.push_async_callback(close_quietly, connection)
        channel = await connection.channel()
        await declare_topology(channel, "jobs")
        await (await channel.get_queue("jobs.events")).purge()
        lifecycle = Lifecycle()
        stack.push_async_callback(lifecycle.stop)
        app = await web(settings, lifecycle)
        house = JobsHouse(run_dir, values, settings, database, bus, auth, mail, app)
        stack.push_async_callback(await serve(run_dir / "jobs.sock", app))
        stack.push_async_callback(await serve(run_dir / "mail.sock", mail_routes(house)))
        yield house


def mail_routes(house: JobsHouse) -> ASGIApp:
    """Return the internal routes that every service with a database has, for the mail service."""
    return http_application(
        routes=[
            *JobRoutes(house.settings, house.mail, service="mail").routes(),
            *DeadLetterRoutes(house.settings, house.mail, service="mail").routes(),
        ]
    )


async def serve(path: Path, app: ASGIApp) -> Callable[[], Awaitable[None]]:
    """Serve an application on a unix socket and return what stops it."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(str(path))
    listener.listen(64)
    server = WebServer(app, listener)
    await server.start()

    async def stop() -> None:
        path.unlink(missing_ok=True)
        await server.stop()
        listener.close()

    return stop
