"""The files service on a real PostgreSQL and SeaweedFS; both are empty before each test."""

from collections.abc import AsyncIterator
from uuid import UUID, uuid4

import httpx2
import pytest

from services.files.app import SERVICE
from services.files.object_store import ObjectStore
from services.files.settings import FilesSettings
from shared.chassis.database import Database
from shared.chassis.migrations import CHASSIS_MIGRATIONS, migrate
from tests.parts.postgres import PostgresCluster, emptying
from tests.parts.seaweedfs import S3Server
from tests.service.files.files_service import FilesService, Objects, files_settings, make_service


@pytest.fixture(scope="session")
def settings(postgres: PostgresCluster, s3: S3Server) -> FilesSettings:
    return files_settings(postgres.new_database("files"), s3)


@pytest.fixture(scope="session")
async def migrated(settings: FilesSettings) -> AsyncIterator[Database]:
    database = Database(settings, "files")
    await database.start()
    assert SERVICE.migrations is not None
    await migrate(database, [CHASSIS_MIGRATIONS, SERVICE.migrations])
    yield database
    await database.stop()


@pytest.fixture(scope="session")
def all_objects(s3: S3Server) -> Objects:
    objects = Objects(s3)
    objects.make_bucket()
    return objects


@pytest.fixture(scope="session")
async def store(settings: FilesSettings, all_objects: Objects) -> AsyncIterator[ObjectStore]:
    del all_objects  # its bucket must be there
    store = ObjectStore(settings)
    await store.start()
    yield store
    await store.stop()


@pytest.fixture
async def service(
    settings: FilesSettings, migrated: Database, store: ObjectStore, all_objects: Objects
) -> FilesService:
    await migrated.execute(emptying("outbox_cursor"))
    all_objects.clear()
    return make_service(settings, migrated, store, all_objects)


@pytest.fixture
def owner() -> UUID:
    return uuid4()


@pytest.fixture
async def client(service: FilesService, owner: UUID) -> AsyncIterator[httpx2.AsyncClient]:
    async with service.client(owner) as client:
        yield client
