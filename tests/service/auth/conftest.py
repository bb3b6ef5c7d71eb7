"""The auth service on a real PostgreSQL; the tables are empty before each test."""

from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from functools import cache

import pytest
from cryptography.hazmat.primitives import serialization

from services.auth import sessions
from services.auth import throttle as password_throttle
from services.auth.app import SERVICE
from services.auth.factors import throttle as code_throttle
from services.auth.provider import authorization as provider_authorization
from services.auth.provider import tokens as provider_tokens
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
def long_waits(monkeypatch: pytest.MonkeyPatch) -> int:
    """Let guessers wait so many times longer: none of their waits runs out while a test stalls."""
    times = 60
    for throttle in (password_throttle, code_throttle):
        delay_after = throttle.delay_after
        monkeypatch.setattr(
            throttle,
            "delay_after",
            lambda failures, delay_after=delay_after: times * delay_after(failures),
        )
    return times


@pytest.fixture
def long_grace(monkeypatch: pytest.MonkeyPatch) -> timedelta:
    """Take a replaced refresh token for so long: in ten seconds a test may stall."""
    grace = timedelta(minutes=10)
    for module in (sessions, provider_tokens, provider_authorization):
        assert timedelta(seconds=10) == module.REUSE_GRACE
        monkeypatch.setattr(module, "REUSE_GRACE", grace)
    return grace


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
