"""The client of a running supervisor: one JSON object a line over its control socket."""

import json
import socket
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

DEFAULT_TIMEOUT_SECONDS = 10.0
LONG_TIMEOUT_SECONDS = 600.0


class ControlError(RuntimeError):
    """The supervisor refused or could not do what was asked; the message says why."""


class NotRunning(ControlError):  # noqa: N818 - the state of the stack, which callers ask for
    """No supervisor answers on the socket."""


class Client:
    """Speaks to the supervisor of one stack. Each call makes a connection of its own.

    Every method raises NotRunning if nothing answers (also when the supervisor dies while it is
    asked) and ControlError if the answer is an error.
    """

    def __init__(self, socket_path: Path) -> None:
        self._path = socket_path

    def status(self) -> dict[str, Any]:
        """Return ``{"healthy": bool, "parts": [...]}``."""
        result: dict[str, Any] = self._ask({"command": "status"}, DEFAULT_TIMEOUT_SECONDS)
        return result

    def scale(self, instances: Mapping[str, int]) -> None:
        """Set the number of instances by part; returns when new ones are ready and old ones gone.

        Nothing is changed if one of the names or numbers is wrong.
        """
        self._ask({"command": "scale", "instances": dict(instances)}, LONG_TIMEOUT_SECONDS)

    def restart(self, name: str | None = None) -> None:
        """Replace the instances of one part, or of all services and workers, one at a time."""
        self._ask({"command": "restart", "name": name}, LONG_TIMEOUT_SECONDS)

    def stop(self) -> None:
        """Stop everything in order; returns when the supervisor itself is about to exit."""
        self._ask({"command": "stop"}, LONG_TIMEOUT_SECONDS)

    def events(self, timeout_seconds: float | None = None) -> Iterator[dict[str, Any]]:
        """Yield the state of each part and one-shot, then every change, until the supervisor ends.

        An event is ``{"name", "kind", "state", "problem"?, "next_step"?}``; the kind of a one-shot
        is ``one-shot``, its last state ``done``, and one that failed and said why itself is
        ``explained``. ``{"healthy": bool}`` comes after the first
        states and whenever that changes. Raises TimeoutError after a silence of `timeout_seconds`.
        """
        with self._connect(timeout_seconds) as connection, connection.makefile("rwb") as stream:
            _send(stream, {"command": "events"})
            for line in stream:
                yield json.loads(line)

    def _ask(self, request: dict[str, Any], timeout_seconds: float) -> Any:
        with self._connect(timeout_seconds) as connection, connection.makefile("rwb") as stream:
            try:
                _send(stream, request)
                line = stream.readline()
            except TimeoutError:
                raise ControlError(
                    f"The supervisor did not answer within {timeout_seconds:g} s. "
                    "Its own log says what it is doing: `./freehold logs supervisor`."
                ) from None
            except OSError as error:
                raise self._not_running() from error
        if not line:
            raise self._not_running()
        answer = json.loads(line)
        if "error" in answer:
            raise ControlError(answer["error"])
        return answer.get("result")

    def _connect(self, timeout_seconds: float | None) -> socket.socket:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.settimeout(timeout_seconds)
        try:
            connection.connect(str(self._path))
        except OSError as error:
            connection.close()
            if isinstance(error, PermissionError):
                raise ControlError(
                    f"The control socket {self._path} belongs to another user. "
                    "Run this command as the user that ran `up`."
                ) from error
            raise self._not_running() from error
        return connection

    def _not_running(self) -> NotRunning:
        return NotRunning("The stack is not running. Start it with `./freehold up`.")


def _send(stream: Any, document: dict[str, Any]) -> None:
    stream.write(json.dumps(document).encode() + b"\n")
    stream.flush()
