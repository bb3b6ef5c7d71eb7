"""A house that lets people in by a provider on loopback."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.service.auth.auth_service import AuthService
from tests.service.auth.federation.browser import Browser, administrator, connect
from tests.service.auth.federation.scripted_provider import ScriptedProvider, serving


@pytest.fixture
async def provider() -> AsyncIterator[ScriptedProvider]:
    provider = ScriptedProvider()
    async with serving(provider.application(), provider.port):
        yield provider


@pytest.fixture
async def admin(auth: AuthService) -> dict[str, Any]:
    return await administrator(auth)


@pytest.fixture
async def browser(auth: AuthService, admin: dict[str, Any], provider: ScriptedProvider) -> Browser:
    """A browser; nothing has happened yet but that the provider was set up."""
    answer = await connect(auth, admin, issuer=provider.issuer)
    assert answer.status_code == 201, answer.text
    await auth.forget_events()
    return Browser(auth)
