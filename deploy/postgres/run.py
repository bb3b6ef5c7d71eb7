"""Becomes a PostgreSQL server: `python -m deploy.postgres.run PROGRAMS DATA CONFIGURATION`."""

import os
import sys
from pathlib import Path

from deploy.postgres.cluster import remove_stale_lock


def main(programs: str, data: str, configuration: str) -> None:
    """Clear away what a crash left behind, then replace this process by the server."""
    remove_stale_lock(Path(data))
    server = str(Path(programs) / "postgres")
    os.execv(server, [server, "-D", data, "-c", f"config_file={configuration}"])  # noqa: S606 - no shell is wanted


if __name__ == "__main__":
    main(*sys.argv[1:])
