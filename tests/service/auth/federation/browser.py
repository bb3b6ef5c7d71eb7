"""A browser that logs in with another provider, and the administrator who lets it."""

from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx2

from tests.service.auth.auth_service import AuthService, bearer
from tests.service.auth.federation.scripted_provider import (
    CLIENT_ID,
    CLIENT_SECRET,
    ScriptedProvider,
)

RETURN_TO = "/welcome?x=1"


async def connect(auth: AuthService, admin: dict[str, Any], **body: Any) -> httpx2.Response:
    """Set up a connection to a provider."""
    given = {
        "id": "other",
        "name": "Other House",
        "client_id": CLIENT_ID,
        "client_secret": CLIENT_SECRET,
        **body,
    }
    return await auth.client.post("/v1/auth/connections", json=given, headers=bearer(admin))


class Browser:
    """Keeps cookies by itself, and follows nothing."""

    def __init__(self, auth: AuthService, connection: str = "other") -> None:
        self.auth = auth
        self.base = f"/v1/auth/oidc/{connection}"
        self.cookies: dict[str, str] = {}

    async def get(self, path: str, **more: Any) -> httpx2.Response:
        return await self.send("GET", path, **more)

    async def send(self, method: str, path: str, **more: Any) -> httpx2.Response:
        headers = dict(more.pop("headers", {}))
        if self.cookies:
            headers["Cookie"] = "; ".join(f"{name}={text}" for name, text in self.cookies.items())
        self.auth.client.cookies.clear()
        answer = await self.auth.client.request(method, path, headers=headers, **more)
        for line in answer.headers.get_list("set-cookie"):
            name, _, text = line.partition(";")[0].partition("=")
            self.cookies[name] = text
        self.auth.client.cookies.clear()
        return answer

    async def start(self, return_to: str = RETURN_TO) -> str:
        """Begin, and return the provider's address."""
        answer = await self.get(f"{self.base}/start", params={"return_to": return_to})
        assert answer.status_code == 303, answer.text
        location: str = answer.headers["location"]
        return location

    async def come_back(self, brought: dict[str, str], **headers: str) -> httpx2.Response:
        return await self.get(f"{self.base}/callback", params=brought, headers=headers)

    async def log_in(self, provider: ScriptedProvider, **changes: str | None) -> httpx2.Response:
        """Go the whole way there and back."""
        return await self.come_back(provider.log_in(await self.start(), **changes))

    async def session(self) -> dict[str, Any]:
        """Return the session that the refresh cookie opens."""
        answer = await self.send("POST", "/v1/auth/refresh", json={})
        assert answer.status_code == 200, answer.text
        session: dict[str, Any] = answer.json()
        return session


def fragment(answer: httpx2.Response) -> dict[str, str]:
    """Return what stands behind the `#` of a redirect."""
    return dict(parse_qsl(urlsplit(answer.headers["location"]).fragment))
