"""A real nginx with the generated configuration, the real decision, and services that record."""

import asyncio
import os
import signal
import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from deploy.nginx.configuration import NginxSettings, command, render
from services.gateway.api_keys import ApiKeyExchange
from services.gateway.decision_endpoint import DecisionEndpoint
from services.gateway.decisions import Door
from services.gateway.route_table import ROUTES
from services.gateway.routing import Router
from shared.chassis.http import http_application
from shared.chassis.identity.tokens import TokenVerifier
from shared.chassis.serve import WebServer
from tests.parts.processes import Server, accepts, free_port, give, new_folder
from tests.parts.waiting import PATIENCE_SECONDS
from tests.service.gateway.credentials import ISSUER, AuthCalls, Issuer, Revocations

CLIENT_ORIGIN = "https://app.example.com"


@dataclass
class Received:
    """A request as a service saw it."""

    method: str
    path: str
    query: str
    headers: Headers
    body: bytes


@dataclass
class RecordingService:
    """Records requests and answers as it is told."""

    answer: Callable[[Request], Awaitable[Response]] | None = None
    received: list[Received] = field(default_factory=list)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await self._echo(scope, receive, send)
            return
        request = Request(scope, receive)
        body = await request.body()
        self.received.append(
            Received(
                request.method,
                scope["raw_path"].decode(),
                scope["query_string"].decode(),
                request.headers,
                body,
            )
        )
        response = JSONResponse({"ok": True})
        if self.answer is not None:
            await (await self.answer(request))(scope, receive, send)
        else:
            await response(scope, receive, send)

    async def _echo(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope)
        self.received.append(
            Received("GET", scope["path"], scope["query_string"].decode(), headers, b"")
        )
        await receive()
        await send({"type": "websocket.accept"})
        while (message := await receive())["type"] == "websocket.receive":
            await send({"type": "websocket.send", "text": message["text"]})


class Edge:
    """nginx, the gateway's decision, recording services and a recording object store."""

    def __init__(self, *, limits: bool = False, s3_endpoint: str | None = None) -> None:
        self.folder = new_folder("nginx")
        self.run_dir = self.folder / "run"
        self.port = free_port()
        self.metrics_port = free_port()
        self.store_port = free_port()
        self.issuer = Issuer()
        self.revocations = Revocations()
        self.auth_calls = AuthCalls()
        names = ("auth", "files", "mail", "realtime", "jobs")
        self.services = {name: RecordingService() for name in names}
        self.store = RecordingService()
        self.settings = NginxSettings(
            port=self.port,
            metrics_port=self.metrics_port,
            public_url=ISSUER,
            run_dir=self.run_dir,
            temp_dir=self.folder / "temp",
            access_log=self.folder / "access.log",
            error_log=self.folder / "error.log",
            s3_endpoint=s3_endpoint or f"http://127.0.0.1:{self.store_port}",
            workers=1,
            worker_connections=256,
            limits=limits,
            client_origins=(CLIENT_ORIGIN,),
        )
        configuration = self.folder / "nginx.conf"
        for path in (self.run_dir, self.run_dir / "metrics", self.folder / "temp"):
            path.mkdir()
            give(path)
        configuration.write_text(render(self.settings))
        self._nginx = Server(
            command(configuration, self.settings),
            folder=self.folder,
            environment={"PATH": f"{os.environ['PATH']}:/usr/sbin"},
        )
        self._servers: dict[str, WebServer] = {}

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def token(self, **claims: object) -> dict[str, str]:
        """Return the header of a fresh session's access token."""
        return {"Authorization": f"Bearer {self.issuer.token(**claims)}"}  # type: ignore[arg-type] # passed on

    async def start(self) -> None:
        for name, service in self.services.items():
            await self.serve(name, service)
        await self.serve("gateway", self.gateway())
        await self.serve_store()
        self._nginx.start(lambda: accepts(self.port))

    def gateway(self) -> ASGIApp:
        """Return the gateway with the decision it really makes."""
        door = Door(
            Router(ROUTES),
            TokenVerifier(self.issuer, issuer=ISSUER),
            self.revocations,  # type: ignore[arg-type] # the two members that are used
            ApiKeyExchange(self.auth_calls),
        )
        return DecisionEndpoint(door, http_application(routes=[]))

    async def serve(self, name: str, application: ASGIApp) -> None:
        """Serve an application on a service's socket."""
        server = WebServer(application, unix_listener(self.run_dir / f"{name}.sock"))
        await server.start()
        self._servers[name] = server

    async def serve_store(self) -> None:
        """Serve the recording object store on its port."""
        store = WebServer(self.store, _tcp_listener(self.store_port))
        await store.start()
        self._servers["store"] = store

    async def kill(self, name: str) -> None:
        """Take a service away, and its socket with it."""
        await self._servers.pop(name).stop()
        (self.run_dir / f"{name}.sock").unlink(missing_ok=True)

    async def stop(self) -> None:
        self._nginx.stop(signal.SIGTERM)
        for server in self._servers.values():
            await server.stop()
        self._nginx.remove()

    async def raw(self, request: bytes) -> bytes:
        """Send bytes as they are and return the answer, head and body."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(request)
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                await writer.drain()
                head = await reader.readuntil(b"\r\n\r\n")
                if head.startswith(b"HTTP/1.1 100 "):
                    head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
                return head + await reader.readexactly(length)
        finally:
            writer.close()


def unix_listener(path: Path) -> socket.socket:
    """Return a listening socket that nginx's user can open."""
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(str(path))
    give(path)
    listener.listen(128)
    return listener


def _tcp_listener(port: int) -> socket.socket:
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", port))
    listener.listen(128)
    return listener
