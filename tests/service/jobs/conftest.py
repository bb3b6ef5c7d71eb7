"""The jobs service, started once; every test finds it empty."""

import shutil
from collections.abc import AsyncIterator

import pytest

from tests.parts.postgres import PostgresCluster
from tests.parts.processes import new_folder
from tests.parts.rabbitmq import RabbitNode
from tests.service.jobs.jobs_house import Caller, JobsHouse, open_house


@pytest.fixture(scope="session")
async def opened(postgres: PostgresCluster, rabbitmq: RabbitNode) -> AsyncIterator[JobsHouse]:
    run_dir = new_folder("jobs")
    async with open_house(run_dir, postgres.new_database, rabbitmq) as house:
        yield house
    shutil.rmtree(run_dir, ignore_errors=True)


@pytest.fixture
async def house(opened: JobsHouse) -> JobsHouse:
    await opened.empty()
    return opened


@pytest.fixture
async def administrator(house: JobsHouse) -> AsyncIterator[Caller]:
    async with house.caller(house.administrator()) as caller:
        yield caller


@pytest.fixture
async def application(house: JobsHouse) -> AsyncIterator[Caller]:
    """An owner's application with a key for all of its queues and events."""
    async with house.caller(house.key("jobs", "events")) as caller:
        yield caller
