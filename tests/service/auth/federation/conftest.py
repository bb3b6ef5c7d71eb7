"""A house that lets people in by a provider on loopback."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.types import Receive, Scope, Send

from tests.parts.processes import free_port
from tests.service.auth.auth_service import AuthService, make_administrator
from tests.service.auth.federation.browser import Browser, connect
from tests.service.auth.federation.scripted_provider import ScriptedProvider, serving


@dataclass
class Stage:
    """Where one provider after the other is scripted; a server for each would cost more time."""

    port: int = field(default_factory=free_port)
    now: Starlette = field(default_factory=Starlette)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.now(scope, receive, send)


@pytest.fixture(scope="session")
async def stage() -> AsyncIterator[Stage]:
    stage = Stage()
    async with serving(stage, stage.port):
        yield stage


@pytest.fixture
def provider(stage: Stage) -> ScriptedProvider:
    provider = ScriptedProvider(port=stage.port)
    stage.now = provider.application()
    return provider


@pytest.fixture
async def admin(auth: AuthService) -> dict[str, Any]:
    return await make_administrator(auth)


@pytest.fixture
async def browser(auth: AuthService, admin: dict[str, Any], provider: ScriptedProvider) -> Browser:
    """A browser; nothing has happened yet but that the provider was set up."""
    answer = await connect(auth, admin, issuer=provider.issuer)
    assert answer.status_code == 201, answer.text
    await auth.forget_events()
    return Browser(auth)
