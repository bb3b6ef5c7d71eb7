"""CPU and latency of one authenticated read: nginx, gateway, service, one row of PostgreSQL.

`./freehold bench read_path` starts a stack of its own, signs up users, and reads
`GET /v1/auth/me` over 32 connections with the tokens of all of them in turn. CPU is what the
operating system charged to nginx, the gateway, auth and PostgreSQL; the client's is not counted.
"""

import asyncio
import itertools
import platform
import statistics
import time
from datetime import UTC, datetime

import psutil

from tests.journey.client import Client
from tests.journey.stack import RunningStack

USERS = 50
CONNECTIONS = 32
SECONDS = 5.0
RUNS = 5
PARTS = ("nginx", "gateway", "auth", "postgres")


class Reader(asyncio.Protocol):
    """One connection that asks again as soon as it has its answer."""

    def __init__(self, requests: "itertools.cycle[bytes]", deadline: float) -> None:
        self._requests = requests
        self._deadline = deadline
        self._buffer = b""
        self._sent_at = 0.0
        self.latencies: list[float] = []
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._ask()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, separator, body = self._buffer.partition(b"\r\n\r\n")
        if not separator:
            return
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        if len(body) < length:
            return
        if not head.startswith(b"HTTP/1.1 200"):
            self.done.set_exception(RuntimeError(head.decode()))
            return
        self._buffer = body[length:]
        now = time.perf_counter()
        self.latencies.append(now - self._sent_at)
        if now < self._deadline:
            self._ask()
        elif not self.done.done():
            self.done.set_result(None)
            self._transport.close()

    def _ask(self) -> None:
        self._sent_at = time.perf_counter()
        self._transport.write(next(self._requests))


def processes(stack: RunningStack) -> dict[str, list[psutil.Process]]:
    """Return each part's processes with their children."""
    found: dict[str, list[psutil.Process]] = {}
    for part in PARTS:
        roots = [psutil.Process(pid) for pid in stack.pids(part)]
        found[part] = roots + [child for root in roots for child in root.children(recursive=True)]
    return found


def cpu_seconds(members: list[psutil.Process]) -> float:
    """Return user and system time of processes."""
    return sum(times.user + times.system for times in (one.cpu_times() for one in members))


async def read(stack: RunningStack, tokens: list[str]) -> tuple[list[float], float]:
    """Read for some seconds; return the latencies and the time taken."""
    requests = itertools.cycle(
        [
            b"GET /v1/auth/me HTTP/1.1\r\nHost: freehold\r\nAuthorization: Bearer "
            + token.encode()
            + b"\r\n\r\n"
            for token in tokens
        ]
    )
    loop = asyncio.get_running_loop()
    started = time.perf_counter()
    readers = []
    for _ in range(CONNECTIONS):
        _, reader = await loop.create_connection(
            lambda: Reader(requests, started + SECONDS), "127.0.0.1", stack.port
        )
        readers.append(reader)
    await asyncio.gather(*(reader.done for reader in readers))
    taken = time.perf_counter() - started
    return [latency for reader in readers for latency in reader.latencies], taken


async def measure(stack: RunningStack) -> None:
    """Sign up the users, run, and print the table."""
    tokens = []
    for _ in range(USERS):
        async with Client(stack) as client:
            await client.sign_up()
            tokens.append(client.session["access_token"])
    await read(stack, tokens)
    today = f"{datetime.now(UTC):%Y-%m-%d}"
    print(f"{today}, {psutil.cpu_count()} cores, Python {platform.python_version()}")
    print("| run | requests/s | p50 ms | p99 ms | CPU ms/request |", " | ".join(PARTS), "|")
    totals = []
    for run in range(1, RUNS + 1):
        members = processes(stack)
        before = {part: cpu_seconds(members[part]) for part in PARTS}
        latencies, taken = await read(stack, tokens)
        used = {part: cpu_seconds(members[part]) - before[part] for part in PARTS}
        count = len(latencies)
        percentiles = statistics.quantiles(latencies, n=100)
        totals.append(sum(used.values()) / count * 1000)
        print(
            f"| {run} | {count / taken:.0f} | {percentiles[49] * 1000:.1f} |"
            f" {percentiles[98] * 1000:.1f} | {totals[-1]:.3f} |",
            " | ".join(f"{used[part] / count * 1000:.3f}" for part in PARTS),
            "|",
        )
    print(f"median CPU per request: {statistics.median(totals):.3f} ms")
    memory = sum(
        instance["rss_bytes"] for part in stack.status()["parts"] for instance in part["instances"]
    )
    print(f"resident memory of the whole stack after the load: {memory / 2**20:.0f} MiB")


def main() -> None:
    """Run the benchmark in a stack of its own."""
    stack = RunningStack({"FREEHOLD_LIMITS": "off"})
    try:
        stack.up()
        asyncio.run(measure(stack))
    finally:
        stack.remove()


if __name__ == "__main__":
    main()
