"""Procrastinate's jobs: `python procrastinate_peer.py POSTGRES AMQP STYLE ROLE …`."""

import asyncio
import logging
import sys
import time

from procrastinate import App, PsycopgConnector
from psycopg_pool import AsyncConnectionPool

POSTGRES, _AMQP, _STYLE, ROLE, *NUMBERS = sys.argv[1:]
logging.disable(logging.WARNING)  # it warns of tasks that are defined in the main module
application = App(connector=PsycopgConnector(conninfo=POSTGRES))
pool = AsyncConnectionPool(POSTGRES, max_size=10, open=False, kwargs={"autocommit": True})
BULK = 100


@application.task(name="insert", queue="rows")
async def insert(key: int) -> None:
    async with pool.connection() as connection:
        await connection.execute("INSERT INTO done (key) VALUES (%s)", [key])


async def main() -> None:
    async with application.open_async():
        if ROLE == "prepare":
            await application.schema_manager.apply_schema_async()
        elif ROLE == "work":
            async with pool:
                await application.run_worker_async(
                    queues=["rows"], concurrency=20, delete_jobs="successful"
                )
        elif ROLE == "enqueue":
            first, count = int(NUMBERS[0]), int(NUMBERS[1])
            for start in range(first, first + count, BULK):
                keys = range(start, min(start + BULK, first + count))
                await insert.batch_defer_async(*({"key": key} for key in keys))
        else:
            await pace(int(NUMBERS[0]), int(NUMBERS[1]), float(NUMBERS[2]))


async def pace(first: int, count: int, rate: float) -> None:
    began = time.perf_counter()
    for number in range(count):
        await asyncio.sleep(max(0.0, began + number / rate - time.perf_counter()))
        print(first + number, time.time(), flush=True)
        await insert.defer_async(key=first + number)


asyncio.run(main())
