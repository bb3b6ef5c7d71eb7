"""Fixtures that every kind of test may use: the real servers, each started once when asked for."""

import asyncio
import threading
from collections.abc import Callable, Generator, Iterator

import hypothesis
import pytest
import xdist.remote
from pydantic import SecretStr

from shared.chassis.bus import Bus, declare_topology
from shared.chassis.settings import BusSettings
from tests.parts import parallel
from tests.parts.postgres import PostgresCluster
from tests.parts.rabbitmq import RabbitNode
from tests.parts.seaweedfs import S3Server


def pytest_addoption(parser: pytest.Parser) -> None:
    """Leave the long fault runs out unless they are asked for."""
    parser.addoption("--chaos", action="store_true", help="run the long fault and soak runs too")


def pytest_configure(config: pytest.Config) -> None:
    """Prepare for being stopped, and for a machine that has other things to do."""
    parallel.stop_on_sigterm(config)
    # How long an example takes says more of what else the machine does than of the code.
    hypothesis.settings.register_profile("tests", deadline=None)
    hypothesis.settings.load_profile("tests")


def pytest_xdist_make_scheduler(
    config: pytest.Config, log: xdist.remote.Producer
) -> parallel.ByFile:
    """Hand tests out by their files."""
    return parallel.ByFile(config, log)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Let a test that is marked alone run while no other does."""
    with parallel.turn(alone=item.get_closest_marker("alone") is not None):
        return (yield)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Skip what is marked chaos without --chaos, and put last what runs alone."""
    if parallel.is_one_of_several():
        items.sort(key=lambda item: item.get_closest_marker("alone") is not None)
    if config.getoption("--chaos"):
        return
    for item in items:
        if item.get_closest_marker("chaos") is not None:
            item.add_marker(pytest.mark.skip(reason="a long run; ask for it with --chaos"))


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresCluster]:
    """Give a running PostgreSQL cluster."""
    cluster = PostgresCluster()
    cluster.start()
    yield cluster
    cluster.remove()


@pytest.fixture(scope="session")
def rabbitmq() -> Iterator[RabbitNode]:
    """Give a running RabbitMQ node."""
    node = RabbitNode()
    node.start()
    # The queue that takes every event is always there: without it no event may be published.
    thread = threading.Thread(target=asyncio.run, args=[_declare_queues_of_jobs(node)])
    thread.start()
    thread.join()
    yield node
    node.remove()


async def _declare_queues_of_jobs(node: RabbitNode) -> None:
    connection = await Bus(BusSettings(amqp_url=SecretStr(node.url)), "jobs").connect("tests")
    async with connection:
        await declare_topology(await connection.channel(), "jobs")


@pytest.fixture(scope="session")
def s3() -> Iterator[S3Server]:
    """Give a running S3 store."""
    server = S3Server()
    server.start()
    yield server
    server.remove()


@pytest.fixture
def new_database(postgres: PostgresCluster) -> Callable[[str], str]:
    """Give a maker of fresh databases: a schema's name to an address."""
    return postgres.new_database
