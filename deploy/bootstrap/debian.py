"""Installs packages without letting their services start; run as root.

    python3 -m deploy.bootstrap.debian PACKAGE…

The stack runs its own instances of these servers on ports of its own. So the system's instances
must neither start now, nor at the next boot, nor create a database nobody asked for. What was
installed and running before stays as it is.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

POLICY = Path("/usr/sbin/policy-rc.d")
NO_SERVICE_MAY_START = "#!/bin/sh\n# Freehold installs packages just now.\nexit 101\n"
CLUSTER_SETTING = Path("/etc/postgresql-common/createcluster.d/freehold.conf")
NO_CLUSTER = "# Freehold installs packages just now.\ncreate_main_cluster = false\n"
UNITS = Path("/usr/lib/systemd/system")
UNITS_OF_PACKAGES = (
    "epmd.service",
    "epmd.socket",
    "nginx.service",
    "postgresql.service",
    "prometheus-node-exporter.service",
    "prometheus.service",
    "rabbitmq-server.service",
)
APT = ("apt-get", "-y", "-o", "DPkg::Lock::Timeout=120")


def install(packages: Sequence[str]) -> int:
    """Install the packages with apt-get and return its exit status. Not safe to run in parallel.

    The files that keep services from starting are put back exactly, also after a failure.
    """
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    known_before = {unit for unit in UNITS_OF_PACKAGES if (UNITS / unit).exists()}
    with ExitStack() as restored:
        restored.enter_context(_temporary_file(POLICY, NO_SERVICE_MAY_START, mode=0o755))
        restored.enter_context(_temporary_file(CLUSTER_SETTING, NO_CLUSTER, mode=0o644))
        # A failing update is no end: the lists that are there may do.
        subprocess.run([*APT, "update"], env=environment, check=False)
        installed = subprocess.run(
            [*APT, "install", "--no-install-recommends", *packages], env=environment, check=False
        )
    _keep_from_boot([unit for unit in UNITS_OF_PACKAGES if unit not in known_before])
    return installed.returncode


@contextmanager
def _temporary_file(path: Path, content: str, *, mode: int) -> Iterator[None]:
    """Put a file in place for a while; what was there before is moved aside and put back."""
    aside = path.with_name(path.name + ".before-freehold")
    made_folder = _make_folder(path.parent)
    # Ours is one that an interrupted run left behind; anything else is the operator's.
    if path.exists() and path.read_bytes() != content.encode():
        path.rename(aside)
    path.write_text(content, encoding="ascii")
    path.chmod(mode)
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
        if aside.exists():
            aside.rename(path)
        if made_folder is not None:
            _remove_if_empty(made_folder)


def _make_folder(folder: Path) -> Path | None:
    if folder.is_dir():
        return None
    folder.mkdir(parents=True)
    return folder


def _remove_if_empty(folder: Path) -> None:
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()


def _keep_from_boot(units: Sequence[str]) -> None:
    present = [unit for unit in units if (UNITS / unit).exists()]
    if present and shutil.which("systemctl"):
        subprocess.run(["systemctl", "--quiet", "disable", *present], check=False)


if __name__ == "__main__":
    if os.geteuid() != 0:
        sys.exit("Packages are installed by root. Next: run this with sudo.")
    sys.exit(install(sys.argv[1:]))
