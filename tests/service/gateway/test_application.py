"""The gateway as a whole: put together as in production, with auth's internal API beside it."""

import asyncio
import base64
import hashlib
import re
import shutil
from collections.abc import AsyncIterator

import httpx2
import jwt
import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from services.gateway.app import SERVICE
from services.gateway.decision_path import DECISION_PATH
from services.gateway.route_table import ROUTES, SERVICES
from services.gateway.settings import GatewaySettings
from shared.chassis.http import http_application
from shared.chassis.identity.service_calls import require_service
from shared.chassis.lifecycle import Lifecycle
from shared.chassis.serve import WebServer
from shared.schemas.problems import ProblemCode
from tests.deploy.nginx.edge import unix_listener
from tests.parts.processes import new_folder
from tests.parts.waiting import PATIENCE_SECONDS
from tests.service.gateway.credentials import ISSUER, KEY_ID, Issuer

KEY = "fh_" + "k" * 43


class InternalAuth:
    """Auth's internal routes, as the gateway calls them."""

    def __init__(self, settings: GatewaySettings) -> None:
        self._settings = settings
        self.issuer = Issuer()
        self.revoked: list[dict[str, str]] = []

    def routes(self) -> list[Route]:
        return [
            Route("/internal/jwks", self.keys),
            Route("/internal/revocations", self.revocations),
            Route("/internal/api-keys/exchange", self.exchange, methods=["POST"]),
        ]

    async def keys(self, request: Request) -> Response:
        require_service(request, self._settings, target="auth", allowed={"gateway"})
        key = await self.issuer.key(KEY_ID)
        entry = jwt.algorithms.ECAlgorithm.to_jwk(key, as_dict=True)  # type: ignore[arg-type] # never None here
        return JSONResponse({"keys": [entry | {"kid": KEY_ID}]})

    async def revocations(self, request: Request) -> Response:
        require_service(request, self._settings, target="auth", allowed={"gateway"})
        return JSONResponse({"items": self.revoked, "cursor": "1"})

    async def exchange(self, request: Request) -> Response:
        require_service(request, self._settings, target="auth", allowed={"gateway"})
        assert await request.json() == {"key": KEY, "address": "203.0.113.7"}
        token = self.issuer.token(scope="files:read", life_seconds=60)
        return JSONResponse({"access_token": token, "expires_in": 60})


class Stack:
    """A gateway and its auth."""

    def __init__(self) -> None:
        self.run_dir = new_folder("gw")
        self.settings = GatewaySettings(
            run_dir=self.run_dir, public_url=ISSUER, internal_key="k" * 32
        )
        self.auth = InternalAuth(self.settings)
        self.lifecycle = Lifecycle()

    async def serve(self, service: str, routes: list[Route]) -> None:
        listener = unix_listener(self.run_dir / f"{service}.sock")
        await self.lifecycle.start(WebServer(http_application(routes=routes), listener))


@pytest.fixture
async def stack() -> AsyncIterator[Stack]:
    stack = Stack()
    await stack.serve("auth", stack.auth.routes())
    yield stack
    await stack.lifecycle.stop()
    shutil.rmtree(stack.run_dir)


@pytest.fixture
async def client(stack: Stack) -> AsyncIterator[httpx2.AsyncClient]:
    application = await SERVICE.web(stack.settings, stack.lifecycle)
    transport = httpx2.ASGITransport(application)  # type: ignore[arg-type] # Starlette's type is narrower
    async with httpx2.AsyncClient(transport=transport, base_url="http://gateway") as client:
        yield client


async def ask(client: httpx2.AsyncClient, target: str, **headers: str) -> httpx2.Response:
    method, _, path = target.partition(" ")
    return await client.get(
        DECISION_PATH,
        headers={"X-Original-Method": method, "X-Original-URI": path, **headers},
    )


async def test_token_of_auth_is_good_until_auth_revokes_it(
    stack: Stack, client: httpx2.AsyncClient
) -> None:
    token = stack.auth.issuer.token()
    bearer = f"Bearer {token}"
    assert (await ask(client, "GET /v1/files", Authorization=bearer)).status_code == 204
    session_id = jwt.decode(token, options={"verify_signature": False})["sid"]
    stack.auth.revoked.append({"session_id": session_id, "expires_at": "2099-01-01T00:00:00Z"})
    async with asyncio.timeout(PATIENCE_SECONDS):
        while (await ask(client, "GET /v1/files", Authorization=bearer)).status_code != 401:
            await asyncio.sleep(0.05)


async def test_api_key_becomes_a_token(client: httpx2.AsyncClient) -> None:
    answer = await ask(client, "GET /v1/files", **{"X-Api-Key": KEY, "X-Real-IP": "203.0.113.7"})
    assert (answer.status_code, answer.content) == (204, b"")
    assert answer.headers["x-freehold-authorization"].startswith("Bearer ey")


async def test_readiness_names_who_is_missing(stack: Stack, client: httpx2.AsyncClient) -> None:
    assert (await client.get("/healthz")).json() == {"status": "ok"}
    response = await client.get("/readyz")
    assert (response.status_code, response.json()["code"]) == (503, "dependency_unavailable")
    assert response.json()["detail"].startswith("Not ready: files, jobs, mail, realtime.")
    assert response.headers["retry-after"] == "5"
    for service in ("files", "jobs", "mail", "realtime"):
        await stack.serve(service, [])
    async with asyncio.timeout(PATIENCE_SECONDS):
        while (await client.get("/readyz")).status_code != 200:
            await asyncio.sleep(0.1)
    assert (await client.get("/readyz")).json() == {
        "status": "ready",
        "services": ["auth", "files", "jobs", "mail", "realtime"],
    }
    assert set(SERVICES) == {"auth", "files", "mail", "realtime", "jobs", "gateway"}


async def test_openapi_document_tells_every_route(client: httpx2.AsyncClient) -> None:
    document = (await client.get("/openapi.json")).json()
    told = {
        (method.upper(), path)
        for path, operations in document["paths"].items()
        for method in operations
    }
    assert told == {(route.method, route.path) for route in ROUTES if route.documented}
    operation = document["paths"]["/v1/files/{file_id}"]["get"]
    assert operation["security"] == [{"session": []}, {"api_key": []}]
    assert [parameter["name"] for parameter in operation["parameters"]] == ["file_id"]
    names = [
        operation["operationId"]
        for operations in document["paths"].values()
        for operation in operations.values()
    ]
    assert len(names) == len(set(names))
    # Every reference leads to a schema that is there.
    text = (await client.get("/openapi.json")).text
    assert set(re.findall(r'"#/components/schemas/([^"]+)"', text)) <= set(
        document["components"]["schemas"]
    )


async def test_docs_tell_every_route_and_problem_without_scripts(
    client: httpx2.AsyncClient,
) -> None:
    response = await client.get("/docs")
    assert response.headers["content-type"].startswith("text/html")
    for route in ROUTES:
        assert (f"{route.method} {route.path}<" in response.text) is route.documented
    for code in ProblemCode:
        assert f'id="problem-{code.value}"' in response.text
    links = set(re.findall(r'href="#([^"]+)"', response.text))
    assert links <= set(re.findall(r'id="([^"]+)"', response.text))
    assert "<script" not in response.text
    assert "://" not in re.sub(re.escape(ISSUER), "", response.text)
    [style] = re.findall(r"<style>(.*?)</style>", response.text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"style-src 'sha256-{digest}'" in response.headers["content-security-policy"]
