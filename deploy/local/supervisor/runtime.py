"""What every instance and one-shot needs from the supervisor around it."""

import asyncio
import os
import signal
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from deploy.local.supervisor.children import Child, Children
from deploy.local.supervisor.logs import ProcessOutput
from deploy.local.supervisor.notify import NotifySocket
from deploy.local.supervisor.record import ProcessRecord

FIRST_PAUSE_SECONDS = 0.1
LONGEST_PAUSE_SECONDS = 5.0
HEALTHY_AFTER_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Runtime:
    """The shared pieces of one running supervisor."""

    children: Children
    notify: NotifySocket
    record: ProcessRecord
    tasks: asyncio.TaskGroup

    def start(
        self,
        command: list[str],
        *,
        environment: Mapping[str, str],
        working_directory: Path,
        output: ProcessOutput,
        death_signal: int = signal.SIGKILL,
        listen: int | None = None,
        stop_timeout_seconds: float = 0.0,
    ) -> Child:
        """Start a process of the stack and write it into the record.

        Raises:
            OSError: the program or the working directory cannot be used.
        """
        listening = {} if listen is None else {"LISTEN_FDS": "1"}
        try:
            child = self.children.start(
                command,
                environment={
                    **environment,
                    "NOTIFY_SOCKET": str(self.notify.path),
                    **listening,
                },
                working_directory=working_directory,
                output=output.writer,
                death_signal=death_signal,
                listen=listen,
            )
        finally:
            output.hand_over()
        self.record.add(child.pid, child.start_ticks, stop_timeout_seconds)
        return child

    async def run_silently(
        self, command: list[str], environment: Mapping[str, str], working_directory: Path
    ) -> int:
        """Run a command to its end without its output; it is killed on cancellation."""
        sink = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
        try:
            child = self.children.start(
                command,
                environment=dict(environment),
                working_directory=working_directory,
                output=sink,
                death_signal=signal.SIGKILL,
            )
        finally:
            os.close(sink)
        try:
            await asyncio.wait({child.exited})
        finally:
            child.send(signal.SIGKILL)
        return child.exited.result()


class BackOff:
    """Pauses between starts: 0.1 s, doubled up to 5 s, without end."""

    def __init__(self) -> None:
        self._pause = FIRST_PAUSE_SECONDS

    def next_pause(self, healthy_seconds: float) -> float:
        """Return how long to wait, given how long the last run was ready, in seconds."""
        if healthy_seconds >= HEALTHY_AFTER_SECONDS:
            self._pause = FIRST_PAUSE_SECONDS
        pause = self._pause
        self._pause = min(2 * pause, LONGEST_PAUSE_SECONDS)
        return pause
