"""Applies the SQL migrations of the chassis and of a service to the service's schema.

Files are named `NNNN_what.sql`. Those are `pre` migrations: they run before new code starts and
keep the old code working. `NNNN_what.post.sql` runs when no old code is left.
"""

import hashlib
import logging
from pathlib import Path

from shared.chassis.database import SQL, Database, Transaction

logger = logging.getLogger(__name__)

CHASSIS_MIGRATIONS = Path(__file__).with_name("migrations")


class MigrationError(Exception):
    """The schema and the files do not fit together; the message says what to do."""


async def migrate(database: Database, folders: list[Path], *, post: bool = False) -> list[str]:
    """Apply what is missing, all in one transaction, and return the names applied.

    Safe to run from several processes at once: the second waits, then finds nothing to do. Raises
    MigrationError when a file that was applied has changed since.
    """
    files = _files(folders, post=post)
    async with database.transaction() as transaction:
        await transaction.fetchval(SQL["lock_migrations"])
        await transaction.execute(SQL["limit_migration_locks"])
        await transaction.execute(SQL["create_migrations_table"])
        rows = await transaction.fetch(SQL["applied_migrations"])
        applied = {row["name"]: row["checksum"] for row in rows}
        names: list[str] = []
        for name, text in files:
            if await _apply(transaction, text, name, applied.get(name)):
                names.append(name)
    for name in names:
        logger.info("migration applied", extra={"action": "migrated", "migration": name})
    return names


def _files(folders: list[Path], *, post: bool) -> list[tuple[str, str]]:
    return [
        (f"{folder.parent.name}/{path.name}", path.read_text(encoding="utf-8"))
        for folder in folders
        for path in sorted(folder.glob("*.sql"))
        if post or not path.name.endswith(".post.sql")
    ]


async def _apply(
    transaction: Transaction, text: str, name: str, applied_checksum: str | None
) -> bool:
    checksum = hashlib.sha256(text.encode()).hexdigest()
    if applied_checksum == checksum:
        return False
    if applied_checksum is not None:
        raise MigrationError(
            f"migration {name} was changed after it had been applied; "
            "restore the file and write the change as a new migration"
        )
    await transaction.execute(text)
    await transaction.execute(SQL["record_migration"], name, checksum)
    return True
