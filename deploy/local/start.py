"""Starts the supervisor and watches it until everything is ready."""

import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from typing import Any

from deploy.local import log_files
from deploy.local.errors import LauncherError
from deploy.local.home import Home
from deploy.local.stack import Stack
from deploy.local.supervisor.control import Client, NotRunning

CONTROL_TIMEOUT_SECONDS = 20.0
READY_TIMEOUT_SECONDS = 240.0
ANSWER_TIMEOUT_SECONDS = 60.0
POLL_SECONDS = 0.1
PATIENCE_SECONDS = 25.0
EXPLAINED_PATIENCE_SECONDS = 3.0
"""For what has said why it fails: only a person can put it right, or another server's start."""
SILENCE_SECONDS = 1.0
READY_STATES = ("running", "done")
LOG_LINES_SHOWN = 12


class StartFailedError(LauncherError):
    """Something did not become ready; the stack goes on trying until it is stopped."""


def start_supervisor(stack: Stack) -> Client:
    """Start the supervisor as a process of its own and return its client once it answers."""
    output = stack.home.log("supervisor-output")
    with output.open("ab") as stream:
        process = subprocess.Popen(
            [stack.interpreter, "-m", "deploy.local.supervisor", stack.home.plan],
            cwd=stack.code_root,
            env=stack.base_environment(),
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=stream,
            # Ctrl-C in the terminal is for the launcher, which stops everything in order.
            start_new_session=True,
        )
    client = Client(stack.control_socket)
    deadline = time.monotonic() + CONTROL_TIMEOUT_SECONDS
    while True:
        try:
            client.status()
        except NotRunning:
            if process.poll() is not None or time.monotonic() > deadline:
                said = "\n".join(output.read_text(errors="replace").splitlines()[-LOG_LINES_SHOWN:])
                raise LauncherError(
                    f"The supervisor did not start:\n{said}\n"
                    f"Next: see {stack.home.log('supervisor')} and run this again."
                ) from None
            time.sleep(POLL_SECONDS)
        else:
            return client


def wait_until_ready(client: Client, home: Home) -> None:
    """Show each part as it becomes ready; return when all are.

    Raises StartFailedError, with the last lines of the log, if one fails again and again or if
    it takes too long.
    """
    if client.status()["healthy"]:
        return
    progress = _Progress()
    deadline = time.monotonic() + READY_TIMEOUT_SECONDS
    while time.monotonic() < deadline and not progress.is_hopeless():
        try:
            for event in client.events(timeout_seconds=SILENCE_SECONDS):
                if event.get("healthy"):
                    return
                if "name" in event:
                    progress.take(event)
                if progress.is_hopeless() or time.monotonic() > deadline:
                    break
        except TimeoutError:
            continue
        except NotRunning:
            time.sleep(POLL_SECONDS)
    explained = progress.explained()
    raise _explained_failure(explained) if explained else _failure(progress.culprit(), home)


def wait_for_answer(port: int) -> None:
    """Return when a request through the front door says that all is ready.

    Raises StartFailedError with the last answer if none does in time.
    """
    address = f"http://127.0.0.1:{port}/readyz"
    deadline = time.monotonic() + ANSWER_TIMEOUT_SECONDS
    while True:
        try:
            with urllib.request.urlopen(address, timeout=5):
                return
        except urllib.error.HTTPError as error:
            answer = f"{error.code} {error.read(500).decode(errors='replace')}"
        except OSError as error:
            answer = str(error)
        if time.monotonic() > deadline:
            raise StartFailedError(
                f"Every part runs, but {address} does not answer 200: {answer}\n"
                "Next: see `./freehold logs gateway` and `./freehold logs nginx`."
            )
        time.sleep(POLL_SECONDS)


def _explained_failure(events: Sequence[Mapping[str, Any]]) -> StartFailedError:
    return StartFailedError(
        "\n".join(f"{event['problem']}\nNext: {event['next_step']}" for event in events)
    )


def _failure(event: dict[str, Any], home: Home) -> StartFailedError:
    name = event["name"]
    lines = "\n".join(f"    {line}" for line in log_files.last(home.logs, name, LOG_LINES_SHOWN))
    next_step = event.get("next_step") or f"see `./freehold logs {name}`"
    return StartFailedError(
        f"{name} does not become ready: {event.get('problem', 'no reason was given')}\n"
        f"Its last log lines:\n{lines}\n"
        f"Next: {next_step}\nIt is tried again until `./freehold down`."
    )


class _Progress:
    """Prints a line for each thing that became ready, with the seconds that it took."""

    def __init__(self) -> None:
        self._started = time.monotonic()
        self._begun: dict[str, float] = {}
        self._failing_since: dict[str, float] = {}
        self._latest: dict[str, dict[str, Any]] = {}

    def take(self, event: dict[str, Any]) -> None:
        """Take one event; the same one again is no news."""
        name, state, now = event["name"], event["state"], time.monotonic()
        if self._latest.get(name) == event:
            return
        self._latest[name] = event
        if state in READY_STATES:
            self._failing_since.pop(name, None)
            seconds = now - self._begun.get(name, self._started)
            print(f"  ✓ {name} ({seconds:.1f} s)", flush=True, file=sys.stderr)
        elif _waits(event):
            return
        elif state == "failed" and name not in self._failing_since:
            self._failing_since[name] = now
            if not event.get("explained"):
                print(f"  ✗ {name}: {event.get('problem', 'failed')}", flush=True, file=sys.stderr)
        else:
            self._begun.setdefault(name, now)

    def is_hopeless(self) -> bool:
        """Tell whether something has failed for so long that waiting on is of no use."""
        now = time.monotonic()
        return any(now - since > PATIENCE_SECONDS for since in self._failing_since.values()) or any(
            now - self._failing_since[event["name"]] > EXPLAINED_PATIENCE_SECONDS
            for event in self.explained()
        )

    def explained(self) -> Sequence[Mapping[str, Any]]:
        """Return the last events of what fails and has said why."""
        failing = (self._latest[name] for name in self._failing_since)
        return [event for event in failing if event.get("explained")]

    def culprit(self) -> dict[str, Any]:
        """Return the last event of what failed first, or of what is not ready for no reason."""
        if self._failing_since:
            return self._latest[min(self._failing_since, key=self._failing_since.__getitem__)]
        open_events = [e for e in self._latest.values() if e["state"] not in READY_STATES]
        return min(open_events, key=_waits, default={"name": "supervisor"})


def _waits(event: dict[str, Any]) -> bool:
    return str(event.get("problem", "")).startswith("waits for")
