"""The composition: starts what the plan names in order, keeps it alive, stops it in order."""

import asyncio
import contextlib
import logging
import os
import signal
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from deploy.local.supervisor.children import Child, Children
from deploy.local.supervisor.events import Events
from deploy.local.supervisor.notify import NotifySocket
from deploy.local.supervisor.one_shot import OneShotRun
from deploy.local.supervisor.order import stops_after
from deploy.local.supervisor.part import Part
from deploy.local.supervisor.processes import process_table
from deploy.local.supervisor.record import (
    ProcessRecord,
    RememberedScale,
    StackLock,
    clear_predecessor,
)
from deploy.local.supervisor.runtime import BackOff, Runtime
from deploy.local.supervisor.server import ControlServer, RequestError
from deploy.local.supervisor.specs import MOST_INSTANCES, Plan
from deploy.local.supervisor.targets import TargetsFile

_LOCK_TIMEOUT_SECONDS = 30.0
_MEMORY_CHECK_SECONDS = 5.0
_log = logging.getLogger(__name__)


class Supervisor:
    """Runs one plan until it is told to stop.

    A defect in here ends the process instead of leaving it half alive: the children die with it
    and the keeper starts a successor.
    """

    def __init__(self, plan: Plan, plan_path: Path) -> None:
        self.events = Events()
        self._plan = plan
        self._plan_path = plan_path
        self._children = Children()
        self._notify = NotifySocket(plan.run_dir / "notify.sock")
        self._record = ProcessRecord(plan.run_dir / "processes.json")
        self._scale = RememberedScale(plan.state_path)
        self._targets: TargetsFile | None = None
        if plan.targets_path is not None and plan.metrics_address is not None:
            self._targets = TargetsFile(plan.targets_path, plan.metrics_address)
        self._parts: dict[str, Part] = {}
        self._one_shots: dict[str, OneShotRun] = {}
        self._shown: dict[str, dict[str, Any]] = {}
        self._healthy: bool | None = None
        self._keeper: Child | None = None
        self._stop_requested = asyncio.Event()
        self._stopped = asyncio.Event()

    async def run(self) -> None:
        """Run until SIGTERM, SIGINT or the command `stop`; everything has stopped on return.

        Raises:
            AlreadyRunning: another supervisor runs this stack.
        """
        lock = StackLock(self._plan.run_dir / "supervisor.lock")
        await lock.acquire(_LOCK_TIMEOUT_SECONDS)
        self._children.install()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, self._stop_requested.set)
        async with asyncio.TaskGroup() as tasks:
            keeper = tasks.create_task(self._keep_keeper())
            await clear_predecessor(
                self._record.read_predecessor(), f"NOTIFY_SOCKET={self._notify.path}"
            )
            self._notify.open()
            runtime = Runtime(self._children, self._notify, self._record, tasks)
            self._compose(runtime)
            server = ControlServer(self._plan.control_socket, self)
            await server.start()
            waiting = [tasks.create_task(self._start(item)) for item in self._items()]
            memory = tasks.create_task(self._watch_memory())
            _log.info("started", extra={"fields": {"action": "supervisor_started"}})

            await self._stop_requested.wait()
            for task in (keeper, memory, *waiting):
                task.cancel()
            # The keeper goes first: from here on nobody takes our place.
            if self._keeper is not None:
                self._keeper.send(signal.SIGKILL)
            await self._stop_all()
            self._stopped.set()
            self.events.publish({})
            await server.stop()
        self._notify.close()
        self._record.clear()
        _log.info("stopped", extra={"fields": {"action": "supervisor_stopped"}})
        lock.release()

    def status(self) -> dict[str, Any]:
        """Return what `status` shows."""
        table = process_table()
        failing = [run.status() for run in self._one_shots.values() if run.failure is not None]
        parts = [*failing, *(part.status(table) for part in self._parts.values())]
        return {"healthy": all(part["state"] == "running" for part in parts), "parts": parts}

    def snapshot(self) -> list[dict[str, Any]]:
        """Return the present state of everything, as events."""
        return [*self._shown.values(), {"healthy": bool(self._healthy)}]

    async def scale(self, instances: dict[str, int]) -> None:
        """Change and remember numbers of instances; raises RequestError, PartError or OSError."""
        for name, number in instances.items():
            self._part(name)
            if self._parts[name].spec.kind == "infrastructure":
                raise RequestError(
                    f"{name} is infrastructure and runs as one instance. "
                    f"What scales: {', '.join(self._scalable())}."
                )
            if not (type(number) is int and 1 <= number <= MOST_INSTANCES):
                raise RequestError(f"{name}={number} is not a number from 1 to {MOST_INSTANCES}.")
        for name, number in instances.items():
            self._scale.set(name, number)
        await _all_or_first_error([self._parts[name].scale(n) for name, n in instances.items()])

    async def restart(self, name: str | None) -> None:
        """Replace instances one at a time; raises RequestError or PartError."""
        names = [name] if name is not None else self._scalable()
        for part in [self._part(each) for each in names]:
            await part.restart()

    async def stop(self) -> None:
        """Stop everything; returns when it has stopped."""
        self._stop_requested.set()
        await self._stopped.wait()

    def _compose(self, runtime: Runtime) -> None:
        for spec in self._plan.one_shots:
            self._one_shots[spec.name] = OneShotRun(spec, runtime, self._one_shot_changed)
        for part_spec in self._plan.parts:
            self._parts[part_spec.name] = Part(
                part_spec,
                runtime,
                instances=self._remembered(part_spec.name, part_spec.instances, part_spec.kind),
                on_change=self._part_changed,
            )
        for part in self._parts.values():
            self._part_changed(part)
        for one_shot in self._one_shots.values():
            self._one_shot_changed(one_shot)

    def _remembered(self, name: str, default: int, kind: str) -> int:
        return 1 if kind == "infrastructure" else self._scale.get(name, default)

    def _items(self) -> list[Part | OneShotRun]:
        return [*self._one_shots.values(), *self._parts.values()]

    async def _start(self, item: Part | OneShotRun) -> None:
        for name in item.spec.after:
            dependency = self._parts.get(name) or self._one_shots[name]
            if isinstance(item, Part):
                item.waits_for = dependency
                self._part_changed(item)
            await dependency.ready.wait()
        await item.start()

    async def _stop_all(self) -> None:
        await asyncio.gather(*(one_shot.stop() for one_shot in self._one_shots.values()))
        first = stops_after(self._plan)
        gone = {name: asyncio.Event() for name in self._parts}

        async def stop(part: Part) -> None:
            for name in first[part.spec.name]:
                await gone[name].wait()
            await part.stop()
            _log.info("%s stopped", part.spec.name)
            gone[part.spec.name].set()

        await asyncio.gather(*(stop(part) for part in self._parts.values()))
        await self._children.clear_adopted()

    async def _keep_keeper(self) -> None:
        """Keep the keeper alive; cancellation leaves it, so that a defect of ours is healed too."""
        back_off = BackOff()
        loop = asyncio.get_running_loop()
        command = [sys.executable, "-m", __package__, str(self._plan_path)]
        while True:
            started = loop.time()
            self._keeper = self._start_keeper(command)
            await asyncio.wait({self._keeper.exited})
            await asyncio.sleep(back_off.next_pause(loop.time() - started))

    def _start_keeper(self, supervisor: list[str]) -> Child:
        command = [sys.executable, "-m", f"{__package__}.keeper", str(os.getpid())]
        return self._children.start(
            [*command, *supervisor],
            environment=None,
            working_directory=Path.cwd(),
            output=sys.stderr.fileno(),
            death_signal=0,
        )

    async def _watch_memory(self) -> None:
        while True:
            await asyncio.sleep(_MEMORY_CHECK_SECONDS)
            table = process_table()
            await asyncio.gather(*(part.check_memory(table) for part in self._parts.values()))

    def _part(self, name: str) -> Part:
        if name not in self._parts:
            known = ", ".join(self._parts)
            raise RequestError(f"There is no part {name!r}. The parts are: {known}.")
        return self._parts[name]

    def _scalable(self) -> list[str]:
        kinds = ("service", "worker")
        return [name for name, part in self._parts.items() if part.spec.kind in kinds]

    def _part_changed(self, part: Part) -> None:
        self._show(part.condition())
        if self._targets is not None:
            running = [(each.spec, each.numbers) for each in self._parts.values()]
            with contextlib.suppress(OSError):
                self._targets.update(running)

    def _one_shot_changed(self, one_shot: OneShotRun) -> None:
        self._show(one_shot.condition())
        for part in self._parts.values():
            if part.waits_for is one_shot:
                self._part_changed(part)

    def _show(self, event: dict[str, Any]) -> None:
        if self._shown.get(event["name"]) == event:
            return
        self._shown[event["name"]] = event
        self.events.publish(event)
        healthy = all(part.state == "running" for part in self._parts.values())
        if healthy != self._healthy:
            self._healthy = healthy
            self.events.publish({"healthy": healthy})


async def _all_or_first_error(operations: list[Coroutine[Any, Any, None]]) -> None:
    """Wait for all operations, then raise the first error of any."""
    outcomes = await asyncio.gather(*operations, return_exceptions=True)
    for outcome in outcomes:
        if isinstance(outcome, BaseException):
            raise outcome
