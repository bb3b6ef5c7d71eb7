"""What a million jobs that wait for next week cost those of today.

`./freehold bench delayed_jobs` starts PostgreSQL and RabbitMQ with an empty and a full database,
and does the same in both by turns: enqueue a job, claim and complete it, look which jobs are due,
and emit an event until it is at a consumer. Medians; the target is 1.3 times the empty one.
"""

import asyncio
import platform
import statistics
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import ClassVar, Final
from uuid import UUID

import psutil
from aio_pika.abc import AbstractIncomingMessage
from pydantic import SecretStr
from uuid_utils.compat import uuid7

from shared.chassis.bus import Bus, declare_topology
from shared.chassis.database import Database
from shared.chassis.jobs import leases
from shared.chassis.jobs.commands import Job, JobQueue
from shared.chassis.lifecycle import Lifecycle
from shared.chassis.migrations import CHASSIS_MIGRATIONS, migrate
from shared.chassis.outbox import Outbox
from shared.chassis.relay import Relay
from shared.chassis.settings import BusSettings, DatabaseSettings
from shared.schemas.events.auth import SignupRequested
from tests.parts.postgres import PostgresCluster
from tests.parts.rabbitmq import RabbitNode

DELAYED_JOBS: Final = 1_000_000
ROUNDS: Final = 10
REPEATS: Final = 100
SCHEMA: Final = "mail"
LEASE: Final = timedelta(seconds=15)
FILL: Final = """
INSERT INTO jobs (id, queue, kind, payload, priority, max_attempts, run_at, state)
SELECT gen_random_uuid(), 'tasks', 'task', '{"number": 1}', 0, 3,
       now() + interval '7 days' + number * interval '0.1 seconds', 'scheduled'
  FROM generate_series(1, $1) AS number
"""


class Task(Job):
    kind: ClassVar[str] = "task"
    queue: ClassVar[str] = "tasks"
    number: int


@dataclass
class Service:
    """One database with all that works on it, and the seconds each act took."""

    database: Database
    jobs: JobQueue
    relayed: "Relayed"
    clock: leases.ClockGuard = field(default_factory=lambda: leases.ClockGuard(20))
    seconds: dict[str, list[float]] = field(default_factory=dict)

    async def take_turn(self) -> None:
        """Do everything some times."""
        for _ in range(REPEATS):
            await self._time("enqueue", self._enqueue)
            await self._time("claim and complete", self._work)
            await self._time("look for due jobs", self._advance)
            await self._time("relay an event", self._relay)

    async def _time(self, name: str, act: Callable[[], Awaitable[object]]) -> None:
        began = time.perf_counter()
        await act()
        self.seconds.setdefault(name, []).append(time.perf_counter() - began)

    async def _enqueue(self) -> None:
        async with self.database.transaction() as transaction:
            await self.jobs.enqueue(transaction, Task(number=1))

    async def _work(self) -> None:
        [row] = await leases.claim(self.database, Task.queue, 1, "benchmark", LEASE)
        async with self.database.transaction() as transaction:
            assert await leases.complete(transaction, [row["id"]], "benchmark", None)

    async def _advance(self) -> None:
        await leases.advance(self.database, Task.queue, self.clock)

    async def _relay(self) -> None:
        async with self.database.transaction() as transaction:
            event = SignupRequested(link_id=uuid7())
            event_id = await Outbox(SCHEMA).emit(transaction, event, subject="benchmark")
        await self.relayed.wait_for(event_id)


class Relayed:
    """Hears the events that the relays publish."""

    def __init__(self) -> None:
        self._heard: asyncio.Queue[str] = asyncio.Queue()

    async def hear(self, message: AbstractIncomingMessage) -> None:
        self._heard.put_nowait(message.message_id or "")

    async def wait_for(self, event_id: UUID) -> None:
        async with asyncio.timeout(10):
            while await self._heard.get() != str(event_id):
                pass


def main() -> None:
    """Start the servers, measure, print."""
    cluster, node = PostgresCluster(fsync=True), RabbitNode()
    try:
        cluster.start()
        node.start()
        urls = cluster.new_database(SCHEMA), cluster.new_database(SCHEMA)
        empty, full = asyncio.run(measure(urls, node.url))
    finally:
        node.remove()
        cluster.remove()
    print_table(empty, full)


async def measure(urls: tuple[str, str], amqp_url: str) -> tuple[Service, Service]:
    """Let the empty and the full database take turns."""
    async with AsyncExitStack() as stack:
        relayed = Relayed()
        bus = Bus(BusSettings(amqp_url=SecretStr(amqp_url)), SCHEMA)
        stack.push_async_callback(bus.stop)
        connection = await stack.enter_async_context(await bus.connect("benchmark"))
        channel = await connection.channel()
        for name in (SCHEMA, "jobs"):
            await declare_topology(channel, name)
        queue = await channel.get_queue(f"{SCHEMA}.events")
        await queue.consume(relayed.hear, no_ack=True)
        services = [await _start(stack, url, bus, relayed) for url in urls]
        print(f"adding {DELAYED_JOBS} jobs …", flush=True)
        await _fill(services[1].database)
        for number in range(ROUNDS):
            for service in services:
                await service.take_turn()
            print(f"round {number + 1} of {ROUNDS}", flush=True)
        return services[0], services[1]


async def _start(stack: AsyncExitStack, url: str, bus: Bus, relayed: Relayed) -> Service:
    lifecycle = Lifecycle()
    stack.push_async_callback(lifecycle.stop)
    settings = DatabaseSettings(postgres_url=SecretStr(url))
    database = await lifecycle.start(Database(settings, SCHEMA))
    await migrate(database, [CHASSIS_MIGRATIONS])
    await lifecycle.start(Relay(database, bus, lifecycle))
    return Service(database, JobQueue(None), relayed)


async def _fill(database: Database) -> None:
    for _ in range(10):  # a statement of ours may take thirty seconds
        await database.execute(FILL, DELAYED_JOBS // 10)
    await database.execute("ANALYZE jobs")


def print_table(empty: Service, full: Service) -> None:
    """Print the medians and what one is of the other."""
    print(f"\n{datetime.now(UTC):%Y-%m-%d}, {psutil.cpu_count()} cores, ", end="")
    print(f"Python {platform.python_version()}, PostgreSQL with fsync", end="")
    print(f"; {ROUNDS * REPEATS} times each; ./freehold bench delayed_jobs")
    print(f"\n{'p50':<24}{'empty':>12}{f'{DELAYED_JOBS:,} delayed':>22}{'ratio':>9}")
    for name, seconds in empty.seconds.items():
        without, beside = statistics.median(seconds), statistics.median(full.seconds[name])
        print(
            f"{name:<24}{without * 1000:>9.2f} ms{beside * 1000:>19.2f} ms{beside / without:>9.2f}"
        )


if __name__ == "__main__":
    main()
