"""A small service under fire: `python -m tests.chaos.program produce|work POSTGRES_URL AMQP_URL …`.

A producer changes a subject's counter, notes the change, emits an event and enqueues a job in one
transaction, several at a time. A worker is what every service's worker is: relay, event consumer,
job workers. Each effect is one row, and nothing in the table keeps a second one out.

On its standard output a producer tells which changes are committed, a worker what it was given.
"""

import asyncio
import random
import signal
import sys
from collections.abc import Iterator
from typing import Any, ClassVar, Final

import uvloop
from uuid_utils.compat import uuid7

from shared.chassis.bus import Bus
from shared.chassis.consumers import EventConsumer
from shared.chassis.database import Database, Transaction
from shared.chassis.errors import Unavailable
from shared.chassis.jobs.commands import Job, JobQueue
from shared.chassis.jobs.running import Batched, RunningBatch, RunningJob
from shared.chassis.jobs.wakeups import Wakeups
from shared.chassis.jobs.worker import JobWorker
from shared.chassis.lifecycle import Lifecycle
from shared.chassis.outbox import Outbox
from shared.chassis.relay import Relay
from shared.chassis.settings import BusSettings, DatabaseSettings
from shared.schemas.events.auth import SignupRequested
from shared.schemas.events.envelope import Event
from shared.schemas.events.subscriptions import SUBSCRIPTIONS

SCHEMA: Final = "mail"
SUBJECTS: Final = 20
CHANGES_AT_ONCE: Final = 4
LONGEST_PAUSE_SECONDS: Final = 0.08  # so that changes go on as long as the kills do
LONGEST_STEP_SECONDS: Final = 0.1  # so that a kill finds jobs at work
TABLES: Final = """
CREATE TABLE subjects (name text PRIMARY KEY, counter integer NOT NULL DEFAULT 0);
INSERT INTO subjects (name) SELECT 'subject ' || number FROM generate_series(0, 19) AS number;
CREATE TABLE changes (link_id uuid PRIMARY KEY, subject text NOT NULL, number integer NOT NULL);
CREATE TABLE effects (position bigint GENERATED ALWAYS AS IDENTITY, kind text NOT NULL,
                      subject text NOT NULL, number integer NOT NULL);
INSERT INTO job_queues (name, keep_completed) VALUES ('steps', 1000000), ('successors', 1000000);
"""
EFFECT: Final = "INSERT INTO effects (kind, subject, number) VALUES ($1, $2, $3)"


class Step(Job):
    kind: ClassVar[str] = "step"
    queue: ClassVar[str] = "steps"
    subject: str
    number: int


class Successor(Job):
    kind: ClassVar[str] = "successor"
    queue: ClassVar[str] = "successors"
    subject: str
    number: int


class Producer:
    def __init__(self, database: Database, bus: Bus) -> None:
        self._database = database
        self._jobs = JobQueue(bus)
        self._outbox = Outbox(SCHEMA)

    async def produce(self, changes: int) -> None:
        """Make changes until so many are acknowledged; each is printed when it is."""
        left = iter(range(changes))
        await asyncio.gather(*(self._produce(left) for _ in range(CHANGES_AT_ONCE)))

    async def _produce(self, left: Iterator[int]) -> None:
        for _ in left:
            while True:
                try:
                    subject, number = await self._change()
                    break
                except Unavailable:
                    await asyncio.sleep(0.5)
            print(subject, number, sep="\t", flush=True)
            await asyncio.sleep(random.uniform(0, LONGEST_PAUSE_SECONDS))

    async def _change(self) -> tuple[str, int]:
        subject = f"subject {random.randrange(SUBJECTS)}"
        link_id = uuid7()
        async with self._database.transaction() as transaction:
            number: int = await transaction.fetchval(
                "UPDATE subjects SET counter = counter + 1 WHERE name = $1 RETURNING counter",
                subject,
            )
            await transaction.execute(
                "INSERT INTO changes VALUES ($1, $2, $3)", link_id, subject, number
            )
            await self._outbox.emit(transaction, SignupRequested(link_id=link_id), subject=subject)
            await self._jobs.enqueue(transaction, Step(subject=subject, number=number))
        return subject, number


class TellingConsumer(EventConsumer):
    """Tells of each delivery, because figures inside of a killed process are gone."""

    def _count(self, event_type: str, outcome: str) -> None:
        super()._count(event_type, outcome)
        print(f"event {outcome}", flush=True)


class Effects:
    def __init__(self, bus: Bus) -> None:
        self._jobs = JobQueue(bus)

    async def on_event(self, transaction: Transaction, event: Event[SignupRequested]) -> None:
        row = await transaction.fetchrow(
            "SELECT subject, number FROM changes WHERE link_id = $1", event.data.link_id
        )
        assert row is not None
        await transaction.execute(EFFECT, "event", row["subject"], row["number"])

    async def step(self, job: RunningJob[Step]) -> None:
        step = job.command
        print("job attempted", flush=True)
        await asyncio.sleep(random.uniform(0, LONGEST_STEP_SECONDS))
        async with job.completion(result={"number": step.number}) as transaction:
            await transaction.execute(EFFECT, "job", step.subject, step.number)
            successor = Successor(subject=step.subject, number=step.number)
            await self._jobs.enqueue(transaction, successor)

    async def succeed(self, batch: RunningBatch[Successor]) -> None:
        print("successor attempted\n" * len(batch.jobs), end="", flush=True)
        async with batch.completion() as transaction:
            for job in batch.jobs:
                await transaction.execute(
                    EFFECT, "successor", job.command.subject, job.command.number
                )


async def work(database: Database, bus: Bus, lifecycle: Lifecycle) -> None:
    """Start the parts of a worker process."""
    effects = Effects(bus)
    wakeups = await lifecycle.start(Wakeups(bus, lifecycle))
    await lifecycle.start(Relay(database, bus, lifecycle))
    handlers: dict[type[Job], Any] = {Step: effects.step, Successor: Batched(effects.succeed, 20)}
    for kind, handler in handlers.items():
        await lifecycle.start(
            JobWorker(
                database,
                wakeups,
                lifecycle,
                queue=kind.queue,
                handlers={kind: handler},
                concurrency=20,
            )
        )
    await lifecycle.start(
        TellingConsumer(
            bus,
            database,
            lifecycle,
            queue="mail.events",
            handlers=dict.fromkeys(SUBSCRIPTIONS["mail.events"], effects.on_event),
        )
    )


async def main(role: str, postgres_url: str, amqp_url: str, changes: int) -> None:
    lifecycle = Lifecycle()
    stopped = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
    database = Database(DatabaseSettings(postgres_url=postgres_url), SCHEMA)
    await lifecycle.start(database)
    bus = await lifecycle.start(Bus(BusSettings(amqp_url=amqp_url), SCHEMA))
    if role == "produce":
        await Producer(database, bus).produce(changes)
    else:
        await work(database, bus, lifecycle)
        ends = {
            asyncio.create_task(stopped.wait()),
            asyncio.create_task(lifecycle.failed()),
        }
        done, _ = await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    await lifecycle.stop()


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])))
