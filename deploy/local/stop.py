"""Stops a stack and clears away its sockets."""

import contextlib
import fcntl
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

from deploy.local.home import Home, read_json
from deploy.local.supervisor.control import Client

LETTING_GO_SECONDS = 10.0
POLL_SECONDS = 0.05


@contextlib.contextmanager
def one_at_a_time(home: Home) -> Iterator[None]:
    """Let a second `up` or `down` wait until the first has started or stopped the supervisor."""
    with (home.path / "up.lock").open("w") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield


def stop_stack(home: Home, client: Client) -> None:
    """Stop everything in order and remove the folder of the sockets. Raises ControlError."""
    with one_at_a_time(home):
        run_dir = Path(read_json(home.running)["run_dir"])
        client.stop()
        remove_run_dir(run_dir)


def remove_run_dir(run_dir: Path) -> None:
    """Remove the folder once its supervisor has let go of it; leave it to one that does not."""
    try:
        lock = (run_dir / "supervisor.lock").open("r+")
    except FileNotFoundError:
        return
    deadline = time.monotonic() + LETTING_GO_SECONDS
    with lock:
        while not _taken(lock.fileno()):
            if time.monotonic() > deadline:
                return
            time.sleep(POLL_SECONDS)
        # Where only root may remove the folder itself, an empty one stays until the next boot.
        shutil.rmtree(run_dir, ignore_errors=True)


def _taken(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
