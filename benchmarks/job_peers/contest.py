"""The servers that job queues are measured on, and how one is measured."""

import asyncio
import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import psutil
from pydantic import SecretStr

from benchmarks.job_peers.freehold_peer import SCHEMA
from shared.chassis.bus import Bus, declare_topology
from shared.chassis.database import Database
from shared.chassis.migrations import CHASSIS_MIGRATIONS, migrate
from shared.chassis.settings import BusSettings, DatabaseSettings
from tests.parts.postgres import PostgresCluster
from tests.parts.processes import Server, free_port, new_folder
from tests.parts.rabbitmq import RabbitNode

ROOT = Path(__file__).parents[2]
DONE = "CREATE TABLE done (key integer NOT NULL, at timestamptz NOT NULL DEFAULT clock_timestamp())"
WARM_UP_JOBS = 100
LIMIT_SECONDS = 120.0


@dataclass(frozen=True)
class Result:
    """What one run gave."""

    per_second: float
    cpu_ms: float
    """Per job, of all that took part."""


@dataclass(frozen=True)
class Peer:
    """One way to run jobs."""

    name: str
    database: str
    jobs: int
    """As many as take it a few seconds."""
    command: Callable[[str], list[str]]
    """From a role and its numbers to a command line, less the numbers."""


class Contest:
    """PostgreSQL with fsync, RabbitMQ, and Redis with an append-only file."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.postgres = PostgresCluster(fsync=True)
        self.rabbitmq = RabbitNode()
        self.redis_port = free_port()
        self._redis_folder = new_folder("redis")
        self._redis = Server(
            [
                *("redis-server", "--port", str(self.redis_port), "--bind", "127.0.0.1"),
                *("--appendonly", "yes", "--appendfsync", "everysec"),
                *("--dir", str(self._redis_folder), "--maxmemory-policy", "noeviction"),
            ],
            folder=self._redis_folder,
        )
        self._next_key = 0

    def start(self) -> None:
        """Start the servers and lay each peer's tables."""
        self.postgres.start()
        self.rabbitmq.start()
        self._redis.start(self._redis_answers)
        self.urls = {name: self.postgres.new_database(SCHEMA) for name in ("freehold", "others")}
        asyncio.run(self._prepare())

    def stop(self) -> None:
        """Stop the servers and delete their data."""
        self._redis.stop(signal.SIGTERM)
        shutil.rmtree(self._redis_folder, ignore_errors=True)
        self.rabbitmq.remove()
        self.postgres.remove()

    def throughput(self, peer: Peer, workers: int) -> Result:
        """Let a peer's enqueuer and workers run at once until all rows are there."""
        processes = self._begin(peer, workers)
        try:
            cpu = self._cpu_seconds(processes)
            began = time.perf_counter()
            enqueuer = self._enqueue(peer, peer.jobs)
            used = _wait_and_count(enqueuer)
            self._wait_for(peer, peer.jobs)
            seconds = time.perf_counter() - began
            used += self._cpu_seconds(processes) - cpu
            return Result(peer.jobs / seconds, used * 1000 / peer.jobs)
        finally:
            _end(processes)

    def latency(self, peer: Peer, rate: float, jobs: int) -> Sequence[float]:
        """Return the seconds from each enqueue to its row, at a steady rate."""
        processes = self._begin(peer, 1)
        try:
            first = self._empty(peer)
            command = [*peer.command("pace"), str(first), str(jobs), str(rate)]
            told = subprocess.run(
                command, cwd=self._cwd(peer), capture_output=True, text=True, check=True
            ).stdout
            sent = {int(key): float(at) for key, at in map(str.split, told.splitlines())}
            self._wait_for(peer, jobs)
            rows = asyncio.run(_fetch(peer.database, "SELECT key, at FROM done"))
            return [row["at"].timestamp() - sent[row["key"]] for row in rows]
        finally:
            _end(processes)

    def _begin(self, peer: Peer, workers: int) -> list["subprocess.Popen[bytes]"]:
        self._empty(peer)
        processes = [
            subprocess.Popen(
                peer.command("work"),
                cwd=self._cwd(peer),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
            for _ in range(workers)
        ]
        _wait_and_count(self._enqueue(peer, WARM_UP_JOBS * workers))
        self._wait_for(peer, WARM_UP_JOBS * workers)
        time.sleep(1)
        self._empty(peer)
        return processes

    def _enqueue(self, peer: Peer, jobs: int) -> "subprocess.Popen[bytes]":
        command = [*peer.command("enqueue"), str(self._next_key), str(jobs)]
        self._next_key += jobs
        return subprocess.Popen(command, cwd=self._cwd(peer), stdout=subprocess.DEVNULL)

    def _empty(self, peer: Peer) -> int:
        asyncio.run(_fetch(peer.database, "TRUNCATE done"))
        return self._next_key

    def _wait_for(self, peer: Peer, rows: int) -> None:
        asyncio.run(_wait_for_rows(peer.database, rows))

    def _cwd(self, peer: Peer) -> Path:
        return self.folder if "BullMQ" in peer.name else ROOT

    def _cpu_seconds(self, processes: Sequence["subprocess.Popen[bytes]"]) -> float:
        roots = [psutil.Process(process.pid) for process in processes]
        roots += [psutil.Process(server.pid) for server in (self._redis, *self._servers())]
        trees = {member for root in roots for member in (root, *root.children(recursive=True))}
        used = 0.0
        for member in trees:
            # What has ended is in its parent's account.
            with contextlib.suppress(psutil.NoSuchProcess):
                times = member.cpu_times()
                used += times.user + times.system + times.children_user + times.children_system
        return used

    def _servers(self) -> tuple[Server, Server]:
        return self.postgres.server, self.rabbitmq.server

    def _redis_answers(self) -> bool:
        command = ["redis-cli", "-p", str(self.redis_port), "ping"]
        return b"PONG" in subprocess.run(command, capture_output=True, check=False).stdout

    async def _prepare(self) -> None:
        database = Database(DatabaseSettings(postgres_url=SecretStr(self.urls["freehold"])), SCHEMA)
        await database.start()
        await migrate(database, [CHASSIS_MIGRATIONS])
        await database.execute(DONE)
        await database.stop()
        await _fetch(self.urls["others"], DONE.replace("done", "public.done", 1))
        connection = await Bus(BusSettings(amqp_url=SecretStr(self.rabbitmq.url)), SCHEMA).connect(
            "benchmark"
        )
        async with connection:
            await declare_topology(await connection.channel(), SCHEMA)


def peers(contest: Contest) -> list[Peer]:
    """Return who takes part; Procrastinate's tables are laid here."""
    python = str(contest.folder / "python" / "bin" / "python")
    here = Path(__file__).parent
    mine, others = contest.urls["freehold"], contest.urls["others"]
    amqp = contest.rabbitmq.url
    name = others.split("@/")[1].split("?")[0]
    ours = [sys.executable, "-m", "benchmarks.job_peers.freehold_peer", mine, amqp]
    bullmq = ["node", str(here / "bullmq_peer.mjs"), str(contest.postgres.folder), name]
    bullmq.append(str(contest.redis_port))
    celery = [python, str(here / "celery_peer.py"), others, amqp, "single"]
    procrastinate = [python, str(here / "procrastinate_peer.py"), others, amqp, "bulk"]
    subprocess.run([*procrastinate, "prepare"], check=True, cwd=ROOT)
    return [
        Peer("Freehold, batches", mine, 20_000, lambda role: [*ours, "bulk", role]),
        Peer("Freehold, one by one", mine, 5_000, lambda role: [*ours, "single", role]),
        Peer("BullMQ, addBulk", others, 6_000, lambda role: [*bullmq, "bulk", role]),
        Peer("BullMQ, one by one", others, 6_000, lambda role: [*bullmq, "single", role]),
        Peer("Celery, threads", others, 3_000, lambda role: [*celery, role]),
        Peer("Procrastinate", others, 1_500, lambda role: [*procrastinate, role]),
    ]


def _wait_and_count(process: "subprocess.Popen[bytes]") -> float:
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise RuntimeError(f"{process.args!r} gave {process.returncode}")
    return usage.ru_utime + usage.ru_stime


def _end(processes: Sequence["subprocess.Popen[bytes]"]) -> None:
    for process in processes:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


async def _fetch(url: str, statement: str) -> list[Any]:
    connection = await asyncpg.connect(url, server_settings={"search_path": f"{SCHEMA},public"})
    try:
        rows: list[Any] = await connection.fetch(statement)
        return rows
    finally:
        await connection.close()


async def _wait_for_rows(url: str, rows: int) -> None:
    connection = await asyncpg.connect(url, server_settings={"search_path": f"{SCHEMA},public"})
    try:
        async with asyncio.timeout(LIMIT_SECONDS):
            while await connection.fetchval("SELECT count(*) FROM done") < rows:  # noqa: ASYNC110 - the rows come from another process
                await asyncio.sleep(0.02)
    finally:
        await connection.close()
