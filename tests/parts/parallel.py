"""Tests that run in several processes at once, and those that need the machine to themselves."""

import fcntl
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType

import psutil
import pytest
import xdist.remote
import xdist.scheduler

_TOGETHER = ("tests/journey/",)
"""Folders whose tests share something that costs more to start twice than is gained."""

_STOP_SECONDS = 60.0
# Folders can be locked as files are, and leave nothing to clear away.
_DOOR = Path(__file__).parent
_ROOM = _DOOR.parent


class ByFile(xdist.scheduler.LoadScopeScheduling):
    """Gives a process one file at a time, in the order they were found: the longest come first."""

    def __init__(self, config: pytest.Config, log: xdist.remote.Producer) -> None:
        config.option.loadscopereorder = False
        super().__init__(config, log)

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        return next((folder for folder in _TOGETHER if file.startswith(folder)), file)


def is_one_of_several() -> bool:
    """Tell whether this process does a part of a run that others do the rest of."""
    return "PYTEST_XDIST_WORKER" in os.environ


@contextmanager
def turn(*, alone: bool) -> Iterator[None]:
    """Wait until a test may start; one that is `alone` runs while no other does.

    Whoever waits holds the door, so that later ones wait behind it.
    """
    if not is_one_of_several():
        yield
        return
    with _opened(_DOOR) as door, _opened(_ROOM) as room:
        fcntl.flock(door, fcntl.LOCK_EX)
        fcntl.flock(room, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
        fcntl.flock(door, fcntl.LOCK_UN)
        yield


@contextmanager
def _opened(folder: Path) -> Iterator[int]:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def stop_on_sigterm(config: pytest.Config) -> None:
    """Let SIGTERM do what Ctrl-C does: fixtures are torn down, and no server stays behind."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        # Neither a second signal nor xdist, which is impatient, cuts the tearing down short.
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)
        if config.pluginmanager.hasplugin("dsession"):
            _stop(psutil.Process().children())
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, interrupt)


def _stop(workers: list[psutil.Process]) -> None:
    for worker in workers:
        worker.terminate()
    deadline = time.monotonic() + _STOP_SECONDS
    time.sleep(1)
    with suppress(psutil.NoSuchProcess):
        while any(worker.children() for worker in workers) and time.monotonic() < deadline:
            time.sleep(0.1)
