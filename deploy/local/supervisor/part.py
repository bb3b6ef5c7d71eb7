"""All instances of one part: how many there are, how they are replaced, how they are doing."""

import asyncio
import logging
from collections.abc import Callable
from typing import Any, Literal, Protocol

from deploy.local.supervisor.instance import Instance
from deploy.local.supervisor.logs import RotatingLog
from deploy.local.supervisor.processes import (
    ProcessStat,
    family,
    resident_bytes,
    uptime_seconds,
)
from deploy.local.supervisor.runtime import Runtime
from deploy.local.supervisor.sockets import bind_stream
from deploy.local.supervisor.specs import PartSpec

PartState = Literal["starting", "running", "failed", "stopped"]

_MEMORY_RETRY_SECONDS = 60.0
_log = logging.getLogger(__name__)


class PartError(Exception):
    """What was asked of a part did not come about; the message says why."""


class Dependency(Protocol):
    """What a part can wait for: another part or a one-shot."""

    def condition(self) -> dict[str, Any]:
        """Return name, kind, state and, where something is wrong, problem and next step."""


class Part:
    """Keeps the desired number of instances of one part.

    Scaling, restarts and replacements of one part run one after the other. `stop` does not wait
    for its turn: it ends what is under way.

    Attributes:
        ready: set once the first instance was ready; what comes `after` this part waits for it.
        waits_for: what still has to be ready before this part starts, for `status`.
    """

    def __init__(
        self,
        spec: PartSpec,
        runtime: Runtime,
        *,
        instances: int,
        on_change: Callable[["Part"], None],
    ) -> None:
        self.spec = spec
        self.desired = instances
        self.ready = asyncio.Event()
        self.waits_for: Dependency | None = None
        self._runtime = runtime
        self._on_change = on_change
        self._instances: dict[int, Instance] = {}
        self._log_file = RotatingLog(spec.log_path)
        self._listen = bind_stream(spec.listen) if spec.listen is not None else None
        self._turn = asyncio.Lock()
        self._started = False
        self._stopped = False
        self._memory_retry_at = 0.0

    @property
    def state(self) -> PartState:
        """Running as soon as the desired number of instances is; one failure makes it failed."""
        states = [instance.state for instance in self._instances.values()]
        if self._stopped:
            return "stopped"
        if self._started and states.count("running") >= self.desired:
            return "running"
        return "failed" if "failed" in states else "starting"

    @property
    def numbers(self) -> list[int]:
        """The numbers of the instances that are running, in order."""
        running = (n for n, instance in self._instances.items() if instance.state == "running")
        return sorted(running)

    async def start(self) -> None:
        """Start the desired number of instances; does not wait until they are ready."""
        async with self._turn:
            self._started = True
            for number in range(1, self.desired + 1):
                self._launch(number)

    async def scale(self, instances: int) -> None:
        """Change the number of instances; new ones are ready and old ones gone on return.

        Raises:
            PartError: a new instance was not ready at its first try; it is tried again.
        """
        async with self._turn:
            self.desired = instances
            if not self._started:
                return
            numbers = self._kept()
            surplus = [self._instances[number] for number in numbers[instances:]]
            added = [self._launch(self._free()) for _ in range(instances - len(numbers))]
            self._changed()
            await asyncio.gather(*(self._remove(instance) for instance in surplus))
            for newcomer in added:
                if not await newcomer.first_outcome:
                    raise PartError(
                        f"{self.spec.name} {newcomer.number} {newcomer.problem}. "
                        "It is tried again without end."
                    )

    async def restart(self) -> None:
        """Replace every instance, one at a time.

        Of services and workers the successor is ready before the old instance drains;
        infrastructure stops and starts.

        Raises:
            PartError: a successor did not become ready; the remaining old instances were kept.
        """
        async with self._turn:
            for number in self._kept():
                await self._replace(self._instances[number])

    async def stop(self) -> None:
        """Drain and end all instances and close the listening socket."""
        self._stopped = True
        await asyncio.gather(*(instance.stop() for instance in self._instances.values()))
        if self._listen is not None and self.spec.listen is not None:
            self._listen.close()
            self.spec.listen.unlink(missing_ok=True)
        self._log_file.close()
        self._changed()

    async def check_memory(self, table: dict[int, ProcessStat]) -> None:
        """Replace an instance that has grown over the limit."""
        limit = self.spec.memory_limit_bytes
        loop = asyncio.get_running_loop()
        if limit is None or self._turn.locked() or loop.time() < self._memory_retry_at:
            return
        for number in self.numbers:
            instance = self._instances.get(number)
            if instance is None or instance.pid is None:
                continue
            used = resident_bytes(family(table, instance.pid))
            if used <= limit:
                continue
            _log.warning(
                "%s %d uses %d MiB of memory, more than its limit of %d MiB; it is replaced",
                self.spec.name,
                number,
                used >> 20,
                limit >> 20,
                extra={"fields": {"action": "memory_limit_exceeded", "part": self.spec.name}},
            )
            async with self._turn:
                try:
                    await self._replace(instance)
                except PartError as error:
                    self._memory_retry_at = loop.time() + _MEMORY_RETRY_SECONDS
                    _log.warning("%s", error)

    def status(self, table: dict[int, ProcessStat]) -> dict[str, Any]:
        """Return the part as `status` shows it."""
        shown = [self._instances[number] for number in self._kept()]
        instances = [_instance_status(instance, table) for instance in shown]
        address = {} if self.spec.address is None else {"address": self.spec.address}
        return {**self.condition(), "instances": instances, **address}

    def condition(self) -> dict[str, str]:
        """Return name, kind, state and, where something is wrong, problem and next step."""
        state = self.state
        condition = {"name": self.spec.name, "kind": self.spec.kind, "state": state}
        return {**condition, **(self._problem() if state in ("starting", "failed") else {})}

    def _problem(self) -> dict[str, str]:
        if not self._started:
            return _describe_wait(self.waits_for)
        shown = [self._instances[number] for number in self._kept()]
        for instance in shown:
            if instance.problem is not None and instance.state != "running":
                told = {"problem": f"{self.spec.name} {instance.number} {instance.problem}"}
                return {**told, "next_step": instance.next_step} if instance.next_step else told
        reports = (i.status_text for i in shown if i.state == "starting" and i.status_text)
        return next(({"problem": text} for text in reports), {})

    async def _replace(self, old: Instance) -> None:
        if self._stopped or old.stopping:
            return
        if self.spec.kind == "infrastructure":
            await self._remove(old)
            newcomer = self._launch(old.number)
            ready = await newcomer.first_outcome
            outcome = "It is tried again without end."
        else:
            newcomer = self._launch(self._free())
            ready = await newcomer.first_outcome
            await self._remove(old if ready else newcomer)
            outcome = "The old instance was kept."
        if not ready and not self._stopped:
            raise PartError(
                f"The new instance of {self.spec.name} {newcomer.problem}. {outcome} "
                f"See `./freehold logs {self.spec.name}`."
            )

    def _launch(self, number: int) -> Instance:
        instance = Instance(
            self.spec,
            number,
            self._runtime,
            log=self._log_file,
            listen=None if self._listen is None else self._listen.fileno(),
            on_change=self._changed,
        )
        self._instances[number] = instance
        if self._stopped:
            instance.request_stop()
        return instance

    async def _remove(self, instance: Instance) -> None:
        await instance.stop()
        if self._instances.get(instance.number) is instance:
            del self._instances[instance.number]
            # A killed process leaves its metrics socket behind.
            if stale := self.spec.metrics_socket_for(instance.number):
                stale.unlink(missing_ok=True)
        self._changed()

    def _kept(self) -> list[int]:
        return sorted(n for n, instance in self._instances.items() if not instance.stopping)

    def _free(self) -> int:
        return next(number for number in range(1, 1000) if number not in self._instances)

    def _changed(self) -> None:
        if self.numbers:
            self.ready.set()
        self._on_change(self)


def _describe_wait(dependency: Dependency | None) -> dict[str, str]:
    if dependency is None:
        return {}
    condition = dependency.condition()
    failing = ", which fails" if condition["state"] == "failed" else ""
    # What fails is shown itself; many wait for it.
    return {"problem": f"waits for {condition['name']}{failing}"}


def _instance_status(instance: Instance, table: dict[int, ProcessStat]) -> dict[str, Any]:
    pid = instance.pid
    stat = table.get(pid) if pid is not None else None
    return {
        "number": instance.number,
        "pid": pid,
        "rss_bytes": resident_bytes(family(table, pid)) if pid is not None else 0,
        "uptime_seconds": round(uptime_seconds(stat), 1) if stat else 0.0,
        "restarts": instance.restarts,
    }
