"""Fixtures that every kind of test may use: the real servers, each started once when asked for."""

from collections.abc import Callable, Iterator

import pytest

from tests.parts.postgres import PostgresCluster
from tests.parts.rabbitmq import RabbitNode
from tests.parts.seaweedfs import S3Server


def pytest_addoption(parser: pytest.Parser) -> None:
    """Leave the long fault runs out unless they are asked for."""
    parser.addoption("--chaos", action="store_true", help="run the long fault and soak runs too")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Skip what is marked chaos without --chaos."""
    if config.getoption("--chaos"):
        return
    for item in items:
        if "chaos" in item.keywords:
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
    yield node
    node.remove()


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
