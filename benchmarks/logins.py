"""Log-ins, refreshes and token checks beside bare bcrypt and PocketBase in one run.

`./freehold bench logins` starts a whole stack and a PocketBase (installed from its package into a
folder of its own) and lets them take turns. Log-ins are compared with how often the same cores
compute the same bcrypt; then the cores are saturated once more, and a request that needs no
password is timed: what the event loop is late by is in it. CPU is that of the servers, less the
client's.
"""

import asyncio
import contextlib
import platform
import statistics
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import bcrypt
import psutil

from benchmarks.login_peers.connection import Connection
from benchmarks.login_peers.freehold_peer import Freehold
from benchmarks.login_peers.pocketbase_peer import PocketBase

RUNS: Final = 3
SECONDS: Final = 6.0
PASSWORD_SECONDS: Final = 15.0
"""Of passwords: on slow cores a few seconds are too few hashes to compare."""
ACCOUNTS: Final = 16
AT_ONCE: Final = 16
Peer = Freehold | PocketBase


@dataclass(frozen=True)
class Rate:
    """How often something was done, and what it cost the servers."""

    per_second: float
    cpu_ms: float


async def rate(
    peer: Peer,
    act: Callable[[Connection, int], Awaitable[object]],
    *,
    at_once: int = AT_ONCE,
    seconds: float = SECONDS,
) -> Rate:
    """Do something over and over, so many at a time."""
    members = peer.processes()
    connections = [await Connection.open(peer.port) for _ in range(at_once)]
    counts = [0] * at_once
    before = _cpu_seconds(members)
    began = time.perf_counter()

    async def repeat(number: int) -> None:
        while time.perf_counter() < began + seconds:
            await act(connections[number], number)
            counts[number] += 1

    await asyncio.gather(*(repeat(number) for number in range(at_once)))
    taken = time.perf_counter() - began
    used = sum(after - before[pid] for pid, after in _cpu_seconds(members).items())
    for connection in connections:
        await connection.close()
    return Rate(sum(counts) / taken, used * 1000 / sum(counts))


def bare_bcrypt(cost: int) -> float:
    """Return how many hashes a second the cores compute with nothing around them."""
    threads = psutil.cpu_count() or 1
    hashed = bcrypt.hashpw(b"password", bcrypt.gensalt(cost))
    ends_at = time.perf_counter() + PASSWORD_SECONDS

    def check() -> int:
        count = 0
        while time.perf_counter() < ends_at:
            bcrypt.checkpw(b"password", hashed)
            count += 1
        return count

    began = time.perf_counter()
    with ThreadPoolExecutor(threads) as pool:
        counts = [future.result() for future in [pool.submit(check) for _ in range(threads)]]
    return sum(counts) / (time.perf_counter() - began)


async def turn(peer: Peer, addresses: list[str]) -> dict[str, float]:
    """Measure one peer once."""
    figures = {}
    before = await asyncio.to_thread(bare_bcrypt, peer.bcrypt_cost)

    async def log_in(connection: Connection, number: int) -> None:
        await peer.log_in(connection, addresses[number % len(addresses)])

    logins = await rate(peer, log_in, at_once=8, seconds=PASSWORD_SECONDS)
    # Before and after: shared machines change their speed within a minute.
    limit = (before + await asyncio.to_thread(bare_bcrypt, peer.bcrypt_cost)) / 2
    figures["bare bcrypt/s"] = limit
    figures["log-ins/s"] = logins.per_second
    figures["of the limit"] = logins.per_second / limit
    if isinstance(peer, Freehold):
        lags = asyncio.create_task(peer.lag(SECONDS))
        await rate(peer, log_in, at_once=8)
        figures["lag p99 ms"] = statistics.quantiles(await lags, n=100)[98] * 1000
    connection = await Connection.open(peer.port)
    sessions = [await peer.log_in(connection, address) for address in addresses]
    await connection.close()

    async def refresh(connection: Connection, number: int) -> None:
        sessions[number] = await peer.refresh(connection, sessions[number])

    async def check(connection: Connection, number: int) -> None:
        await peer.check(connection, sessions[number])

    for name, act in (("refreshes", refresh), ("checks", check)):
        result = await rate(peer, act)
        figures[f"{name}/s"] = result.per_second
        figures[f"{name[:-2] if name == 'refreshes' else name[:-1]} CPU ms"] = result.cpu_ms
    return figures


async def measure(peers: list[Peer]) -> dict[str, list[dict[str, float]]]:
    """Let the peers take turns."""
    addresses = {peer.name: await peer.sign_up(ACCOUNTS) for peer in peers}
    figures: dict[str, list[dict[str, float]]] = {peer.name: [] for peer in peers}
    for run in range(RUNS):
        for peer in peers:
            found = await turn(peer, addresses[peer.name])
            told = ", ".join(f"{name} {value:.2f}" for name, value in found.items())
            print(f"run {run + 1}: {peer.name}: {told}", flush=True)
            figures[peer.name].append(found)
    return figures


def print_table(figures: dict[str, list[dict[str, float]]]) -> None:
    """Print the medians."""
    print(f"\n{datetime.now(UTC):%Y-%m-%d}, {psutil.cpu_count()} cores, ", end="")
    print(f"Python {platform.python_version()}; medians of {RUNS} runs; ./freehold bench logins")
    print(f"\n{'':<18}" + "".join(f"{name:>14}" for name in figures))
    rows: dict[str, None] = {name: None for runs in figures.values() for name in runs[0]}
    for row in rows:
        cells = [
            f"{statistics.median(run[row] for run in runs):>14.2f}" if row in runs[0] else " " * 14
            for runs in figures.values()
        ]
        print(f"{row:<18}" + "".join(cells))


def _cpu_seconds(members: list[psutil.Process]) -> dict[int, float]:
    seconds = {}
    for member in members:
        # PostgreSQL's helpers come and go.
        with contextlib.suppress(psutil.NoSuchProcess):
            times: Any = member.cpu_times()
            seconds[member.pid] = times.user + times.system
    return seconds


def main() -> None:
    """Start both, measure, print."""
    peers: list[Peer] = [Freehold(), PocketBase()]
    try:
        for peer in peers:
            peer.start()
        print_table(asyncio.run(measure(peers)))
    finally:
        for peer in peers:
            peer.stop()


if __name__ == "__main__":
    main()
