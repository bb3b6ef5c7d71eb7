"""A real PostgreSQL cluster for tests."""

import shutil
import signal
import subprocess
from pathlib import Path

from tests.parts.processes import Server, new_folder, unprivileged

BINARIES = max(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))


def emptying(*kept: str) -> str:
    """Return a statement that deletes the rows of all tables of the own schema but the kept ones.

    TRUNCATE would make every table's files anew: 60 ms for the forty tables of auth, and this
    takes one. Neither foreign keys nor triggers that keep rows are heard meanwhile.
    """
    kept_ones = ", ".join(f"'{table}'" for table in ("schema_migrations", *kept))
    return f"""
    DO $$ DECLARE emptied name; BEGIN
      SET LOCAL session_replication_role = replica;
      FOR emptied IN SELECT relname FROM pg_class
        WHERE relnamespace = current_schema()::regnamespace AND relkind = 'r'
        AND relname NOT IN ({kept_ones})
      LOOP EXECUTE format('DELETE FROM %I', emptied); END LOOP;
    END $$"""


class PostgresCluster:
    """One cluster, reached by a unix socket only; each test gets its own database in it."""

    def __init__(self, *, fsync: bool = False) -> None:
        self.folder = new_folder("pg")
        self.server = Server(
            [
                str(BINARIES / "postgres"),
                *("-D", str(self.folder / "data"), "-k", str(self.folder)),
                *(
                    "-c",
                    "listen_addresses=",
                    "-c",
                    f"fsync={'on' if fsync else 'off'}",
                    "-c",
                    "max_connections=200",
                ),
            ],
            folder=self.folder,
        )
        self._databases = 0

    def start(self) -> None:
        """Make the cluster on the first start, and run it."""
        if not (self.folder / "data").exists():
            self._run(
                "initdb",
                "-D",
                str(self.folder / "data"),
                "-U",
                "postgres",
                "-A",
                "trust",
                "-E",
                "UTF8",
                "--locale=C.UTF-8",
                "--no-sync",
            )
        self.server.start(self._is_ready)

    def stop(self) -> None:
        """Stop at once, as a fast shutdown does; data stay."""
        self.server.stop(signal.SIGINT)

    def remove(self) -> None:
        """Stop, and delete everything."""
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def new_database(self, schema: str) -> str:
        """Make a database with one schema, and return its address."""
        self._databases += 1
        name = f"test{self._databases}"
        self._run("createdb", "-h", str(self.folder), "-U", "postgres", name)
        self._run(
            "psql",
            "-q",
            "-h",
            str(self.folder),
            "-U",
            "postgres",
            "-d",
            name,
            "-c",
            f"CREATE SCHEMA {schema}",
        )
        return f"postgresql://postgres@/{name}?host={self.folder}"

    def _is_ready(self) -> bool:
        command = [str(BINARIES / "pg_isready"), "-q", "-h", str(self.folder)]
        return subprocess.run(command, check=False).returncode == 0

    def _run(self, program: str, *arguments: str) -> None:
        subprocess.run(
            [str(BINARIES / program), *arguments],
            check=True,
            cwd=self.folder,
            stdout=subprocess.DEVNULL,
            user=unprivileged(),
        )
