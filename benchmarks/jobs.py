"""Jobs beside BullMQ on Redis, Celery on RabbitMQ and Procrastinate: the same row per job.

`./freehold bench jobs` installs the peers into a folder of its own (npm, pip; Redis from the
distribution's package), starts PostgreSQL with fsync, RabbitMQ and Redis with an append-only file
on free ports, and lets each peer in turn enqueue and work. Throughput is jobs over the time from
the first enqueue to the last row, CPU what the operating system charged to enqueuer, workers,
PostgreSQL and broker. Medians of interleaved runs.
"""

import platform
import statistics
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import psutil

from benchmarks.job_peers.contest import Contest, Peer, Result, peers
from benchmarks.job_peers.installing import install, versions

RUNS = 3
RATE = 200.0
PACED_JOBS = 2000


@dataclass(frozen=True)
class Row:
    """The medians of one peer."""

    peer: Peer
    one: Result
    two: Result
    p50: float
    p99: float


def main() -> None:
    """Install, measure, print."""
    folder = Path(tempfile.gettempdir()) / "freehold-bench-jobs"
    folder.mkdir(exist_ok=True)
    print("installing the peers …", flush=True)
    install(folder)
    contest = Contest(folder)
    contest.start()
    try:
        rows = measure(contest)
        print_table(rows, versions(folder))
    finally:
        contest.stop()


def measure(contest: Contest) -> list[Row]:
    """Let the peers take turns."""
    contestants = peers(contest)
    results: dict[tuple[str, int], list[Result]] = {}
    waits: dict[str, list[Sequence[float]]] = {}
    for run in range(RUNS):
        for peer in contestants:
            for workers in (1, 2):
                result = contest.throughput(peer, workers)
                results.setdefault((peer.name, workers), []).append(result)
                told = f"{result.per_second:.0f}/s, {result.cpu_ms:.2f} ms CPU"
                print(f"run {run + 1}: {peer.name}, {workers} worker(s): {told}", flush=True)
            waits.setdefault(peer.name, []).append(contest.latency(peer, RATE, PACED_JOBS))
    return [
        Row(
            peer,
            _median(results[peer.name, 1]),
            _median(results[peer.name, 2]),
            statistics.median(_percentile(sample, 50) for sample in waits[peer.name]),
            statistics.median(_percentile(sample, 99) for sample in waits[peer.name]),
        )
        for peer in contestants
    ]


def print_table(rows: list[Row], found: dict[str, str]) -> None:
    """Print what was measured, with what and when."""
    print(f"\n{datetime.now(UTC):%Y-%m-%d}, {psutil.cpu_count()} cores, ", end="")
    print(f"Python {platform.python_version()}; medians of {RUNS} runs; ./freehold bench jobs")
    print(", ".join(f"{name} {version}" for name, version in found.items()))
    print(
        f"\n{'peer':<24}{'jobs/s, 1 worker':>18}{'2 workers':>12}{'CPU-ms a job':>14}"
        f"{'p50 at 200/s':>14}{'p99':>9}"
    )
    for row in rows:
        print(
            f"{row.peer.name:<24}{row.one.per_second:>18.0f}{row.two.per_second:>12.0f}"
            f"{row.one.cpu_ms:>14.2f}{row.p50 * 1000:>11.1f} ms{row.p99 * 1000:>6.1f} ms"
        )


def _median(results: list[Result]) -> Result:
    return Result(
        statistics.median(result.per_second for result in results),
        statistics.median(result.cpu_ms for result in results),
    )


def _percentile(sample: Sequence[float], percent: int) -> float:
    return sorted(sample)[min(len(sample) - 1, len(sample) * percent // 100)]


if __name__ == "__main__":
    main()
