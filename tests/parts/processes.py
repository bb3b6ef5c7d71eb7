"""Starting the real servers that tests speak to, on their own ports and in their own folders."""

import fcntl
import functools
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path

UNPRIVILEGED = "nobody"


def unprivileged() -> str | None:
    """Return the user that servers run as when the tests run as root, which PostgreSQL refuses."""
    return UNPRIVILEGED if os.geteuid() == 0 else None


def new_folder(name: str) -> Path:
    """Make a folder with a short path (unix sockets) that the unprivileged user owns."""
    folder = Path(tempfile.mkdtemp(prefix=f"fh-{name}-", dir="/tmp"))
    give(folder)
    return folder


def give(path: Path) -> None:
    """Hand a file or folder to the unprivileged user."""
    user = unprivileged()
    if user is not None:
        entry = pwd.getpwnam(user)
        os.chown(path, entry.pw_uid, entry.pw_gid)


def free_port() -> int:
    """Return a loopback port that is free now, outside of the kernel's ephemeral range.

    While this process lives, no other that tests is given it, though nobody may listen on it yet.
    """
    # Processes that test at the same time have ids close to each other and begin far apart.
    first, span = os.getpid() * 1009 % 10_000, 11_000
    for port in (21_000 + (first + offset) % span for offset in range(span)):
        if port not in _GIVEN and _is_free(port) and _take(port):
            _GIVEN.add(port)
            return port
    raise RuntimeError("no free port")


_GIVEN: set[int] = set()


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _take(port: int) -> bool:
    """Say to other processes that a port is taken; what they hold ends with them."""
    try:
        fcntl.lockf(_taken_ports(), fcntl.LOCK_EX | fcntl.LOCK_NB, 1, port)
    except BlockingIOError:
        return False
    return True


@functools.cache
def _taken_ports() -> int:
    # Closing a file that is locked, even by another descriptor, lets go of it: it stays open.
    path = Path(tempfile.gettempdir()) / f"freehold-tests-{os.geteuid()}.ports"
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)


class Server:
    """A server process, stopped by its process id."""

    def __init__(
        self, command: list[str], *, folder: Path, environment: Mapping[str, str] | None = None
    ) -> None:
        self.command = command
        self.folder = folder
        self.environment = dict(environment or {})
        self.log = folder / "server.log"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Its process id; it has to run."""
        assert self._process is not None
        return self._process.pid

    def start(self, ready: Callable[[], bool], timeout_seconds: float = 180.0) -> None:
        """Start, and return when it is ready."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self.command,
                cwd=self.folder,
                env={"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "HOME": str(self.folder)}
                | self.environment,
                stdout=log,
                stderr=log,
                user=unprivileged(),
                start_new_session=True,
            )
        wait_until(ready, timeout_seconds, lambda: f"{self.command[0]}:\n{self.tail()}")

    def stop(self, number: int = signal.SIGTERM) -> None:
        """Stop and wait; what does not obey within two minutes is killed with its children."""
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(number)
        try:
            process.wait(120)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(60)

    def tail(self) -> str:
        """Return the end of its log."""
        return self.log.read_text(errors="replace")[-3000:]

    def remove(self) -> None:
        """Stop, and delete its folder."""
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)


def wait_until(
    condition: Callable[[], bool], timeout_seconds: float, explain: Callable[[], str]
) -> None:
    """Return when the condition holds; fail with the explanation after the time."""
    deadline = time.monotonic() + timeout_seconds
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"not ready after {timeout_seconds} s: {explain()}")
        time.sleep(0.05)


def accepts(port: int) -> bool:
    """Tell whether something listens on a loopback port."""
    with socket.socket() as probe:
        probe.settimeout(10)
        return probe.connect_ex(("127.0.0.1", port)) == 0
