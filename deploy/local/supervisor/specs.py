"""The plan that the launcher writes and the supervisor runs, as checked data.

The plan is one JSON file: `Plan.save(path)` writes it with mode 0600 because environments hold
secrets, `Plan.load(path)` reads and checks it. Nothing in it changes while the supervisor runs;
the number of instances that an operator chose lives in `Plan.state_path`.
"""

import dataclasses
import json
import os
import signal
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any, Literal, Self, get_args

Kind = Literal["service", "worker", "infrastructure"]
ReadyKind = Literal["notify", "command", "tcp", "unix", "http"]

INSTANCE_PLACEHOLDER = "{instance}"
LONGEST_SOCKET_PATH = 107
MOST_INSTANCES = 64


class PlanError(ValueError):
    """The plan cannot be run; the message lists every fault, one a line."""


@dataclass(frozen=True, kw_only=True)
class Ready:
    """How an instance shows that it serves.

    - ``notify``: it sends ``READY=1`` to ``NOTIFY_SOCKET``.
    - ``command``: `command` exits 0 (run in the part's environment and working directory).
    - ``tcp``: `address` is ``host:port`` and accepts a connection.
    - ``unix``: `address` is the path of a stream socket that accepts a connection.
    - ``http``: `address` is an ``http://host:port/path`` that answers with a status below 400.

    An instance that is not ready after `timeout_seconds` is killed and started again.
    """

    kind: ReadyKind
    timeout_seconds: float = 60.0
    command: list[str] = field(default_factory=list)
    address: str = ""


@dataclass(frozen=True, kw_only=True)
class PartSpec:
    """One part of the stack and how its instances are run.

    ``{instance}`` in `command`, in the values of `environment` and in `metrics_socket` is replaced
    by the number of the instance. Numbers start at 1; a rolling restart uses one number more than
    there are instances, so they are unique among living instances but not always contiguous.

    Attributes:
        environment: the whole environment of the process. The supervisor adds ``NOTIFY_SOCKET``
            and, where `listen` is given, ``LISTEN_FDS=1``; it passes on nothing of its own.
        listen: unix socket that the supervisor binds (mode 0600) and every instance inherits as
            file descriptor 3.
        after: names of parts and one-shots that must be ready before this part starts.
        stop_signal: what asks an instance to drain and leave; SIGKILL follows after
            `stop_timeout_seconds`.
        orphan_signal: what the kernel sends to an instance when the supervisor dies. By default
            SIGKILL for services and workers, `stop_signal` for infrastructure.
        memory_limit_bytes: an instance above it is replaced (infrastructure: restarted).
        log_path: file for the output of all instances, one JSON object a line.
        address: what `status` shows.
    """

    name: str
    kind: Kind
    command: list[str]
    environment: dict[str, str]
    working_directory: Path
    ready: Ready
    log_path: Path
    instances: int = 1
    listen: Path | None = None
    stop_signal: int = signal.SIGTERM
    stop_timeout_seconds: float = 10.0
    orphan_signal: int | None = None
    after: list[str] = field(default_factory=list)
    memory_limit_bytes: int | None = None
    metrics_socket: str | None = None
    address: str | None = None

    @property
    def death_signal(self) -> int:
        """The signal that the kernel sends to an instance when its supervisor dies."""
        if self.orphan_signal is not None:
            return self.orphan_signal
        return self.stop_signal if self.kind == "infrastructure" else signal.SIGKILL

    @property
    def service(self) -> str:
        """The service that a service or worker part belongs to."""
        return self.name.removesuffix("-worker")

    @property
    def role(self) -> str:
        """Return "worker" for workers and "web" for everything else."""
        return "worker" if self.kind == "worker" else "web"

    def command_for(self, instance: int) -> list[str]:
        """Return the command line of one instance."""
        return [_numbered(word, instance) for word in self.command]

    def environment_for(self, instance: int) -> dict[str, str]:
        """Return the environment of one instance, before the supervisor's own additions."""
        return {name: _numbered(value, instance) for name, value in self.environment.items()}

    def identity_for(self, instance: int) -> dict[str, object]:
        """Return the keys that say in a log line where it comes from."""
        if self.kind == "infrastructure":
            return {"service": self.name}
        return {"service": self.service, "role": self.role, "instance": instance}

    def metrics_socket_for(self, instance: int) -> Path | None:
        """Return the metrics socket of one instance, or None if the part has none."""
        if self.metrics_socket is None:
            return None
        return Path(_numbered(self.metrics_socket, instance))


@dataclass(frozen=True, kw_only=True)
class OneShot:
    """A command that runs at every start and must exit 0 before what names it in `after` starts.

    It has to be idempotent: it also runs again when the supervisor itself was restarted. A failure
    or a run longer than `timeout_seconds` is tried again with back-off, without end.
    """

    name: str
    command: list[str]
    environment: dict[str, str]
    working_directory: Path
    log_path: Path
    after: list[str] = field(default_factory=list)
    timeout_seconds: float = 120.0


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Everything that one supervisor runs.

    Attributes:
        run_dir: for sockets, the lock and the process record; private, may vanish at a reboot.
        control_socket: where `control.Client` connects.
        state_path: JSON file that remembers how many instances the operator chose.
        targets_path: Prometheus ``file_sd`` file; None if nothing scrapes.
        metrics_address: ``host:port`` under which the front door maps
            ``/metrics/<part>/<instance>`` to the metrics sockets.
        log_path: the supervisor's own log, JSON lines.
    """

    parts: list[PartSpec]
    one_shots: list[OneShot]
    run_dir: Path
    control_socket: Path
    state_path: Path
    log_path: Path
    targets_path: Path | None = None
    metrics_address: str | None = None

    def save(self, path: Path) -> None:
        """Write the plan as JSON, atomically and readable by its owner alone."""
        temporary = path.with_name(f".{path.name}.{os.getpid()}")
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            json.dump(dataclasses.asdict(self), stream, indent=1, default=str)
        temporary.replace(path)

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read and check a plan; raises PlanError."""
        try:
            document = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise PlanError(f"The plan {path} cannot be read: {error}") from error
        try:
            plan = cls(**_plan_fields(document))
        except (AttributeError, KeyError, TypeError) as error:
            raise PlanError(f"The plan {path} has not the expected shape: {error}") from error
        plan.check()
        return plan

    def check(self) -> None:
        """Raise PlanError if the plan cannot be run."""
        faults = [*self._name_faults(), *(fault for p in self.parts for fault in _part_faults(p))]
        if faults:
            raise PlanError("\n".join(faults))

    def dependencies(self) -> dict[str, set[str]]:
        """Return what each part and one-shot waits for, by name."""
        return {item.name: set(item.after) for item in self._items()}

    def _items(self) -> list[OneShot | PartSpec]:
        return [*self.one_shots, *self.parts]

    def _name_faults(self) -> list[str]:
        names = [item.name for item in self._items()]
        faults = [f"The name {name!r} is used twice." for name in names if names.count(name) > 1]
        dependencies = self.dependencies()
        faults += [
            f"{name} comes after {missing!r}, which is not in the plan."
            for name, after in dependencies.items()
            for missing in sorted(after - dependencies.keys())
        ]
        try:
            TopologicalSorter(dependencies).prepare()
        except CycleError as error:
            faults.append(f"These wait for each other: {' -> '.join(error.args[1])}.")
        return faults


def _numbered(text: str, instance: int) -> str:
    return text.replace(INSTANCE_PLACEHOLDER, str(instance))


def _part_faults(part: PartSpec) -> list[str]:
    faults = []
    if part.kind not in get_args(Kind):
        faults.append(f"{part.name}: the kind {part.kind!r} is not one of {get_args(Kind)}.")
    if part.ready.kind not in get_args(ReadyKind):
        faults.append(f"{part.name}: ready by {part.ready.kind!r} is not known.")
    if not part.command:
        faults.append(f"{part.name}: the command is empty.")
    if not 1 <= part.instances <= MOST_INSTANCES:
        faults.append(f"{part.name}: instances must be 1 to {MOST_INSTANCES}.")
    if part.kind == "infrastructure" and part.instances != 1:
        faults.append(f"{part.name}: infrastructure runs as one instance.")
    if part.listen is not None and len(os.fsencode(part.listen)) > LONGEST_SOCKET_PATH:
        faults.append(
            f"{part.name}: the socket path {part.listen} is longer than {LONGEST_SOCKET_PATH}"
            " bytes; use a shorter run directory."
        )
    return faults


def _plan_fields(document: dict[str, Any]) -> dict[str, Any]:
    paths = ("run_dir", "control_socket", "state_path", "log_path", "targets_path")
    return {
        **_with_paths(document, paths),
        "parts": [_part_from(part) for part in document["parts"]],
        "one_shots": [
            OneShot(**_with_paths(one_shot, ("working_directory", "log_path")))
            for one_shot in document["one_shots"]
        ],
    }


def _part_from(document: dict[str, Any]) -> PartSpec:
    values = _with_paths(document, ("working_directory", "log_path", "listen"))
    return PartSpec(**{**values, "ready": Ready(**document["ready"])})


def _with_paths(document: dict[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    paths = {name: Path(document[name]) for name in names if document.get(name) is not None}
    return {**document, **paths}
