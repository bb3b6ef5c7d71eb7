"""The auth service under a name, as passkeys need it, and somebody who has one."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from shared.chassis.database import Database
from tests.service.auth.auth_service import (
    AuthService,
    running,
    settings,
)
from tests.service.auth.software_authenticator import (
    BELOW,
    ELSEWHERE,
    EMAIL,
    PUBLIC_URL,
    SoftwareAuthenticator,
    add_passkey,
)


@pytest.fixture
async def auth(database: Database, database_url: str) -> AsyncIterator[AuthService]:
    """The service under a name, as passkeys need it."""
    chosen = settings(database_url, public_url=PUBLIC_URL, client_origins=f"{BELOW},{ELSEWHERE}")
    async with running(database, chosen) as service:
        yield service


@pytest.fixture
async def session(auth: AuthService) -> dict[str, Any]:
    """The session in which passkeys are added: it was opened by mail."""
    session = await auth.register(EMAIL)
    await auth.forget_events()
    return session


@pytest.fixture
async def passkey(auth: AuthService, session: dict[str, Any]) -> SoftwareAuthenticator:
    """The passkey of an account that has one; the outbox is empty again."""
    return await add_passkey(auth, session)
