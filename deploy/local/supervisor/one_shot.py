"""A command that has to succeed before others start."""

import asyncio
import logging
import signal
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from deploy.local.supervisor.logs import ProcessOutput, RotatingLog
from deploy.local.supervisor.readiness import describe_exit, describe_failed_start
from deploy.local.supervisor.runtime import BackOff, Runtime
from deploy.local.supervisor.specs import OneShot

_STOP_SECONDS = 5.0
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a try failed; the next step is there if the command explained it itself."""

    problem: str
    next_step: str | None = None


class OneShotRun:
    """Runs a one-shot until it exits 0, with pauses of at most 5 s, without end.

    If the last line of its output names a `next_step`, as JSON, the command has explained why it
    failed: then its own words are shown, and nobody has to look into its log.

    Attributes:
        ready: set when the command has succeeded.
        failure: why the last try failed.
    """

    def __init__(
        self, spec: OneShot, runtime: Runtime, on_change: Callable[["OneShotRun"], None]
    ) -> None:
        self.spec = spec
        self.ready = asyncio.Event()
        self.failure: Failure | None = None
        self.state = "starting"
        self._runtime = runtime
        self._on_change = on_change
        self._task: asyncio.Task[None] | None = None
        self._stop_requested: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def start(self) -> None:
        """Begin to run the command; does not wait for its end."""
        self._task = self._runtime.tasks.create_task(self._run(), name=self.spec.name)

    async def stop(self) -> None:
        """End the command if it runs, and do not try again."""
        if not self._stop_requested.done():
            self._stop_requested.set_result(None)
        if self._task is not None:
            await asyncio.wait({self._task})

    def condition(self) -> dict[str, Any]:
        """Return the present state as an event."""
        event = {"name": self.spec.name, "kind": "one-shot", "state": self.state}
        if self.failure is None:
            return event
        if self.failure.next_step is not None:
            told = {"problem": self.failure.problem, "next_step": self.failure.next_step}
            return {**event, **told, "explained": True}
        return {
            **event,
            "problem": f"{self.spec.name} {self.failure.problem}",
            "next_step": "It is run again every few seconds; the cause is in "
            f"`./freehold logs {self.spec.name}`.",
        }

    def status(self) -> dict[str, Any]:
        """Return it as `status` shows it among the parts while it fails."""
        shown = {key: value for key, value in self.condition().items() if key != "explained"}
        return {**shown, "kind": "infrastructure", "instances": []}

    async def _run(self) -> None:
        back_off = BackOff()
        log = RotatingLog(self.spec.log_path)
        while not self._stop_requested.done():
            self.failure = await self._try(log)
            if self.failure is None:
                self.state = "done"
                self.ready.set()
                self._on_change(self)
                break
            self.state = "failed"
            self._on_change(self)
            _log.warning(
                "%s: %s",
                self.spec.name,
                self.failure.problem,
                extra={"fields": {"action": "one_shot_failed", "part": self.spec.name}},
            )
            await asyncio.wait({self._stop_requested}, timeout=back_off.next_pause(0.0))
        log.close()

    async def _try(self, log: RotatingLog) -> Failure | None:
        """Run the command once; return what went wrong."""
        spec = self.spec
        output = ProcessOutput(log, {"service": spec.name})
        try:
            child = self._runtime.start(
                spec.command,
                environment=spec.environment,
                working_directory=spec.working_directory,
                output=output,
            )
        except OSError as error:
            output.close()
            return Failure(describe_failed_start(error, spec.command))
        first: set[asyncio.Future[Any]] = {child.exited, self._stop_requested}
        await asyncio.wait(first, timeout=spec.timeout_seconds, return_when=asyncio.FIRST_COMPLETED)
        finished = child.exited.done()
        await child.stop(signal.SIGTERM, _STOP_SECONDS)
        await child.clear_session()
        output.close()
        if finished and child.exited.result() == 0:
            return None
        if finished and output.next_step is not None:
            return Failure(output.summary, output.next_step)
        if finished:
            said = describe_exit(child.exited.result())
        elif self._stop_requested.done():
            said = "was stopped"
        else:
            said = f"did not end within {spec.timeout_seconds:g} s"
        return Failure(f"{said}: {output.summary}" if output.summary else said)
