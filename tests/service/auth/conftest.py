"""The auth service on a real PostgreSQL; the tables are empty before each test."""

from collections.abc import AsyncIterator, Iterator
from functools import cache

import pytest
from cryptography.hazmat.primitives import serialization

from services.auth.app import SERVICE
from shared.chassis.database import Database
from shared.chassis.migrations import CHASSIS_MIGRATIONS, migrate
from shared.chassis.settings import DatabaseSettings
from tests.parts.postgres import PostgresCluster
from tests.service.auth.auth_service import (
    AuthService,
    empty,
    make_administrator,
    running,
    settings,
)
from tests.service.auth.oauth_application import EMAIL, Application


@pytest.fixture(scope="session", autouse=True)
def keys_read_once() -> Iterator[None]:
    """Check the primes of an RSA key when it is first read: 80 ms, and each test starts auth."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            serialization, "load_der_private_key", cache(serialization.load_der_private_key)
        )
        yield


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
    await empty(migrated)
    return migrated


@pytest.fixture
async def auth(database: Database, database_url: str) -> AsyncIterator[AuthService]:
    async with running(database, settings(database_url)) as service:
        yield service


@pytest.fixture
async def application(auth: AuthService) -> Application:
    admin = await make_administrator(auth)
    await auth.register(EMAIL)
    application = await Application(auth, admin).register()
    await application.log_in()
    return application
