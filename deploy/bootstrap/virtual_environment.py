"""The virtual environment: exactly the locked packages, installed once."""

import fcntl
import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from deploy.bootstrap.account import Account
from deploy.bootstrap.errors import BootstrapError
from deploy.bootstrap.progress import step

SYSTEM_PYTHON = Path("/usr/bin/python3")
BUILD_LOCK = "build.lock"
# Nothing is ever built from source but the one package that ships no wheel.
WHEELS_ONLY = ("--only-binary", ":all:")
BUILT_HERE = ("--no-build-isolation", "--no-binary", "pyvips")
LINES_SHOWN = 15


def ensure_virtual_environment(code_root: Path, lock: str, account: Account) -> Path:
    """Make `.venv` hold what `requirements/<lock>` names; return its interpreter.

    The second time it only compares a hash. An interrupted installation leaves no marker and is
    repeated; two at once wait for each other. Raises BootstrapError if it cannot be made.
    """
    folder = code_root / ".venv"
    interpreter = folder / "bin" / "python"
    marker = folder / f".installed-{lock}"
    wanted = lock_hash(code_root, lock)
    if _content(marker) == wanted and account.can_execute(interpreter, "-c", ""):
        return interpreter
    with _exclusive(code_root):
        if _content(marker) == wanted and account.can_execute(interpreter, "-c", ""):
            return interpreter
        marker.unlink(missing_ok=True)
        if not account.can_execute(interpreter, "-c", "import pip"):
            _create(folder, base_interpreter(account))
        with step(f"packages of requirements/{lock} installed into {folder}"):
            requirements = code_root / "requirements"
            _install(interpreter, [*WHEELS_ONLY, "-r", str(requirements / BUILD_LOCK)])
            _install(interpreter, [*WHEELS_ONLY, *BUILT_HERE, "-r", str(requirements / lock)])
        marker.write_text(wanted, encoding="ascii")
    return interpreter


def lock_hash(code_root: Path, lock: str) -> str:
    """Return the hash of everything that decides what is installed."""
    digest = hashlib.sha256()
    for name in (BUILD_LOCK, lock):
        digest.update((code_root / "requirements" / name).read_bytes())
    return digest.hexdigest()


def base_interpreter(account: Account) -> Path:
    """Return a Python that the account can execute, this one or else the system's.

    Raises BootstrapError if there is none that is new enough.
    """
    is_new_enough = "import ensurepip, ssl, sys, venv; sys.exit(sys.version_info < (3, 11))"
    own = Path(sys._base_executable)  # type: ignore[attr-defined]  # noqa: SLF001 - the only way to see past a virtual environment
    for candidate in (own.resolve(), SYSTEM_PYTHON):
        if account.can_execute(candidate, "-c", is_new_enough):
            return candidate
    raise BootstrapError(
        f"The user {account.name} can execute no Python 3.11 or newer that makes virtual "
        f"environments ({own} and {SYSTEM_PYTHON} were tried).\n"
        "Next: install the system packages python3 and python3-venv and run this again."
    )


def _create(folder: Path, python: Path) -> None:
    with step(f"virtual environment made with {python}"):
        made = subprocess.run(
            [python, "-m", "venv", "--clear", folder], capture_output=True, text=True, check=False
        )
        if made.returncode != 0:
            raise BootstrapError(
                f"{folder} could not be made: {(made.stdout + made.stderr).strip()}\n"
                "Next: make sure that the package python3-venv is installed and the disk is not "
                "full, and run this again."
            )


def _install(interpreter: Path, arguments: Sequence[str]) -> None:
    command: list[str | Path] = [
        interpreter,
        "-m",
        "pip",
        "install",
        "--no-input",
        "--disable-pip-version-check",
    ]
    run = subprocess.run(
        [*command, "--require-hashes", *arguments], capture_output=True, text=True, check=False
    )
    if run.returncode != 0:
        last_lines = "\n".join((run.stdout + run.stderr).strip().splitlines()[-LINES_SHOWN:])
        raise BootstrapError(
            f"pip could not install the locked packages:\n{last_lines}\n"
            "Next: check the network and pip's own configuration, then run this again; what was "
            "installed already is kept."
        )


@contextmanager
def _exclusive(code_root: Path) -> Iterator[None]:
    """Let one installation run at a time; the lock is on the folder and leaves no file."""
    if not os.access(code_root, os.W_OK):
        raise BootstrapError(
            f"Packages have to be installed, and {code_root} is not yours to write.\n"
            "Next: run this as its owner, or from a checkout of your own."
        )
    descriptor = os.open(code_root, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _content(path: Path) -> str | None:
    try:
        return path.read_text(encoding="ascii")
    except OSError:
        return None
