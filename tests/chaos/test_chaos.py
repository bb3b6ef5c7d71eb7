"""Under random kills and lost servers, every change has each of its effects exactly once, in order.

`./freehold test --chaos tests/chaos` runs the long form. What was counted ends pytest's report.
"""

import asyncio
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from pydantic import SecretStr

from shared.chassis.bus import Bus, declare_topology
from shared.chassis.database import SQL, Database
from shared.chassis.migrations import CHASSIS_MIGRATIONS, migrate
from shared.chassis.settings import BusSettings, DatabaseSettings
from tests.chaos.program import SCHEMA, TABLES
from tests.parts.postgres import PostgresCluster
from tests.parts.rabbitmq import RabbitNode

ROOT = Path(__file__).parents[2]
WORKERS = 2
PRODUCERS = 2
KINDS = ("event", "job", "successor")
STANDSTILL_SECONDS = 60


@dataclass(frozen=True)
class Ordeal:
    """What a run goes through; times in seconds."""

    changes: int
    kill_every: float
    outages: tuple[tuple[str, float, float], ...]
    """Server, when it is stopped, for how long."""
    limit: float


SHORT = Ordeal(1500, 2.0, (("rabbitmq", 2, 1), ("postgres", 6, 2)), 150)
LONG = Ordeal(20_000, 1.0, (("rabbitmq", 10, 30), ("postgres", 80, 30)), 1200)


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
                left = 0
                if role == "produce":
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

    def told(self) -> Counter[str]:
        """Count what workers said that they were given."""
        return Counter(
            line
            for number in range(WORKERS)
            for line in (self.folder / f"work-{number}.out").read_text().splitlines()
        )

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
async def test_every_effect_happens_once_and_in_order(
    ordeal: Ordeal, tmp_path: Path, show: Callable[[str], None]
) -> None:
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
            await settle(url, node, fleet, began + ordeal.limit)
        finally:
            fleet.stop()
        report = {
            "seconds under fire": round(produced - began),
            "seconds to drain": round(time.monotonic() - produced, 1),
            "workers killed": fleet.kills["work"],
            "producers killed": fleet.kills["produce"],
            "servers stopped": len(ordeal.outages),
        } | await judge(url, node, fleet)
        show("\n".join(f"{name:>22}  {value:>8}" for name, value in report.items()))
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


async def settle(url: str, node: RabbitNode, fleet: Fleet, deadline: float) -> None:
    """Return when all is done and nothing is on its way, or nothing moved for a while."""
    last, since = None, time.monotonic()
    while time.monotonic() < deadline:
        fleet.tend()
        state = await remains(url)
        if not any(state.values()):
            # Whatever is delivered once more has to be handled too, to show that it is dropped.
            state |= await asyncio.to_thread(messages, node)
            if not any(state.values()):
                return
        if state != last:
            last, since = state, time.monotonic()
        elif time.monotonic() - since > STANDSTILL_SECONDS:
            return
        await asyncio.sleep(0.5)


async def remains(url: str) -> dict[str, int]:
    """Count what is still to be done; all of it is zero in the end."""
    [[effects, jobs, outbox, dead_letters]] = await query(
        url,
        f"""SELECT {len(KINDS)} * (SELECT count(*) FROM changes) - (SELECT count(*) FROM effects),
                   (SELECT count(*) FROM jobs WHERE state <> 'completed'),
                   (SELECT depth FROM ({SQL["outbox_depth"]}) AS outbox),
                   (SELECT count(*) FROM dead_letters)""",
    )
    return {
        "effects to come": effects,
        "unfinished jobs": jobs,
        "unpublished messages": outbox,
        "dead letters": dead_letters,
    }


def messages(node: RabbitNode) -> dict[str, int]:
    """Count the messages in each queue of the service, those in a consumer's hands included."""
    lines = node.control("list_queues", "name", "messages").splitlines()
    counts = dict(line.split("\t") for line in lines)
    return {name: int(counts[name]) for name in counts if name.startswith(f"{SCHEMA}.")}


async def judge(url: str, node: RabbitNode, fleet: Fleet) -> dict[str, int]:
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
    left = await remains(url) | messages(node)
    assert not any(left.values()), left
    jobs = await query(url, "SELECT kind, count(*), sum(deaths) FROM jobs GROUP BY kind")
    assert {kind: count for kind, count, _ in jobs} == {
        "step": len(changes),
        "successor": len(changes),
    }
    wrong_results = """SELECT count(*) FROM jobs
                        WHERE kind = 'step' AND result->'number' IS DISTINCT FROM payload->'number'
                    """
    assert await query(url, wrong_results) == [(0,)]
    told = fleet.told()
    return {
        "changes acknowledged": len(acknowledged),
        "changes committed": len(changes),
        "effects of events": len(changes),
        "effects of jobs": len(changes),
        "effects of successors": len(changes),
        "event deliveries": sum(told[f"event {end}"] for end in ("handled", "duplicate")),
        "duplicates dropped": told["event duplicate"],
        "event retries": told["event retried"],
        "job attempts": told["job attempted"] + told["successor attempted"],
        "job leases of the dead": sum(deaths for _, _, deaths in jobs),
    }


async def query(url: str, statement: str) -> list[Any]:
    connection = await asyncpg.connect(url, server_settings={"search_path": SCHEMA})
    try:
        rows: list[Any] = [tuple(row) for row in await connection.fetch(statement)]
        return rows
    finally:
        await connection.close()
