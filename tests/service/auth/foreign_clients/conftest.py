"""The provider on a port of its own, as applications with foreign libraries reach it."""

from collections.abc import AsyncIterator

import pytest

from shared.chassis.database import Database
from tests.service.auth.auth_service import make_administrator
from tests.service.auth.federation.houses import house
from tests.service.auth.oauth_application import EMAIL, Application


@pytest.fixture
async def served(database: Database, database_url: str) -> AsyncIterator[Application]:
    """An application of a provider on the network, with a browser whose user is signed in."""
    async with house("127.0.0.1", database, database_url) as auth:
        application = Application(auth, await make_administrator(auth))
        await auth.register(EMAIL)
        await application.register()
        await application.log_in()
        await auth.forget_events()
        yield application
