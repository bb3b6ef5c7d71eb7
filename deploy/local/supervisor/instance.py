"""One numbered process of a part, kept alive."""

import asyncio
import logging
from collections.abc import Callable
from typing import Any, Literal

from deploy.local.supervisor.children import Child
from deploy.local.supervisor.logs import ProcessOutput, RotatingLog
from deploy.local.supervisor.readiness import (
    describe_exit,
    describe_failed_start,
    wait_until_ready,
)
from deploy.local.supervisor.runtime import BackOff, Runtime
from deploy.local.supervisor.specs import PartSpec

State = Literal["starting", "running", "failed", "stopping", "stopped"]

_log = logging.getLogger(__name__)


class Instance:
    """Starts a process, waits until it is ready, and starts it again whenever it ends.

    A start that fails, a time-out of readiness and an exit are all followed by a pause of at most
    5 s and another start, until `stop`.

    Attributes:
        first_outcome: resolved once: True when the instance was ready for the first time, False
            when its first start failed or it was stopped before.
        restarts: how often the process was started again.
        problem: why the last run ended or failed; None while it runs.
        status_text: what the process last reported of itself by ``STATUS=``.
    """

    def __init__(
        self,
        spec: PartSpec,
        number: int,
        runtime: Runtime,
        *,
        log: RotatingLog,
        listen: int | None,
        on_change: Callable[[], None],
    ) -> None:
        self.number = number
        self.state: State = "starting"
        self.restarts = 0
        self.problem: str | None = None
        self.next_step: str | None = None
        self.status_text: str | None = None
        self._spec = spec
        self._runtime = runtime
        self._log_file = log
        self._listen = listen
        self._on_change = on_change
        loop = asyncio.get_running_loop()
        self.first_outcome: asyncio.Future[bool] = loop.create_future()
        self._stop_requested: asyncio.Future[None] = loop.create_future()
        self._child: Child | None = None
        self._task = runtime.tasks.create_task(self._run(), name=f"{spec.name} {number}")

    @property
    def pid(self) -> int | None:
        """The pid of the living process, if there is one."""
        return self._child.pid if self._child is not None else None

    @property
    def stopping(self) -> bool:
        """Whether the instance was asked to leave."""
        return self._stop_requested.done()

    def request_stop(self) -> None:
        """Begin to drain and end the process. May be called more than once."""
        if not self._stop_requested.done():
            self._stop_requested.set_result(None)
            self._enter("stopping")

    async def stop(self) -> None:
        """Drain and end the process; returns when it is gone. May be called more than once."""
        self.request_stop()
        await asyncio.wait({self._task})

    async def _run(self) -> None:
        back_off = BackOff()
        while not self._stop_requested.done():
            healthy_seconds = await self._run_once()
            if self._stop_requested.done():
                break
            self.restarts += 1
            pause = back_off.next_pause(healthy_seconds)
            _log.warning(
                "%s %d %s; it is started again in %.1f s",
                self._spec.name,
                self.number,
                self.problem,
                pause,
                extra={"fields": {"action": "instance_failed", "part": self._spec.name}},
            )
            self._enter("failed", first_outcome=False)
            await asyncio.wait({self._stop_requested}, timeout=pause)
        self._enter("stopped", first_outcome=False)

    async def _run_once(self) -> float:
        """Run the process once; return for how many seconds it was ready."""
        spec = self._spec
        self._enter("starting")
        output = ProcessOutput(self._log_file, spec.identity_for(self.number))
        try:
            child = self._runtime.start(
                spec.command_for(self.number),
                environment=spec.environment_for(self.number),
                working_directory=spec.working_directory,
                output=output,
                death_signal=spec.death_signal,
                listen=self._listen,
                stop_timeout_seconds=spec.stop_timeout_seconds,
            )
        except OSError as error:
            output.close()
            self.problem = describe_failed_start(error, spec.command)
            self.next_step = "Check that the program is installed, then run `./freehold up`."
            return 0.0
        self._child = child
        try:
            return await self._watch(child, output)
        finally:
            self._runtime.notify.forget(child.pid)
            output.close()
            self._child = None

    async def _watch(self, child: Child, output: ProcessOutput) -> float:
        spec, loop = self._spec, asyncio.get_running_loop()
        ready = loop.create_task(self._become_ready(child))
        ready_at: float | None = None
        end: set[asyncio.Future[Any]] = {child.exited, self._stop_requested}
        try:
            await asyncio.wait(
                {*end, ready},
                timeout=spec.ready.timeout_seconds,
                return_when=asyncio.FIRST_COMPLETED,
            )
            if ready.done() and not child.exited.done() and not self.stopping:
                ready.result()
                ready_at = loop.time()
                self.problem = self.next_step = None
                self._enter("running", first_outcome=True)
                await asyncio.wait(end, return_when=asyncio.FIRST_COMPLETED)
        finally:
            ready.cancel()
        healthy_seconds = loop.time() - ready_at if ready_at is not None else 0.0
        left_by_itself = child.exited.done()
        await child.stop(spec.stop_signal, spec.stop_timeout_seconds)
        await child.clear_session()
        output.close()
        if left_by_itself:
            said = describe_exit(child.exited.result())
        else:
            said = f"was not ready within {spec.ready.timeout_seconds:g} s"
        detail = output.summary or self.status_text
        self.problem = f"{said}: {detail}" if detail else said
        self.next_step = (
            f"It is started again every few seconds; the cause is in `./freehold logs {spec.name}`."
        )
        return healthy_seconds

    async def _become_ready(self, child: Child) -> None:
        spec = self._spec
        notified: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def take(fields: dict[str, str]) -> None:
            if fields.get("READY") == "1" and not notified.done():
                notified.set_result(None)
            self.status_text = fields.get("STATUS", self.status_text)

        async def run(command: list[str]) -> int:
            environment = spec.environment_for(self.number)
            return await self._runtime.run_silently(command, environment, spec.working_directory)

        self._runtime.notify.register(child.pid, take)
        await wait_until_ready(spec.ready, notified, run)

    def _enter(self, state: State, *, first_outcome: bool | None = None) -> None:
        # A stop that was asked for is not shown as another start or failure on its way.
        if self.stopping and state not in ("stopping", "stopped"):
            return
        self.state = state
        if first_outcome is not None and not self.first_outcome.done():
            self.first_outcome.set_result(first_outcome)
        self._on_change()
