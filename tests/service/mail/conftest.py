"""The mail service's worker on real PostgreSQL, RabbitMQ and SMTP."""

import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import pytest
from uuid_utils.compat import uuid7

from services.mail.app import SERVICE, worker
from services.mail.settings import MailSettings
from shared.chassis.bus import Bus, close_quietly, declare_topology
from shared.chassis.database import Database
from shared.chassis.lifecycle import Lifecycle
from shared.chassis.migrations import CHASSIS_MIGRATIONS, migrate
from shared.chassis.outbox import EVENTS_EXCHANGE
from shared.schemas.events.auth import SignupRequested
from shared.schemas.events.envelope import Event, EventData
from tests.parts.processes import new_folder
from tests.parts.rabbitmq import RabbitNode
from tests.service.mail.auth_stand_in import INTERNAL_KEY, PUBLIC_URL, AuthStandIn
from tests.service.mail.smtp_sink import SmtpSink

MAIL_FROM = "Freehold <noreply@mail.example>"


@dataclass
class MailHouse:
    """The service with what is around it."""

    database: Database
    bus: Bus
    auth: AuthStandIn
    smtp: SmtpSink
    settings: dict[str, Any]
    lifecycles: AsyncExitStack = field(default_factory=AsyncExitStack)

    async def start_worker(self, **settings: Any) -> Lifecycle:
        """Start a worker process' parts; `settings` outrank the usual ones."""
        lifecycle = Lifecycle()
        self.lifecycles.push_async_callback(lifecycle.stop)
        await worker(MailSettings(**self.settings | settings), lifecycle)
        return lifecycle

    async def sign_up(self, link_id: UUID, *, event_id: UUID | None = None) -> None:
        """Publish `signup.requested`."""
        await self.publish(SignupRequested(link_id=link_id), event_id=event_id)

    async def publish(self, data: EventData, *, event_id: UUID | None = None) -> None:
        """Publish an event as auth's relay does."""
        event = Event[Any](
            id=event_id or uuid7(),
            type=data.event_type,
            version=1,
            time="2026-11-23T12:00:00Z",
            source="auth",
            subject="its subject",
            data=data,
        )
        await self.bus.publish(
            EVENTS_EXCHANGE,
            event.type,
            event.model_dump_json().encode(),
            message_id=str(event.id),
            mandatory=True,
        )

    async def value(self, sql: str, *args: object) -> Any:
        """Return one value from the database."""
        return await self.database.fetchval(sql, *args)

    async def states(self) -> list[str]:
        """Return the states of all messages, oldest first."""
        rows = await self.database.fetch("SELECT state FROM messages ORDER BY id")
        return [row["state"] for row in rows]

    async def timeline(self) -> list[tuple[str, str | None]]:
        """Return every step of every message."""
        rows = await self.database.fetch("SELECT step, detail FROM timeline ORDER BY id")
        return [(row["step"], row["detail"]) for row in rows]

    async def emitted(self) -> list[tuple[str, Any]]:
        """Return types and data of the events emitted."""
        rows = await self.database.fetch("SELECT body FROM outbox ORDER BY id")
        return [(row["body"]["type"], row["body"]["data"]) for row in rows]

    async def jobs(self) -> list[tuple[str, int]]:
        """Return states of all jobs and how many attempts they took."""
        rows = await self.database.fetch("SELECT state, attempts FROM jobs ORDER BY id")
        return [(row["state"], row["attempts"]) for row in rows]


@pytest.fixture
async def house(
    new_database: Callable[[str], str], rabbitmq: RabbitNode
) -> AsyncIterator[MailHouse]:
    run_dir = new_folder("mail")
    settings = {
        "run_dir": run_dir,
        "public_url": PUBLIC_URL,
        "internal_key": INTERNAL_KEY,
        "postgres_url": new_database("mail"),
        "amqp_url": rabbitmq.url,
        "mail_from": MAIL_FROM,
    }
    smtp = SmtpSink()
    settings["smtp_url"] = f"smtp://127.0.0.1:{smtp.port}"
    parsed = MailSettings(**settings)
    database = Database(parsed, "mail")
    bus = Bus(parsed, "mail")
    auth = AuthStandIn(run_dir)
    house = MailHouse(database, bus, auth, smtp, settings)
    await database.start()
    assert SERVICE.migrations is not None
    await migrate(database, [CHASSIS_MIGRATIONS, SERVICE.migrations])
    connection = await bus.connect("tests")
    channel = await connection.channel()
    await declare_topology(channel, "mail")
    await (await channel.get_queue("mail.events")).purge()
    await auth.start()
    await smtp.start()
    yield house
    await house.lifecycles.aclose()
    await smtp.stop()
    await auth.stop()
    await bus.stop()
    await close_quietly(connection)
    await database.stop()
    shutil.rmtree(run_dir, ignore_errors=True)
