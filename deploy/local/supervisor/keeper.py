"""Watches the supervisor and takes its place if it dies without having stopped the keeper first.

Started as ``python -m deploy.local.supervisor.keeper PID COMMAND…`` by the supervisor with that
pid. It sleeps in the kernel until its parent ends and then becomes, by exec, the supervisor that
COMMAND starts; that one starts a keeper of its own. Few modules are imported to keep it small.
"""

import os
import select
import sys
import time

SHORT_LIFE_SECONDS = 5.0
PAUSE_SECONDS = 1.0


def watch(supervisor: int, command: list[str]) -> None:
    """Wait for the end of the supervisor, then become `command`; does not return.

    After a short life there is a pause, so that a supervisor that cannot live does not spin.
    """
    started = time.monotonic()
    try:
        descriptor = os.pidfd_open(supervisor)
    except ProcessLookupError:
        descriptor = -1
    # A parent that is gone already may have left its pid to somebody else.
    if descriptor >= 0 and os.getppid() == supervisor:
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        poll.poll()
    if time.monotonic() - started < SHORT_LIFE_SECONDS:
        time.sleep(PAUSE_SECONDS)
    os.execv(command[0], command)  # noqa: S606 - the command is the supervisor's own


if __name__ == "__main__":
    watch(int(sys.argv[1]), sys.argv[2:])
