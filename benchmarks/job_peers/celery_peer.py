"""Celery's jobs: `python celery_peer.py POSTGRES AMQP STYLE ROLE …`; needs celery and psycopg."""

import sys
import time

from celery import Celery
from psycopg_pool import ConnectionPool

POSTGRES, AMQP, _STYLE, ROLE, *NUMBERS = sys.argv[1:]
application = Celery("rows", broker=AMQP)
application.conf.update(task_ignore_result=True, task_acks_late=True, worker_prefetch_multiplier=4)
pool = ConnectionPool(POSTGRES, min_size=1, max_size=10, open=False, kwargs={"autocommit": True})


@application.task(name="insert")
def insert(key: int) -> None:
    with pool.connection() as connection:
        connection.execute("INSERT INTO done (key) VALUES (%s)", [key])


def main() -> None:
    if ROLE == "work":
        pool.open()
        application.worker_main(
            [
                *("worker", "--pool=threads", "--concurrency=10", "--loglevel=ERROR"),
                *("--without-gossip", "--without-mingle", "--without-heartbeat"),
            ]
        )
        return
    first, count = int(NUMBERS[0]), int(NUMBERS[1])
    began = time.perf_counter()
    for number in range(count):
        if ROLE == "pace":
            time.sleep(max(0.0, began + number / float(NUMBERS[2]) - time.perf_counter()))
            print(first + number, time.time(), flush=True)
        insert.delay(first + number)


main()
