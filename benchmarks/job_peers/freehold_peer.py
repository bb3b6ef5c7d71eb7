"""Freehold's jobs: `python -m benchmarks.job_peers.freehold_peer POSTGRES AMQP STYLE ROLE …`."""

import asyncio
import sys
import time
from collections.abc import Iterator
from typing import Any, ClassVar

import uvloop
from pydantic import SecretStr

from shared.chassis.bus import Bus
from shared.chassis.database import Database
from shared.chassis.jobs.commands import Job, JobQueue
from shared.chassis.jobs.running import Batched, RunningBatch, RunningJob
from shared.chassis.jobs.wakeups import Wakeups
from shared.chassis.jobs.worker import JobWorker
from shared.chassis.lifecycle import Lifecycle
from shared.chassis.settings import BusSettings, DatabaseSettings

SCHEMA = "mail"
INSERT = "INSERT INTO done (key) VALUES ($1)"
INSERT_MANY = "INSERT INTO done (key) SELECT unnest($1::integer[])"
BULK = 100
AT_ONCE = 10


class InsertRow(Job):
    kind: ClassVar[str] = "insert_row"
    queue: ClassVar[str] = "rows"
    key: int


async def insert_row(job: RunningJob[InsertRow]) -> None:
    async with job.completion() as transaction:
        await transaction.execute(INSERT, job.command.key)


async def insert_rows(batch: RunningBatch[InsertRow]) -> None:
    async with batch.completion() as transaction:
        for job in batch.jobs:
            await transaction.execute(INSERT, job.command.key)


async def work(database: Database, bus: Bus, lifecycle: Lifecycle, style: str) -> None:
    wakeups = await lifecycle.start(Wakeups(bus, lifecycle))
    handler: Any = Batched(insert_rows, size=50) if style == "bulk" else insert_row
    worker = JobWorker(
        database,
        wakeups,
        lifecycle,
        queue=InsertRow.queue,
        handlers={InsertRow: handler},
        concurrency=100 if style == "bulk" else 10,
    )
    await lifecycle.start(worker)
    await asyncio.Event().wait()


async def enqueue(database: Database, bus: Bus, style: str, first: int, count: int) -> None:
    jobs = JobQueue(bus)
    keys = range(first, first + count)
    if style == "bulk":
        for start in range(0, count, BULK):
            async with database.transaction() as transaction:
                batch = [InsertRow(key=key) for key in keys[start : start + BULK]]
                await jobs.enqueue_many(transaction, batch)
        return

    async def enqueue_in_turn(left: Iterator[int]) -> None:
        for key in left:
            async with database.transaction() as transaction:
                await jobs.enqueue(transaction, InsertRow(key=key))

    left = iter(keys)
    await asyncio.gather(*(enqueue_in_turn(left) for _ in range(AT_ONCE)))


async def pace(database: Database, bus: Bus, first: int, count: int, rate: float) -> None:
    jobs = JobQueue(bus)
    began = time.perf_counter()
    for number in range(count):
        await asyncio.sleep(max(0.0, began + number / rate - time.perf_counter()))
        print(first + number, time.time(), flush=True)
        async with database.transaction() as transaction:
            await jobs.enqueue(transaction, InsertRow(key=first + number))


async def main(postgres: str, amqp: str, style: str, role: str, *numbers: str) -> None:
    lifecycle = Lifecycle()
    settings = DatabaseSettings(postgres_url=SecretStr(postgres))
    database = await lifecycle.start(Database(settings, SCHEMA))
    bus = await lifecycle.start(Bus(BusSettings(amqp_url=SecretStr(amqp)), SCHEMA))
    if role == "work":
        await work(database, bus, lifecycle, style)
    elif role == "enqueue":
        await enqueue(database, bus, style, int(numbers[0]), int(numbers[1]))
    else:
        await pace(database, bus, int(numbers[0]), int(numbers[1]), float(numbers[2]))
    await lifecycle.stop()


if __name__ == "__main__":
    uvloop.run(main(*sys.argv[1:]))
