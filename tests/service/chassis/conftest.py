"""A service's messaging on real servers: schema `mail`, queue `mail.events`."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from shared.chassis.bus import Bus, close_quietly, declare_topology
from shared.chassis.database import Database
from shared.chassis.jobs.wakeups import Wakeups
from shared.chassis.lifecycle import Lifecycle
from shared.chassis.migrations import CHASSIS_MIGRATIONS, migrate
from shared.chassis.outbox import Outbox
from shared.chassis.settings import BusSettings, DatabaseSettings
from tests.parts.rabbitmq import RabbitNode


@dataclass
class Messaging:
    """What a worker process has."""

    database: Database
    bus: Bus
    wakeups: Wakeups
    outbox: Outbox = field(default_factory=lambda: Outbox("mail"))
    lifecycle: Lifecycle = field(default_factory=Lifecycle)


@pytest.fixture
async def database(new_database: Callable[[str], str], tmp_path: Path) -> AsyncIterator[Database]:
    database = Database(DatabaseSettings(postgres_url=new_database("mail")), "mail")
    await database.start()
    folder = tmp_path / "tests" / "migrations"
    folder.mkdir(parents=True)
    (folder / "0001_effects.sql").write_text(
        "CREATE TABLE effects (key text, position bigint GENERATED ALWAYS AS IDENTITY);"
    )
    await migrate(database, [CHASSIS_MIGRATIONS, folder])
    yield database
    await database.stop()


@pytest.fixture
async def messaging(database: Database, rabbitmq: RabbitNode) -> AsyncIterator[Messaging]:
    bus = Bus(BusSettings(amqp_url=rabbitmq.url), "mail")
    connection = await bus.connect("tests")
    channel = await connection.channel()
    await declare_topology(channel, "mail")
    await (await channel.get_queue("mail.events")).purge()
    lifecycle = Lifecycle()
    wakeups = await lifecycle.start(Wakeups(bus, lifecycle))
    messaging = Messaging(database, bus, wakeups, lifecycle=lifecycle)
    yield messaging
    await messaging.lifecycle.stop()
    await bus.stop()
    await close_quietly(connection)
