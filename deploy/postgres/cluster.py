"""Makes the data directory of the embedded PostgreSQL, once."""

import shutil
import subprocess
import tempfile
from pathlib import Path

from deploy.local.errors import LauncherError


def make_cluster(programs: Path, data: Path, owner: str, password: str) -> None:
    """Create a cluster with checksums at `data` if there is none.

    It is made beside and then moved, so an interrupted creation leaves nothing that looks whole.
    Raises LauncherError with initdb's own words.
    """
    if (data / "PG_VERSION").exists():
        return
    fresh = data.with_name(data.name + ".fresh")
    shutil.rmtree(fresh, ignore_errors=True)
    with tempfile.NamedTemporaryFile("w", encoding="ascii") as password_file:
        password_file.write(password)
        password_file.flush()
        made = subprocess.run(
            [
                programs / "initdb",
                *("--pgdata", fresh, "--data-checksums"),
                *("--encoding", "UTF8", "--locale", "C.UTF-8"),
                *("--auth", "scram-sha-256", "--username", owner),
                *("--pwfile", password_file.name),
            ],
            capture_output=True,
            text=True,
            check=False,
        )
    if made.returncode != 0:
        raise LauncherError(
            f"initdb could not make the database cluster: {made.stderr.strip()}\n"
            "Next: repair what it names and run this again."
        )
    fresh.rename(data)


def remove_stale_lock(data: Path) -> None:
    """Remove `postmaster.pid` if its process is gone or is another program.

    After a crash another process may have got the same pid, and PostgreSQL would refuse to start
    as long as that one lives. Its own lock on shared memory still guards against two servers.
    """
    lock = data / "postmaster.pid"
    try:
        pid = int(lock.read_text(encoding="ascii").split("\n", 1)[0])
    except (FileNotFoundError, ValueError):
        return
    try:
        program = Path(f"/proc/{pid}/comm").read_text(encoding="ascii").strip()
        folder = Path(f"/proc/{pid}/cwd").resolve()
    except OSError:
        program, folder = "", Path()
    if program != "postgres" or folder != data.resolve():
        lock.unlink(missing_ok=True)
