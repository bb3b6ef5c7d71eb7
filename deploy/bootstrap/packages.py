"""The distribution's packages that the stack needs: which are missing, and who may install them."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from deploy.bootstrap.errors import BootstrapError
from deploy.bootstrap.progress import step

INSTALLER_MODULE = "deploy.bootstrap.debian"


def has_program(name: str) -> bool:
    """Tell whether a program is installed, in a system folder that users have not on their PATH."""
    return shutil.which(name, path=f"{os.defpath}:/usr/sbin:/sbin:/usr/local/bin") is not None


def has_file(pattern: str) -> bool:
    """Tell whether a file of the given pattern below `/usr/lib` exists."""
    return any(Path("/usr/lib").glob(pattern))


def has_venv() -> bool:
    """Tell whether the system's Python can make virtual environments (Debian splits that off)."""
    system_python = Path("/usr/bin/python3")
    interpreter = system_python if system_python.exists() else Path(sys.executable)
    probe = subprocess.run(
        [interpreter, "-c", "import ensurepip, venv"], capture_output=True, check=False
    )
    return probe.returncode == 0


@dataclass(frozen=True)
class Requirement:
    """A package, how its presence shows, and the setting that makes it superfluous."""

    package: str
    is_present: Callable[[], bool]
    replaced_by: str | None = None


PYTHON = Requirement("python3-venv", has_venv)
STACK = (
    Requirement(
        "postgresql", lambda: has_file("postgresql/*/bin/postgres"), "FREEHOLD_POSTGRES_URL"
    ),
    Requirement(
        "rabbitmq-server",
        lambda: has_file("rabbitmq/lib/rabbitmq_server-*/sbin/rabbitmq-server"),
        "FREEHOLD_AMQP_URL",
    ),
    Requirement("nginx", lambda: has_program("nginx")),
    Requirement("prometheus", lambda: has_program("prometheus")),
)
TESTS = (Requirement("chromium", lambda: has_program("chromium")),)
"""What the tests need besides."""


def missing_packages(
    requirements: Sequence[Requirement], environment: Mapping[str, str]
) -> list[str]:
    """Return the packages that are not there and that no external server replaces."""
    return [
        requirement.package
        for requirement in requirements
        if not (requirement.replaced_by and environment.get(requirement.replaced_by))
        and not requirement.is_present()
    ]


def ensure_packages(
    requirements: Sequence[Requirement], environment: Mapping[str, str], checkout: Path
) -> None:
    """Install what is missing, as root or by sudo without a password.

    Raises BootstrapError, naming the one command to run, if this user may not install packages.
    """
    missing = missing_packages(requirements, environment)
    if not missing:
        return
    if not has_program("apt-get"):
        raise BootstrapError(
            f"These are missing and this system has no apt-get: {', '.join(missing)}.\n"
            "Next: install them with the system's package tool and run this again."
        )
    installer = ["/usr/bin/python3", "-m", INSTALLER_MODULE, *missing]
    if os.geteuid() != 0:
        if not _sudo_without_password():
            raise BootstrapError(permission_missing(missing, checkout))
        installer = ["sudo", "-n", *installer]
    with step(f"packages {' '.join(missing)} installed"):
        run = subprocess.run(installer, cwd=checkout, capture_output=True, text=True, check=False)
        if run.returncode != 0:
            last_lines = "\n".join((run.stdout + run.stderr).strip().splitlines()[-15:])
            raise BootstrapError(
                f"The packages {' '.join(missing)} could not be installed:\n{last_lines}\n"
                "Next: repair what the lines above name (network, package sources, disk space) "
                "and run this again."
            )


def permission_missing(missing: Sequence[str], checkout: Path) -> str:
    """Return the message for a user who may not install packages, with the command to run once."""
    command = f"cd {checkout} && sudo python3 -m {INSTALLER_MODULE} {' '.join(missing)}"
    return (
        f"These packages are missing: {', '.join(missing)}. You are not root and sudo asks for a "
        "password.\nNext: run this once, then `./freehold up` again:\n\n"
        f"    {command}\n\n"
        f"(It is `apt-get install --no-install-recommends {' '.join(missing)}`, with the "
        "packages' own services kept from starting.)"
    )


def _sudo_without_password() -> bool:
    if not has_program("sudo"):
        return False
    return subprocess.run(["sudo", "-n", "true"], capture_output=True, check=False).returncode == 0
