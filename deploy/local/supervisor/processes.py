"""What the kernel says about processes: identity, family, session, memory."""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
_PROC = Path("/proc")


@dataclass(frozen=True, slots=True)
class ProcessStat:
    """One line of the process table.

    `start_ticks` counts clock ticks from boot to the start of the process; together with the pid
    it names a process for as long as the machine stays up.
    """

    pid: int
    parent: int
    session: int
    start_ticks: int
    alive: bool


def read_stat(pid: int) -> ProcessStat | None:
    """Return what is known of a process, or None if there is none with this pid."""
    try:
        # A name may hold spaces and brackets; the fields after the last bracket do not.
        fields = (_PROC / str(pid) / "stat").read_bytes().rpartition(b")")[2].split()
    except OSError:
        return None
    return ProcessStat(
        pid=pid,
        parent=int(fields[1]),
        session=int(fields[3]),
        start_ticks=int(fields[19]),
        alive=fields[0] not in (b"Z", b"X"),
    )


def process_table() -> dict[int, ProcessStat]:
    """Return every process by pid."""
    pids = (int(entry.name) for entry in _PROC.iterdir() if entry.name.isdigit())
    return {pid: stat for pid in pids if (stat := read_stat(pid)) is not None}


def family(table: dict[int, ProcessStat], pid: int) -> list[int]:
    """Return `pid` and all its descendants."""
    children: dict[int, list[int]] = {}
    for stat in table.values():
        children.setdefault(stat.parent, []).append(stat.pid)
    members, waiting = [], [pid]
    while waiting:
        member = waiting.pop()
        members.append(member)
        waiting += children.get(member, [])
    return members


def resident_bytes(pids: Iterable[int]) -> int:
    """Return the memory of a family, in bytes.

    Private pages are added up; shared ones are counted once, as the largest share of any member,
    so that a database's buffers are not counted for each of its backends.
    """
    private, shared = 0, 0
    for pid in pids:
        try:
            fields = (_PROC / str(pid) / "statm").read_bytes().split()
        except OSError:
            continue
        private += int(fields[1]) - int(fields[2])
        shared = max(shared, int(fields[2]))
    return (private + shared) * _PAGE_BYTES


def uptime_seconds(stat: ProcessStat) -> float:
    """Return the age of a process in seconds."""
    since_boot = float((_PROC / "uptime").read_text().split()[0])
    return max(0.0, since_boot - stat.start_ticks / _TICKS_PER_SECOND)


def boot_id() -> str:
    """Return the name of this boot of the machine; pids and start times mean nothing in another."""
    return (_PROC / "sys/kernel/random/boot_id").read_text().strip()


def has_environment_entry(pid: int, entry: str) -> bool:
    """Tell whether a process was started with ``NAME=value`` in its environment.

    False also for processes of other users and for those that overwrote their environment.
    """
    try:
        environment = (_PROC / str(pid) / "environ").read_bytes()
    except OSError:
        return False
    return os.fsencode(entry) in environment.split(b"\0")
