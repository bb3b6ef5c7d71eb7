"""The account that the stack runs as, and what that account can reach."""

import os
import pwd
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from deploy.bootstrap.errors import BootstrapError

SERVICE_USER = "freehold"
STATE_OF_ROOT = Path("/var/lib/freehold")
NOBODYS_FOLDER = "/"


@dataclass(frozen=True)
class Account:
    """A user of the machine, with the identity that a process of theirs has."""

    name: str
    uid: int
    gid: int

    @classmethod
    def named(cls, name: str) -> "Account | None":
        """Look the user up; None if the machine knows no such user."""
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            return None
        return cls(entry.pw_name, entry.pw_uid, entry.pw_gid)

    @classmethod
    def current(cls) -> "Account":
        """Return the user of this process, who may have no entry in the user database."""
        uid = os.geteuid()
        try:
            name = pwd.getpwuid(uid).pw_name
        except KeyError:
            name = str(uid)
        return cls(name, uid, os.getegid())

    def run(self, command: Sequence[str | Path]) -> "subprocess.CompletedProcess[str]":
        """Run a command as this user, with no further groups, from a folder all can enter.

        Raises PermissionError or FileNotFoundError if the user cannot execute the program.
        """
        identity = (
            {"user": self.uid, "group": self.gid, "extra_groups": []} if os.geteuid() == 0 else {}
        )
        return subprocess.run(  # type: ignore[call-overload,no-any-return]  # identity is optional
            command, cwd=NOBODYS_FOLDER, capture_output=True, text=True, check=False, **identity
        )

    def can_execute(self, program: Path, *arguments: str) -> bool:
        """Tell whether the user can run the program, by running it."""
        try:
            return self.run([program, *arguments]).returncode == 0
        except OSError:
            return False

    def can_enter(self, folder: Path) -> bool:
        """Tell whether the user can pass through an existing folder."""
        return self.run(["test", "-x", folder]).returncode == 0

    def first_unreadable(self, paths: Sequence[Path]) -> Path | None:
        """Walk the trees as this user; return the first path that cannot be read, if any.

        The walk is a real one, so access lists, mounts and parents count as the kernel counts
        them. Compiled byte code is left out: it is never needed.
        """
        for path in paths:
            walk = self.run(
                [
                    *("find", path, "-name", "__pycache__", "-prune", "-o"),
                    *("(", "!", "-readable", "-o", "-type", "d", "!", "-executable", ")"),
                    *("-print", "-quit"),
                ]
            )
            if walk.stdout:
                return Path(walk.stdout.splitlines()[0])
            if walk.returncode != 0:
                return path
        return None


def service_account() -> Account:
    """Return the account of the stack: the current user, or `freehold` if that is root.

    As root the user is made where it is missing: a system user without shell or password.
    Raises BootstrapError if it cannot be made.
    """
    if os.geteuid() != 0:
        return Account.current()
    existing = Account.named(SERVICE_USER)
    if existing is not None:
        return existing
    made = subprocess.run(
        [
            *("useradd", "--system", "--user-group", "--no-create-home"),
            *("--home-dir", STATE_OF_ROOT, "--shell", "/usr/sbin/nologin", SERVICE_USER),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    account = Account.named(SERVICE_USER)
    if account is None:
        raise BootstrapError(
            f"The system user {SERVICE_USER} could not be made: {made.stderr.strip()}\n"
            "Next: make it by hand (a system user without a shell) and run this again; nothing "
            "of the stack may run as root."
        )
    return account
