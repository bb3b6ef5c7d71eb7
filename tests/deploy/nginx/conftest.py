from collections.abc import AsyncIterator

import httpx2
import pytest

from tests.deploy.nginx.edge import Edge
from tests.parts.waiting import PATIENCE_SECONDS


@pytest.fixture(scope="session")
async def shared_edge() -> AsyncIterator[Edge]:
    edge = Edge()
    await edge.start()
    yield edge
    await edge.stop()


@pytest.fixture
def edge(shared_edge: Edge) -> Edge:
    """Give the running edge with nothing left of the tests before."""
    for service in (*shared_edge.services.values(), shared_edge.store):
        service.answer = None
        service.received.clear()
    shared_edge.revocations.revoked.clear()
    shared_edge.revocations.stale = False
    shared_edge.auth_calls.asked.clear()
    return shared_edge


@pytest.fixture
async def client(edge: Edge) -> AsyncIterator[httpx2.AsyncClient]:
    async with httpx2.AsyncClient(base_url=edge.url, timeout=PATIENCE_SECONDS) as client:
        yield client
