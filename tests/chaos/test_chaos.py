"""Under random kills and lost servers, every change has each of its effects exactly once, in order.

`./freehold test --chaos tests/chaos -s` runs the long form and prints what it counted.
"""

import asyncio
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from pydantic import SecretStr

from shared.chassis.bus import Bus, declare_topology
from shared.chassis.database import Database
from shared.chassis.migrations import CHASSIS_MIGRATIONS, migrate
from shared.chassis.settings import BusSettings, DatabaseSettings
from tests.chaos.program import SCHEMA, TABLES
from tests.parts.postgres import PostgresCluster
from tests.parts.rabbitmq import RabbitNode

ROOT = Path(__file__).parents[2]
WORKERS = 2
PRODUCERS = 2
KINDS = ("event", "job", "successor")


@dataclass(frozen=True)
class Ordeal:
    """What a run goes through; times in seconds."""

    changes: int
    kill_every: float
    outages: tuple[tuple[str, float, float], ...]
    """Server, when it is stopped, for how long."""
    limit: float


SHORT = Ordeal(1500, 1.0, (("rabbitmq", 3, 2), ("postgres", 8, 2)), 150)
LONG = Ordeal(20_000, 1.0, (("rabbitmq", 10, 30), ("postgres", 60, 30)), 600)


@dataclass
class Fleet:
    """Producers and workers; whichever dies is started again."""

    arguments: list[str]
    folder: Path
    changes: int
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    kills: Counter[str] = field(default_factory=Counter)

    def tend(self) -> None:
        """Start what does not run; a producer only while it has changes left to make."""
        for role, count in (("work", WORKERS), ("produce", PRODUCERS)):
            for number in range(count):
                name = f"{role}-{number}"
                process = self.processes.get(name)
                if process is not None and process.poll() is None:
                    continue
                left = self.changes // PRODUCERS - len(self.acknowledged(name))
                if role == "work" or left > 0:
                    self.processes[name] = self._start(role, name, left)

    def kill_one(self) -> None:
        """Kill one process of those that run, as the kernel does when memory ends."""
        running = [name for name, process in self.processes.items() if process.poll() is None]
        if not running:  # while PostgreSQL is away none gets up
            return
        name = random.choice(running)
        self.processes[name].kill()
        self.processes[name].wait()
        self.kills[name.split("-")[0]] += 1

    def stop(self) -> None:
        """End all by SIGTERM."""
        for process in self.processes.values():
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        for process in self.processes.values():
            process.wait(30)

    def acknowledged(self, name: str) -> set[tuple[str, int]]:
        """Return the changes that a producer was told are committed."""
        path = self.folder / f"{name}.out"
        if not path.exists():
            return set()
        whole = [line for line in path.read_text().splitlines(keepends=True) if line[-1] == "\n"]
        pairs = [line.split("\t") for line in whole]
        return {(subject, int(number)) for subject, number in pairs}

    def producing(self) -> bool:
        """Tell whether changes are still to be made."""
        done = sum(len(self.acknowledged(f"produce-{number}")) for number in range(PRODUCERS))
        return done < self.changes // PRODUCERS * PRODUCERS

    def _start(self, role: str, name: str, left: int) -> subprocess.Popen[bytes]:
        with (
            (self.folder / f"{name}.out").open("ab") as out,
            (self.folder / f"{name}.log").open("ab") as log,
        ):
            return subprocess.Popen(
                [sys.executable, "-m", "tests.chaos.program", role, *self.arguments, str(left)],
                cwd=ROOT,
                stdout=out,
                stderr=log,
                env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)},
            )


@pytest.mark.parametrize(
    "ordeal",
    [
        pytest.param(SHORT, id="short"),
        pytest.param(LONG, id="long", marks=pytest.mark.chaos),
    ],
)
async def test_every_effect_happens_once_and_in_order(ordeal: Ordeal, tmp_path: Path) -> None:
    cluster, node = PostgresCluster(), RabbitNode()
    servers = {"postgres": cluster, "rabbitmq": node}
    try:
        for server in servers.values():
            server.start()
        url = cluster.new_database(SCHEMA)
        await prepare(url, node, tmp_path)
        fleet = Fleet([url, node.url], tmp_path, ordeal.changes)
        began = time.monotonic()
        try:
            await endure(ordeal, fleet, servers)
            produced = time.monotonic()
            await settle(url, fleet, began + ordeal.limit)
        finally:
            fleet.stop()
        drained = time.monotonic() - produced
        report = await judge(url, fleet)
        report |= {
            "kills": dict(fleet.kills),
            "seconds under fire": round(produced - began),
            "seconds to settle": round(drained, 1),
        }
        print("\n" + "\n".join(f"{name:>22}: {value}" for name, value in report.items()))
    finally:
        for server in servers.values():
            server.remove()


async def prepare(url: str, node: RabbitNode, folder: Path) -> None:
    """Lay the tables and the queues."""
    migrations = folder / "chaos" / "migrations"
    migrations.mkdir(parents=True)
    (migrations / "0001_tables.sql").write_text(TABLES)
    database = Database(DatabaseSettings(postgres_url=SecretStr(url)), SCHEMA)
    await database.start()
    await migrate(database, [CHASSIS_MIGRATIONS, migrations])
    await database.stop()
    connection = await Bus(BusSettings(amqp_url=SecretStr(node.url)), SCHEMA).connect("tests")
    async with connection:
        for service in (SCHEMA, "jobs"):
            await declare_topology(await connection.channel(), service)


async def endure(ordeal: Ordeal, fleet: Fleet, servers: dict[str, Any]) -> None:
    """Kill processes and stop servers until every change is acknowledged."""
    outages = [
        asyncio.create_task(stop_for(servers[name], after, seconds))
        for name, after, seconds in ordeal.outages
    ]
    async with asyncio.timeout(ordeal.limit):
        while fleet.producing() or not all(outage.done() for outage in outages):
            fleet.tend()
            await asyncio.sleep(random.uniform(0.5, 1.5) * ordeal.kill_every)
            fleet.kill_one()
    await asyncio.gather(*outages)


async def stop_for(server: Any, after: float, seconds: float) -> None:
    """Stop a server for a while."""
    await asyncio.sleep(after)
    await asyncio.to_thread(server.stop)
    await asyncio.sleep(seconds)
    await asyncio.to_thread(server.start)


async def settle(url: str, fleet: Fleet, deadline: float) -> None:
    """Return when every change has all its effects, or none was added for half a minute."""
    last, since = -1, time.monotonic()
    while time.monotonic() < deadline:
        fleet.tend()
        [[changes, effects]] = await query(
            url, "SELECT (SELECT count(*) FROM changes), (SELECT count(*) FROM effects)"
        )
        if effects >= changes * len(KINDS):
            return
        if effects != last:
            last, since = effects, time.monotonic()
        elif time.monotonic() - since > 45:
            return
        await asyncio.sleep(0.5)


async def judge(url: str, fleet: Fleet) -> dict[str, Any]:
    """Compare what was changed with what came of it; return what was counted."""
    changes = {(row[0], row[1]) for row in await query(url, "SELECT subject, number FROM changes")}
    rows = await query(url, "SELECT kind, subject, number FROM effects ORDER BY position")
    acknowledged = set().union(
        *(fleet.acknowledged(f"produce-{number}") for number in range(PRODUCERS))
    )
    assert acknowledged <= changes
    for kind in KINDS:
        counted = Counter((subject, number) for found, subject, number in rows if found == kind)
        assert set(counted) == changes, f"{kind}: {len(changes - set(counted))} are missing"
        assert max(counted.values()) == 1, f"{kind}: some happened more than once"
    of_subject: dict[str, list[int]] = {}
    for kind, subject, number in rows:
        if kind == "event":
            of_subject.setdefault(subject, []).append(number)
    for subject, numbers in of_subject.items():
        assert numbers == sorted(numbers), f"the events of {subject} came out of order"
    unfinished = "SELECT count(*) FROM jobs WHERE state NOT IN ('completed')"
    assert await query(url, unfinished) == [(0,)]
    assert await query(url, "SELECT count(*) FROM dead_letters") == [(0,)]
    [[deaths, attempts]] = await query(url, "SELECT sum(deaths), max(attempts) FROM jobs")
    return {
        "changes": len(changes),
        "acknowledged": len(acknowledged),
        "effects": len(rows),
        "deaths of kept jobs": deaths,
        "most attempts": attempts,
    }


async def query(url: str, statement: str) -> list[Any]:
    connection = await asyncpg.connect(url, server_settings={"search_path": SCHEMA})
    try:
        rows: list[Any] = [tuple(row) for row in await connection.fetch(statement)]
        return rows
    finally:
        await connection.close()
