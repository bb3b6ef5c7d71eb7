"""The loopback ports of one stack: probed once, recorded, the same ever after."""

import dataclasses
import hashlib
import os
import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import psutil

from deploy.local.errors import LauncherError
from deploy.local.home import Home, read_json, write_json

FIRST = 10_000
FIRST_EPHEMERAL = 32_768
PAIR_DISTANCE = 10_000
"""SeaweedFS opens a second port, for gRPC, this far above each of its ports."""
LAST = FIRST_EPHEMERAL - PAIR_DISTANCE - 1
PAIRED = ("seaweedfs_master", "seaweedfs_volume", "seaweedfs_filer", "seaweedfs_s3")
LOOPBACK = "127.0.0.1"


@dataclass(frozen=True, kw_only=True)
class Ports:
    """Every port of a stack but the public one, which the operator chooses.

    `named_after` is the public port of the first start: RabbitMQ's node keeps the name it was
    made with, because its data belongs to that name.
    """

    named_after: int
    amqp: int
    epmd: int
    erlang_distribution: int
    rabbitmq_metrics: int
    seaweedfs_master: int
    seaweedfs_volume: int
    seaweedfs_filer: int
    seaweedfs_s3: int
    seaweedfs_metrics: int
    smtp: int
    prometheus: int
    nginx_metrics: int

    @classmethod
    def of(cls, home: Home, public_port: int) -> Self:
        """Return the recorded ports, or find free ones and record them."""
        recorded = read_json(home.ports)
        if recorded is not None:
            return cls(**recorded)
        ports = cls.probe(home.path, public_port, is_free)
        write_json(home.ports, dataclasses.asdict(ports))
        return ports

    @classmethod
    def probe(cls, home: Path, public_port: int, free: Callable[[int], bool]) -> Self:
        """Find free ports, upwards from a place that differs from one state folder to the next.

        All lie below the range from which the kernel takes ports for outgoing connections, so
        none is lost to one later.
        """
        digest = hashlib.sha256(os.fsencode(home)).digest()
        span = LAST - FIRST + 1
        start = int.from_bytes(digest[:4], "big") % span
        taken = {public_port}
        candidates = (FIRST + (start + offset) % span for offset in range(span))
        found: dict[str, int] = {}
        for name in _port_names():
            distances = (0, PAIR_DISTANCE) if name in PAIRED else (0,)
            for port in candidates:
                wanted = {port + distance for distance in distances}
                if not wanted & taken and all(free(one) for one in wanted):
                    taken |= wanted
                    found[name] = port
                    break
            else:
                raise LauncherError(
                    f"No free port was found from {FIRST} to {LAST}.\n"
                    "Next: stop what occupies them and run this again."
                )
        return cls(named_after=public_port, **found)

    def by_owner(self, *, embedded: set[str]) -> dict[int, str]:
        """Return which part opens which port, of the given parts."""
        owners = {
            "rabbitmq": ("amqp", "epmd", "erlang_distribution", "rabbitmq_metrics"),
            "seaweedfs": (*PAIRED, "seaweedfs_metrics"),
            "inbox": ("smtp",),
            "prometheus": ("prometheus",),
            "nginx": ("nginx_metrics",),
        }
        opened: dict[int, str] = {}
        for part in embedded & owners.keys():
            for name in owners[part]:
                opened[getattr(self, name)] = part
                if name in PAIRED:
                    opened[getattr(self, name) + PAIR_DISTANCE] = part
        return opened


def _port_names() -> list[str]:
    return [field.name for field in dataclasses.fields(Ports) if field.name != "named_after"]


def is_free(port: int, address: str = LOOPBACK) -> bool:
    """Tell whether a server could bind the port now, just as servers bind."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
            # Two sockets may share an address until one of them listens.
            probe.listen()
        except OSError:
            return False
    return True


def holder(port: int) -> psutil.Process | None:
    """Return the process that listens on the port; None if this user cannot see it."""
    try:
        connections = psutil.net_connections(kind="tcp")
    except psutil.AccessDenied:
        return None
    for connection in connections:
        if connection.status != psutil.CONN_LISTEN or not connection.laddr or not connection.pid:
            continue
        if connection.laddr.port == port:
            try:
                return psutil.Process(connection.pid)
            except psutil.NoSuchProcess:
                return None
    return None


def describe_holder(port: int) -> str:
    """Say who listens on the port, for a message."""
    process = holder(port)
    if process is None:
        return "another user's process"
    with process.oneshot():
        return f"{process.name()} (pid {process.pid})"


def require_free(ports: dict[int, str], public_port: int, home: Path, run_dir: Path) -> None:
    """Raise LauncherError, naming the holder, if somebody else has one of the ports.

    Processes of this very stack that outlived its supervisor are no obstacle: it ends them.
    """
    for port, part in {**ports, public_port: "the public address"}.items():
        if is_free(port) or _is_of_this_stack(holder(port), home, run_dir):
            continue
        remedy = (
            "set FREEHOLD_PORT to a free port"
            if port == public_port
            else "stop it; the ports of this stack were recorded when it was made"
        )
        raise LauncherError(
            f"Port {port}, which {part} needs, is held by {describe_holder(port)}.\nNext: {remedy}."
        )


def _is_of_this_stack(process: psutil.Process | None, home: Path, run_dir: Path) -> bool:
    """Tell by the environment, or by the folder for programs that write over their environment."""
    try:
        return process is not None and (
            process.environ().get("FREEHOLD_RUN_DIR") == str(run_dir)
            or Path(process.cwd()).is_relative_to(home)
        )
    except psutil.Error:
        return False
