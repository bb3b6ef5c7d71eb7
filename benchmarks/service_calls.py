"""What one call between two services costs: HTTP clients beside each other over a unix socket.

`./freehold bench service_calls` (or `python -m benchmarks.service_calls`) installs the clients
into an environment of its own, starts one uvicorn with a Starlette application on a unix socket,
and lets each client read a small JSON document from it, with a token as services send one. Every
measurement is a process of its own; the clients take turns, and the table shows medians. CPU is
the client's alone.
"""

import argparse
import asyncio
import contextlib
import importlib
import json
import platform
import statistics
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

CLIENTS = {"httpx": "0.28.1", "httpx2": "2.16.2", "aiohttp": "3.14.5"}
SERVER = ("uvicorn==0.54.0", "starlette==1.10.0", "httptools==0.9.0", "uvloop==0.23.0")
RUNS = 5
FEWEST_RUNS = 3
CALLS = 3000
WARM_UP_CALLS = 300
AT_ONCE = 16
START_TIMEOUT_SECONDS = 20.0
HEADERS = {
    # As long as a service's token is.
    "Authorization": "Bearer " + "e" * 220,
    "X-Request-Id": "0" * 32,
    "traceparent": f"00-{'1' * 32}-{'2' * 16}-01",
}
DOCUMENT = {
    "items": [
        {
            "session_id": f"01940000-0000-7000-8000-00000000000{number}",
            "expires_at": 1_800_000_000,
        }
        for number in range(3)
    ],
    "cursor": "42",
}
Call = Callable[[], Awaitable[object]]


def serve(socket: str) -> None:
    """Run the called service until it is terminated."""
    applications = importlib.import_module("starlette.applications")
    responses = importlib.import_module("starlette.responses")
    routing = importlib.import_module("starlette.routing")
    uvicorn = importlib.import_module("uvicorn")

    async def answer(_request: object) -> Any:
        return responses.JSONResponse(DOCUMENT)

    uvicorn.run(
        applications.Starlette(routes=[routing.Route("/internal/revocations", answer)]),
        uds=socket,
        http="httptools",
        loop="uvloop",
        access_log=False,
        log_level="warning",
    )


def measure(client: str, socket: str) -> dict[str, float]:
    """Return what the client costs in this process, which has not imported it before."""
    uvloop = importlib.import_module("uvloop")
    before_bytes, started = resident_bytes(), time.perf_counter()
    module = importlib.import_module(client)
    result = {
        "import_ms": (time.perf_counter() - started) * 1000,
        "import_mb": (resident_bytes() - before_bytes) / 1024**2,
    }
    measured: dict[str, float] = uvloop.run(_calls(client, module, socket))
    return {**result, **measured}


async def _calls(client: str, module: Any, socket: str) -> dict[str, float]:
    async with AsyncExitStack() as stack:
        call = await (_aiohttp if client == "aiohttp" else _httpx)(module, socket, stack)
        assert await call() == DOCUMENT
        await _in_turn(call, WARM_UP_CALLS)
        result = {}
        for name, concurrency in (("one", 1), ("many", AT_ONCE)):
            cpu, started = time.process_time(), time.perf_counter()
            async with asyncio.TaskGroup() as group:
                for _ in range(concurrency):
                    group.create_task(_in_turn(call, CALLS // concurrency))
            calls = CALLS // concurrency * concurrency
            result[f"{name}_calls_per_second"] = calls / (time.perf_counter() - started)
            result[f"{name}_cpu_ms"] = (time.process_time() - cpu) / calls * 1000
        return result


async def _in_turn(call: Call, calls: int) -> None:
    for _ in range(calls):
        await call()


async def _httpx(module: Any, socket: str, stack: AsyncExitStack) -> Call:
    """Open httpx or httpx2, whose interface is the same."""
    client = await stack.enter_async_context(
        module.AsyncClient(
            transport=module.AsyncHTTPTransport(uds=socket),
            base_url="http://service",
            timeout=module.Timeout(5.0),
        )
    )

    async def call() -> object:
        response = await client.request(
            "GET", "/internal/revocations", params={"since": "41"}, headers=HEADERS
        )
        response.raise_for_status()
        return response.json()

    return call


async def _aiohttp(module: Any, socket: str, stack: AsyncExitStack) -> Call:
    client = await stack.enter_async_context(
        module.ClientSession(
            base_url="http://service",
            connector=module.UnixConnector(path=socket),
            timeout=module.ClientTimeout(total=5.0),
        )
    )

    async def call() -> object:
        async with client.get(
            "/internal/revocations", params={"since": "41"}, headers=HEADERS
        ) as response:
            response.raise_for_status()
            return await response.json()

    return call


def resident_bytes() -> int:
    """Return the memory of this process that is in RAM."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * 4096


def compare(runs: int) -> None:
    """Install the clients, measure them in turns, print the table."""
    with tempfile.TemporaryDirectory(prefix="fh-bench-") as folder:
        python = _environment(Path(folder, "environment"))
        socket = str(Path(folder, "service.sock"))
        results: dict[str, list[dict[str, float]]] = {client: [] for client in CLIENTS}
        with _server(python, socket):
            for run in range(runs):
                # Who comes first differs, so that a machine that tires is fair to all.
                for client in _rotated(list(CLIENTS), run):
                    done = subprocess.run(
                        [python, __file__, "--measure", client, socket],
                        stdout=subprocess.PIPE,
                        check=True,
                    )
                    results[client].append(json.loads(done.stdout))
    _print_table(results, runs)


def _environment(folder: Path) -> Path:
    venv.create(folder, with_pip=True)
    python = folder / "bin" / "python"
    wanted = [f"{client}=={release}" for client, release in CLIENTS.items()]
    print(f"installing {', '.join(wanted)} …", file=sys.stderr, flush=True)
    subprocess.run(
        [
            python,
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            *wanted,
            *SERVER,
        ],
        stdout=sys.stderr,
        check=True,
    )
    return python


@contextlib.contextmanager
def _server(python: Path, socket: str) -> Iterator[None]:
    process = subprocess.Popen([python, __file__, "--serve", socket])
    try:
        deadline = time.monotonic() + START_TIMEOUT_SECONDS
        while not Path(socket).exists():
            if process.poll() is not None or time.monotonic() > deadline:
                sys.exit("The called service did not start; its output above says why.")
            time.sleep(0.05)
        yield
    finally:
        process.terminate()
        process.wait()


def _rotated(names: list[str], by: int) -> Sequence[str]:
    start = by % len(names)
    return names[start:] + names[:start]


def _print_table(results: dict[str, list[dict[str, float]]], runs: int) -> None:
    columns = (
        ("one_calls_per_second", "calls/s, one at a time", "{:,.0f}"),
        ("one_cpu_ms", "CPU ms a call", "{:.3f}"),
        ("many_calls_per_second", f"calls/s, {AT_ONCE} at once", "{:,.0f}"),
        ("many_cpu_ms", "CPU ms a call", "{:.3f}"),
        ("import_mb", "import MB", "{:.1f}"),
        ("import_ms", "import ms", "{:.0f}"),
    )
    today = datetime.now(UTC).date().isoformat()
    print(
        f"{today}, Python {platform.python_version()}, {' '.join(SERVER)}; medians of {runs} runs "
        f"of {CALLS:,} calls, in turns\n"
    )
    print(f"| client | {' | '.join(title for _, title, _ in columns)} |")
    print("|---" * (len(columns) + 1) + "|")
    for client, release in CLIENTS.items():
        cells = [
            form.format(statistics.median(result[key] for result in results[client]))
            for key, _, form in columns
        ]
        print(f"| {client} {release} | {' | '.join(cells)} |")


def main() -> None:
    """Compare, or be one of the two processes that a comparison consists of."""
    parser = argparse.ArgumentParser(prog="benchmarks.service_calls")
    parser.add_argument("--runs", type=int, default=RUNS, help="runs per client, at least 3")
    roles = parser.add_mutually_exclusive_group()
    roles.add_argument("--serve", metavar="SOCKET", help=argparse.SUPPRESS)
    roles.add_argument("--measure", nargs=2, metavar=("CLIENT", "SOCKET"), help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.serve:
        serve(chosen.serve)
    elif chosen.measure:
        client, socket = chosen.measure
        assert version(client) == CLIENTS[client]
        print(json.dumps(measure(client, socket)))
    elif chosen.runs < FEWEST_RUNS:
        parser.error(f"a median needs at least {FEWEST_RUNS} runs")
    else:
        compare(chosen.runs)


if __name__ == "__main__":
    main()
