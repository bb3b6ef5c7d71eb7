"""The distribution's PostgreSQL programs, of the version that the data belongs to."""

from pathlib import Path

from deploy.local.errors import LauncherError

INSTALLED = Path("/usr/lib/postgresql")


def programs(data: Path, installed: Path = INSTALLED) -> Path:
    """Return the folder of the programs for an existing cluster, or the newest for a new one.

    Raises LauncherError if the version that the data belongs to is not installed.
    """
    versions = {
        path.parent.parent.name: path.parent
        for path in installed.glob("*/bin/postgres")
        if path.parent.parent.name.isdecimal()
    }
    recorded = data / "PG_VERSION"
    if recorded.exists():
        version = recorded.read_text(encoding="ascii").strip()
        if version in versions:
            return versions[version]
        raise LauncherError(
            f"The data in {data} belongs to PostgreSQL {version}, which is not installed.\n"
            f"Next: install the package postgresql-{version} and run this again."
        )
    if not versions:
        raise LauncherError(
            f"PostgreSQL is not installed below {installed}.\n"
            "Next: run `./freehold up`, which installs it."
        )
    return versions[max(versions, key=int)]
