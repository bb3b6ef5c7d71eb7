"""The auth service on a real PostgreSQL; the tables are empty before each test."""

from collections.abc import AsyncIterator

import pytest

from services.auth.app import SERVICE
from shared.chassis.database import Database
from shared.chassis.migrations import CHASSIS_MIGRATIONS, migrate
from shared.chassis.settings import DatabaseSettings
from tests.parts.postgres import PostgresCluster
from tests.service.auth.auth_service import TABLES, AuthService, running, settings
from tests.service.auth.oauth_application import ADMIN, EMAIL, Application


@pytest.fixture(scope="session")
def database_url(postgres: PostgresCluster) -> str:
    return postgres.new_database("auth")


@pytest.fixture(scope="session")
async def migrated(database_url: str) -> AsyncIterator[Database]:
    database = Database(DatabaseSettings(postgres_url=database_url), "auth")
    await database.start()
    assert SERVICE.migrations is not None
    await migrate(database, [CHASSIS_MIGRATIONS, SERVICE.migrations])
    yield database
    await database.stop()


@pytest.fixture
async def database(migrated: Database) -> Database:
    others = (
        "magic_link_counts, stranger_failures, account_deletions, audit_log, connections,"
        " organisations, service_accounts, outbox"
    )
    await migrated.execute(f"TRUNCATE {', '.join(TABLES)}, {others} CASCADE")
    await migrated.execute("DELETE FROM roles WHERE NOT is_built_in")
    return migrated


@pytest.fixture
async def auth(database: Database, database_url: str) -> AsyncIterator[AuthService]:
    async with running(database, settings(database_url)) as service:
        yield service


@pytest.fixture
async def application(auth: AuthService) -> AsyncIterator[Application]:
    await auth.register(ADMIN)
    await auth.database.execute(
        "UPDATE users SET roles = '{administrator}' WHERE email = $1", ADMIN
    )
    admin = (await auth.log_in(ADMIN)).json()
    await auth.register(EMAIL)
    application = await Application(auth, admin).register()
    await application.log_in()
    yield application
    await auth.database.execute("DELETE FROM oauth_clients")
