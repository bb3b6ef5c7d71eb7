"""Where the state of one stack lies, and how its small files are written."""

import json
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deploy.bootstrap.account import Account
from deploy.local.errors import LauncherError

PRIVATE_FOLDER = 0o700
LONGEST_SOCKET_PATH = 107
LONGEST_SOCKET_NAME = "metrics/realtime-worker-99.sock"


@dataclass(frozen=True)
class Home:
    """The folder of all state (`FREEHOLD_HOME`); nothing is created by naming a path."""

    path: Path

    @property
    def settings(self) -> Path:
        """What the operator had set when the stack was started last."""
        return self.path / "settings.json"

    @property
    def ports(self) -> Path:
        """The ports that were found free when the stack was made."""
        return self.path / "ports.json"

    @property
    def secrets(self) -> Path:
        """Generated passwords and keys; losing it loses the data."""
        return self.path / "secrets.json"

    @property
    def running(self) -> Path:
        """Where the sockets of the last start are."""
        return self.path / "running.json"

    @property
    def plan(self) -> Path:
        """What the supervisor runs."""
        return self.path / "plan.json"

    @property
    def scale(self) -> Path:
        """How many instances the operator chose."""
        return self.path / "scale.json"

    @property
    def programs(self) -> Path:
        """Other programs that have an account at the broker."""
        return self.path / "programs.json"

    @property
    def administrator(self) -> Path:
        """Marks that the first administrator was made."""
        return self.path / "administrator.json"

    @property
    def inbox(self) -> Path:
        """The Maildir of the embedded SMTP inbox."""
        return self.path / "inbox"

    @property
    def logs(self) -> Path:
        """A log file for each part."""
        return self.path / "logs"

    @property
    def prometheus_targets(self) -> Path:
        """What Prometheus scrapes, kept up to date by the supervisor."""
        return self.part("prometheus") / "targets" / "services.json"

    def part(self, name: str) -> Path:
        """Return the folder of an infrastructure part's configuration and data."""
        return self.path / name

    def log(self, name: str) -> Path:
        """Return the log file of a part."""
        return self.logs / f"{name}.log"

    def make_folders(self) -> None:
        """Create the folders that several parts use, readable for their owner alone."""
        folders = (self.path, self.logs, self.inbox, self.prometheus_targets.parent)
        for folder in folders:
            private_folder(folder)


def private_folder(path: Path) -> Path:
    """Create a folder, with its parents, that only its owner may enter; return it."""
    path.mkdir(mode=PRIVATE_FOLDER, parents=True, exist_ok=True)
    return path


def write_file(path: Path, content: str) -> None:
    """Write a file for its owner's eyes, whole or not at all."""
    private_folder(path.parent)
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
    Path(temporary).replace(path)


def write_json(path: Path, value: Any) -> None:
    """Write a JSON file as `write_file` does."""
    write_file(path, json.dumps(value, indent=2, sort_keys=True) + "\n")


def read_json(path: Path) -> Any:
    """Read a JSON file; None if there is none. Raises LauncherError if it is damaged."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise LauncherError(
            f"{path} is damaged: {error}.\nNext: bring it back from a backup of this folder."
        ) from error


def choose_run_dir(port: int, account: Account, *, as_root: bool, session_dir: str | None) -> Path:
    """Return the folder for unix sockets: short, private, and gone after a reboot.

    Raises LauncherError if its sockets' paths would be longer than the kernel takes.
    """
    if as_root:
        path = Path(f"/run/freehold/{port}")
    elif session_dir:
        path = Path(session_dir) / f"freehold-{port}"
    else:
        path = Path(tempfile.gettempdir()) / f"freehold-{account.uid}-{port}"
    check_socket_length(path)
    return path


def check_socket_length(run_dir: Path) -> None:
    """Raise LauncherError if a socket in the folder would have too long a path."""
    longest = len(os.fsencode(run_dir / LONGEST_SOCKET_NAME))
    if longest > LONGEST_SOCKET_PATH:
        raise LauncherError(
            f"Unix sockets in {run_dir} would have paths of {longest} bytes; the kernel takes "
            f"{LONGEST_SOCKET_PATH}.\nNext: unset XDG_RUNTIME_DIR or point it to a shorter path."
        )


def require_private(path: Path, account: Account) -> None:
    """Raise LauncherError unless the folder belongs to the account and to nobody else.

    A folder in a place where everybody may write could have been put there by another user.
    """
    status = path.lstat()
    if status.st_uid != account.uid or not path.is_dir() or path.is_symlink():
        raise LauncherError(
            f"{path} does not belong to {account.name}.\n"
            "Next: remove it, or find out who made it, and run this again."
        )
    path.chmod(PRIVATE_FOLDER)
