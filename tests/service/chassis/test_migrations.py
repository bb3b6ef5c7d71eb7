"""Migrations are applied once, whole, in order, by whichever process comes first."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import asyncpg
import pytest

from shared.chassis.database import Database
from shared.chassis.migrations import CHASSIS_MIGRATIONS, MigrationError, migrate
from shared.chassis.settings import DatabaseSettings

CREATE = "CREATE TABLE things (name text);"
FILL = "INSERT INTO things VALUES ('one');"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "example" / "migrations"
    folder.mkdir(parents=True)
    (folder / "0001_things.sql").write_text(CREATE)
    (folder / "0002_fill.sql").write_text(FILL)
    return folder


@pytest.fixture
async def database(new_database: Callable[[str], str]) -> AsyncIterator[Database]:
    database = Database(DatabaseSettings(postgres_url=new_database("example")), "example")
    await database.start()
    yield database
    await database.stop()


async def tables(database: Database) -> list[str]:
    rows = await database.fetch(
        "SELECT tablename FROM pg_tables WHERE schemaname = 'example' ORDER BY tablename"
    )
    return [row["tablename"] for row in rows]


async def things(database: Database) -> int:
    count: int = await database.fetchval("SELECT count(*) FROM things")
    return count


async def test_all_is_applied_in_order_and_a_second_time_nothing(
    database: Database, folder: Path
) -> None:
    applied = await migrate(database, [CHASSIS_MIGRATIONS, folder])
    assert applied[0] == "chassis/0001_messaging.sql"
    assert applied[-2:] == ["example/0001_things.sql", "example/0002_fill.sql"]
    assert {"outbox", "inbox", "jobs", "things", "schema_migrations"} <= set(await tables(database))
    assert await migrate(database, [CHASSIS_MIGRATIONS, folder]) == []
    assert await things(database) == 1


async def test_what_is_added_later_is_applied_alone(database: Database, folder: Path) -> None:
    await migrate(database, [folder])
    (folder / "0003_more.sql").write_text(FILL)
    assert await migrate(database, [folder]) == ["example/0003_more.sql"]
    assert await things(database) == 2


async def test_post_migrations_wait_until_they_are_asked_for(
    database: Database, folder: Path
) -> None:
    (folder / "0003_drop.post.sql").write_text("DROP TABLE things;")
    await migrate(database, [folder])
    assert "things" in await tables(database)
    assert await migrate(database, [folder], post=True) == ["example/0003_drop.post.sql"]
    assert "things" not in await tables(database)
    assert await migrate(database, [folder]) == []
    assert await migrate(database, [folder], post=True) == []


async def test_processes_that_migrate_at_once_apply_it_once(
    new_database: Callable[[str], str], folder: Path
) -> None:
    url = new_database("example")
    databases = [Database(DatabaseSettings(postgres_url=url), "example") for _ in range(5)]
    await asyncio.gather(*(database.start() for database in databases))
    applied = await asyncio.gather(
        *(migrate(database, [CHASSIS_MIGRATIONS, folder]) for database in databases)
    )
    assert len([names for names in applied if names]) == 1
    assert await things(databases[0]) == 1
    await asyncio.gather(*(database.stop() for database in databases))


async def test_a_file_changed_after_it_was_applied_is_refused_and_nothing_else_is_applied(
    database: Database, folder: Path
) -> None:
    await migrate(database, [folder])
    (folder / "0000_earlier.sql").write_text("CREATE TABLE earlier (name text);")
    (folder / "0002_fill.sql").write_text(FILL + FILL)
    with pytest.raises(
        MigrationError, match=r"example/0002_fill\.sql was changed .* new migration"
    ):
        await migrate(database, [folder])
    assert await tables(database) == ["schema_migrations", "things"]
    assert await things(database) == 1

    (folder / "0002_fill.sql").write_text(FILL)
    assert await migrate(database, [folder]) == ["example/0000_earlier.sql"]


async def test_one_that_fails_leaves_nothing_of_the_others(
    database: Database, folder: Path
) -> None:
    (folder / "0003_wrong.sql").write_text("CREATE TABLE half (name text); SELECT nothing;")
    with pytest.raises(asyncpg.UndefinedColumnError):
        await migrate(database, [folder])
    assert await tables(database) == []

    (folder / "0003_wrong.sql").unlink()
    assert await migrate(database, [folder]) == [
        "example/0001_things.sql",
        "example/0002_fill.sql",
    ]


async def test_schemas_are_migrated_apart(new_database: Callable[[str], str], folder: Path) -> None:
    first = Database(DatabaseSettings(postgres_url=new_database("example")), "example")
    await first.start()
    await migrate(first, [folder])
    await first.execute("CREATE SCHEMA other")
    second = Database(DatabaseSettings(postgres_url=first._url), "other")
    await second.start()
    assert len(await migrate(second, [folder])) == 2
    assert await things(second) == 1
    await first.stop()
    await second.stop()


async def test_a_migration_that_would_stand_in_everybodys_way_gives_up(
    database: Database, folder: Path
) -> None:
    await migrate(database, [folder])
    (folder / "0003_shorten.sql").write_text("SET LOCAL lock_timeout = '50ms'; DROP TABLE things;")
    async with database.transaction() as transaction:
        await transaction.execute("LOCK TABLE things IN ACCESS SHARE MODE")
        with pytest.raises(asyncpg.LockNotAvailableError):
            await migrate(database, [folder])
    assert await things(database) == 1
