"""Starting child processes and collecting their exits."""

import asyncio
import ctypes
import os
import signal
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from deploy.local.supervisor.processes import process_table, read_stat

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_INHERITED_SOCKET = 3
_SECONDS_FOR_A_KILLED_PROCESS_TO_GO = 5.0


@dataclass(frozen=True, slots=True)
class Child:
    """A running or finished child process, leader of its own session.

    `exited` is resolved with the exit status, or with the negated number of the signal that ended
    it. Wait for it with `asyncio.wait`, which does not cancel it.
    """

    pid: int
    start_ticks: int
    exited: asyncio.Future[int]

    def send(self, number: int) -> None:
        """Send a signal to the process; does nothing once it has exited."""
        if not self.exited.done():
            os.kill(self.pid, number)

    async def stop(self, number: int, timeout_seconds: float) -> None:
        """Ask the process to leave by a signal, kill it after the time-out, wait for its end."""
        self.send(number)
        await asyncio.wait({self.exited}, timeout=timeout_seconds)
        self.send(signal.SIGKILL)
        await asyncio.wait({self.exited})

    async def clear_session(self) -> None:
        """Kill what an exited process left behind in its session, and wait until it is gone."""
        deadline = asyncio.get_running_loop().time() + _SECONDS_FOR_A_KILLED_PROCESS_TO_GO
        while left := [
            stat.pid for stat in process_table().values() if stat.session == self.pid and stat.alive
        ]:
            for pid in left:
                kill_quietly(pid, signal.SIGKILL)
            if asyncio.get_running_loop().time() > deadline:
                return
            await asyncio.sleep(0.02)


class Children:
    """Starts processes that die with this one, and reaps every child, adopted ones too.

    Use it from the main thread only: the kernel ties the death signal to the starting thread.
    """

    def __init__(self) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._exits: dict[int, asyncio.Future[int]] = {}
        # Keeps descriptor 3 taken, so that subprocess's own error pipe never has that number and
        # the inherited socket cannot overwrite it.
        self._reserved = [os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)]
        while self._reserved[-1] <= _INHERITED_SOCKET:
            self._reserved.append(os.dup(self._reserved[0]))

    def install(self) -> None:
        """Begin to collect exits on the running loop."""
        # Orphans of our children come to us instead of to the machine's first process, so that
        # they can be found and ended.
        self._libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        asyncio.get_running_loop().add_signal_handler(signal.SIGCHLD, self._reap)

    def start(
        self,
        command: list[str],
        *,
        environment: dict[str, str] | None,
        working_directory: Path,
        output: int,
        death_signal: int,
        listen: int | None = None,
    ) -> Child:
        """Start a command in a session of its own.

        Args:
            environment: the whole environment; None passes on our own.
            output: descriptor that takes stdout and stderr.
            death_signal: what the process gets from the kernel when this process dies.
            listen: descriptor that the process finds as number 3.

        Raises:
            OSError: the program or the working directory cannot be used.
        """
        process = subprocess.Popen(
            command,
            env=environment,
            cwd=working_directory,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            pass_fds=() if listen is None else (_INHERITED_SOCKET,),
            preexec_fn=self._preparation(death_signal, listen),  # noqa: PLW1509 - one thread only
        )
        stat = read_stat(process.pid)
        exited: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._exits[process.pid] = exited
        # The exit is collected here, not by Popen, which would otherwise warn about it.
        process.returncode = 0
        return Child(process.pid, stat.start_ticks if stat else 0, exited)

    async def clear_adopted(self) -> None:
        """End every child that is left: orphans that outlived the part they belonged to.

        They get SIGTERM, and SIGKILL if they are still there a second later.
        """
        loop = asyncio.get_running_loop()
        started = loop.time()
        signalled: set[int] = set()
        while left := {
            stat.pid
            for stat in process_table().values()
            if stat.parent == os.getpid() and stat.alive
        }:
            elapsed = loop.time() - started
            if elapsed > _SECONDS_FOR_A_KILLED_PROCESS_TO_GO:
                return
            for pid in left if elapsed > 1.0 else left - signalled:
                kill_quietly(pid, signal.SIGKILL if pid in signalled else signal.SIGTERM)
            signalled |= left
            await asyncio.sleep(0.02)

    def _preparation(self, death_signal: int, listen: int | None) -> Callable[[], None]:
        parent = os.getpid()

        def prepare() -> None:
            self._libc.prctl(_PR_SET_PDEATHSIG, death_signal, 0, 0, 0)
            if os.getppid() != parent:
                os._exit(1)
            if listen is not None:
                os.dup2(listen, _INHERITED_SOCKET)

        return prepare

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            exited = self._exits.pop(pid, None)
            if exited is not None and not exited.done():
                exited.set_result(os.waitstatus_to_exitcode(status))


def kill_quietly(pid: int, number: int) -> None:
    """Send a signal to a process that may be gone already."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return
