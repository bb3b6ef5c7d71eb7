"""How a process of a service starts: `python -m services.<name> [web | worker | migrate | …]`."""

import asyncio
import logging
import os
import signal
import socket
import sys
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar

import uvloop
from aio_pika.abc import AbstractChannel
from starlette.types import ASGIApp

from shared.chassis.bus import Bus, close_quietly, declare_topology
from shared.chassis.clock import ClockWatch
from shared.chassis.database import Database
from shared.chassis.errors import Unavailable
from shared.chassis.lifecycle import Lifecycle
from shared.chassis.migrations import CHASSIS_MIGRATIONS, MigrationError, migrate
from shared.chassis.notify import Supervisor
from shared.chassis.serve import MetricsEndpoint, WebServer, inherited_listener
from shared.chassis.settings import BusSettings, DatabaseSettings, Settings, SettingsError
from shared.chassis.telemetry.logs import configure_logging

logger = logging.getLogger(__name__)

SettingsT = TypeVar("SettingsT", bound=Settings)

MIGRATION_TIMEOUT_SECONDS = 3600.0
"""Of one statement: an index over millions of rows takes minutes."""
EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_SETTINGS = 78
"""`EX_CONFIG`: starting again will not help until a person changes a setting."""


@dataclass(frozen=True)
class Service(Generic[SettingsT]):
    """What a service is made of; `app.py` of each service holds one."""

    name: str
    """Of its schema, its socket, its database role and its bus account."""
    settings: type[SettingsT]
    web: Callable[[SettingsT, Lifecycle], Awaitable[ASGIApp]]
    """Starts the parts of a web process, in order, and returns its application."""
    worker: Callable[[SettingsT, Lifecycle], Awaitable[None]] | None = None
    """Starts the parts of a worker process, in order."""
    migrations: Path | None = None
    """Folder of the service's own migrations, if it has tables."""
    topology: Callable[[SettingsT, AbstractChannel], Awaitable[None]] | None = None
    """Declares what the service has on the bus besides its events queue."""
    commands: Mapping[str, Callable[[SettingsT, list[str]], Coroutine[Any, Any, int]]] = field(
        default_factory=dict
    )
    """Further commands of an operator; each returns the exit status."""


def main(service: Service[SettingsT]) -> None:
    """Run a process of a service until it is told to stop; exits with its status."""
    role, *arguments = sys.argv[1:] or ["web"]
    try:
        settings = service.settings.from_environment(os.environ)
    except SettingsError as error:
        sys.stderr.write(f"{service.name} cannot start, its settings are wrong:\n{error}\n")
        sys.exit(EXIT_SETTINGS)
    configure_logging(service.name, role, settings.instance, settings.log_level)
    supervisor = Supervisor(os.environ.get("NOTIFY_SOCKET"))
    if role == "web" or (role == "worker" and service.worker is not None):
        sys.exit(uvloop.run(_serve(service, settings, role, supervisor)))
    if role == "migrate":
        sys.exit(uvloop.run(_migrate(service, settings)))
    if role in service.commands:
        sys.exit(uvloop.run(service.commands[role](settings, arguments)))
    roles = ", ".join(["web", "worker", "migrate", *service.commands])
    sys.stderr.write(f"{service.name} has no role {role}; there are: {roles}\n")
    sys.exit(EXIT_USAGE)


async def _serve(
    service: Service[SettingsT], settings: SettingsT, role: str, supervisor: Supervisor
) -> int:
    lifecycle = Lifecycle()
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    failed = asyncio.create_task(lifecycle.failed(), name="failure of a part")
    stopped = asyncio.create_task(stop.wait(), name="stop signal")
    booted = asyncio.create_task(_boot(service, settings, role, lifecycle), name="boot")
    status = 0
    try:
        await asyncio.wait({booted, failed, stopped}, return_when=asyncio.FIRST_COMPLETED)
        if booted.done() and booted.exception() is None:
            supervisor.ready()
            logger.info("ready", extra={"action": "ready"})
            await asyncio.wait({failed, stopped}, return_when=asyncio.FIRST_COMPLETED)
        error = booted.exception() if booted.done() else None
        if error is None and failed.done():
            error = failed.exception()
        if error is not None:
            status = EXIT_FAILED
            _tell(error)
    finally:
        supervisor.stopping()
        for task in (booted, failed, stopped):
            task.cancel()
        await asyncio.gather(booted, failed, stopped, return_exceptions=True)
        await lifecycle.stop()
    logger.info("stopped", extra={"action": "stopped", "status": status})
    return status


async def _boot(
    service: Service[SettingsT], settings: SettingsT, role: str, lifecycle: Lifecycle
) -> None:
    path = settings.run_dir / "metrics" / f"{service.name}-{role}-{settings.instance}.sock"
    await lifecycle.start(WebServer(MetricsEndpoint(lifecycle.conditions), _own_socket(path)))
    await lifecycle.start(ClockWatch(lifecycle))
    if role == "web":
        application = await service.web(settings, lifecycle)
        await lifecycle.start(WebServer(application, inherited_listener(), lifecycle.drain))
    elif service.worker is not None:
        await service.worker(settings, lifecycle)


def _tell(error: BaseException) -> None:
    if isinstance(error, Unavailable):
        logger.error(
            "a part this process needs is not reachable",
            extra={"action": "failed", "dependency": error.dependency},
        )
    else:
        logger.error("the process cannot go on", exc_info=error, extra={"action": "failed"})


def _own_socket(path: Path) -> socket.socket:
    path.parent.mkdir(mode=0o700, exist_ok=True)
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(str(path))
    listener.listen(16)
    return listener


async def _migrate(service: Service[SettingsT], settings: SettingsT) -> int:
    try:
        await _migrate_schema(service, settings)
        await _declare_topology(service, settings)
    except (MigrationError, Unavailable) as error:
        sys.stderr.write(f"{service.name} was not migrated: {error}\n")
        return EXIT_FAILED
    return 0


async def _migrate_schema(service: Service[SettingsT], settings: object) -> None:
    if not isinstance(settings, DatabaseSettings):
        return
    database = Database(settings, service.name, command_timeout_seconds=MIGRATION_TIMEOUT_SECONDS)
    await database.start()
    try:
        own = [service.migrations] if service.migrations is not None else []
        await migrate(database, [CHASSIS_MIGRATIONS, *own])
    finally:
        await database.stop()


async def _declare_topology(service: Service[SettingsT], settings: SettingsT) -> None:
    bus_settings: object = settings
    if not isinstance(bus_settings, BusSettings):
        return
    connection = await Bus(bus_settings, service.name).connect("migrate")
    try:
        channel = await connection.channel()
        await declare_topology(channel, service.name)
        if service.topology is not None:
            await service.topology(settings, channel)
    finally:
        await close_quietly(connection)
