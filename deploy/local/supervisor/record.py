"""What outlives one supervisor: its lock, the processes it started, the scale it was given."""

import asyncio
import fcntl
import json
import logging
import os
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deploy.local.supervisor.children import kill_quietly
from deploy.local.supervisor.processes import (
    ProcessStat,
    boot_id,
    has_environment_entry,
    process_table,
    read_stat,
)

_log = logging.getLogger(__name__)
_POLL_SECONDS = 0.05
_STRAY_TIMEOUT_SECONDS = 5.0


class AlreadyRunning(RuntimeError):  # noqa: N818 - reads as what it is: a refusal, not a fault
    """Another supervisor holds the lock of this stack."""


class StackLock:
    """Makes sure that one supervisor runs a stack; the kernel lets go of it at the holder's end."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None

    async def acquire(self, timeout_seconds: float) -> None:
        """Take the lock; wait for a predecessor that is about to leave.

        Raises:
            AlreadyRunning: another supervisor still held it after the time-out.
        """
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout_seconds
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if loop.time() > deadline:
                    os.close(descriptor)
                    raise AlreadyRunning(
                        f"Another supervisor runs this stack (it holds {self._path}). "
                        "Stop it with `./freehold down` first."
                    ) from None
                await asyncio.sleep(_POLL_SECONDS)
            else:
                self._descriptor = descriptor
                return

    def release(self) -> None:
        """Let a successor in."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


@dataclass(frozen=True, slots=True)
class Recorded:
    """A process that was started: leader of a session, with its time to stop in seconds."""

    pid: int
    start_ticks: int
    stop_timeout_seconds: float


class ProcessRecord:
    """The list of started processes, in a file, so that a successor can wait for their end."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._entries: dict[int, Recorded] = {}

    def add(self, pid: int, start_ticks: int, stop_timeout_seconds: float) -> None:
        """Record a started process; those that have ended are forgotten."""
        self._entries = {
            known: entry
            for known, entry in self._entries.items()
            if (stat := read_stat(known)) and stat.start_ticks == entry.start_ticks
        }
        self._entries[pid] = Recorded(pid, start_ticks, stop_timeout_seconds)
        entries = [[e.pid, e.start_ticks, e.stop_timeout_seconds] for e in self._entries.values()]
        try:
            write_atomically(self._path, json.dumps({"boot_id": boot_id(), "processes": entries}))
        except OSError as error:
            # The process runs already; a full disk must not take it away again.
            _log.warning("The process record %s could not be written: %s", self._path, error)

    def clear(self) -> None:
        """Forget all, after a clean stop."""
        self._entries = {}
        self._path.unlink(missing_ok=True)

    def read_predecessor(self) -> dict[int, Recorded]:
        """Return what an earlier supervisor of the same boot recorded, by pid."""
        document = read_json_object(self._path)
        if document.get("boot_id") != boot_id():
            return {}
        return {entry[0]: Recorded(*entry) for entry in document.get("processes", [])}


async def clear_predecessor(recorded: dict[int, Recorded], marker: str) -> None:
    """Wait until nothing of an earlier supervisor's stack runs any more.

    The kernel has already asked the recorded processes to leave. What has no living leader (an
    orphan of a killed wrapper, a daemon that left its session but carries the environment entry
    `marker`) gets SIGTERM here, and everything that outstays its time gets SIGKILL.
    """
    loop = asyncio.get_running_loop()
    started = loop.time()
    signalled: set[int] = set()
    while strays := _strays(recorded, marker):
        for pid, leader in strays.items():
            timeout = leader.stop_timeout_seconds if leader else _STRAY_TIMEOUT_SECONDS
            led = leader is not None and leader.pid in strays
            if loop.time() - started > timeout:
                _log.warning("Killed process %d of an earlier run: it did not stop in time.", pid)
                kill_quietly(pid, signal.SIGKILL)
            elif not led and pid not in signalled:
                signalled.add(pid)
                kill_quietly(pid, signal.SIGTERM)
        await asyncio.sleep(_POLL_SECONDS)


def _strays(recorded: dict[int, Recorded], marker: str) -> dict[int, Recorded | None]:
    """Return the living processes of the earlier run, each with the leader of its session."""
    strays: dict[int, Recorded | None] = {}
    for stat in process_table().values():
        if not stat.alive or stat.pid == os.getpid():
            continue
        leader = recorded.get(stat.session)
        if leader is not None and _belongs_to(leader, stat):
            strays[stat.pid] = leader
        elif has_environment_entry(stat.pid, marker):
            strays[stat.pid] = None
    return strays


def _belongs_to(leader: Recorded, stat: ProcessStat) -> bool:
    if stat.pid == leader.pid:
        return stat.start_ticks == leader.start_ticks
    return stat.start_ticks >= leader.start_ticks


class RememberedScale:
    """How many instances of each part the operator asked for; survives a power cut."""

    def __init__(self, path: Path) -> None:
        self._path = path
        stored = read_json_object(path).get("instances", {})
        self._instances: dict[str, int] = {
            name: count for name, count in stored.items() if isinstance(count, int) and count > 0
        }

    def get(self, name: str, default: int) -> int:
        """Return the remembered number of instances."""
        return self._instances.get(name, default)

    def set(self, name: str, instances: int) -> None:
        """Remember a number of instances; raises OSError if it cannot be stored."""
        self._instances[name] = instances
        write_atomically(self._path, json.dumps({"instances": self._instances}), durable=True)


def read_json_object(path: Path) -> dict[str, Any]:
    """Return the object that a JSON file holds; empty if it is missing or damaged."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return document if isinstance(document, dict) else {}


def write_atomically(path: Path, text: str, *, durable: bool = False) -> None:
    """Replace a small file as a whole, mode 0600; `durable` waits for the disk."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.new")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        stream.write(text)
        if durable:
            stream.flush()
            os.fsync(stream.fileno())
    temporary.replace(path)
