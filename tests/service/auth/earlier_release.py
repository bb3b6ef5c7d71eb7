"""A database as an earlier release of the auth service left it."""

from pathlib import Path

from services.auth.app import SERVICE
from shared.chassis.database import Database
from shared.chassis.migrations import CHASSIS_MIGRATIONS, migrate


async def migrate_below(database: Database, number: str, folder: Path) -> None:
    """Run the migrations below a number, from copies in `<folder>/auth/migrations`."""
    assert SERVICE.migrations is not None
    copies = folder / "auth" / "migrations"
    copies.mkdir(parents=True)
    for file in SERVICE.migrations.glob("*.sql"):
        if file.name < number:
            (copies / file.name).write_bytes(file.read_bytes())
    await migrate(database, [CHASSIS_MIGRATIONS, copies])


async def migrate_to_present(database: Database) -> None:
    """Run all that is left."""
    assert SERVICE.migrations is not None
    await migrate(database, [CHASSIS_MIGRATIONS, SERVICE.migrations])
