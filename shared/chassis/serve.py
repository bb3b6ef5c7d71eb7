"""Serves an ASGI application on an inherited socket, and stops without losing a request."""

import asyncio
import contextlib
import socket
from collections.abc import Awaitable, Callable

import uvicorn
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from shared.chassis.conditions import Conditions
from shared.chassis.telemetry.metrics import exposition

ACCEPT_BATCH = 64
SETTLE_SECONDS = 0.05
DRAIN_SECONDS = 2.0
FINISH_SECONDS = 25.0
MAXIMUM_WEBSOCKET_FRAME_BYTES = 64 * 1024


class WebServer:
    """Uvicorn on a listening socket that several processes share.

    It accepts connections itself instead of leaving that to the loop, because stopping must begin
    with no longer accepting while everything else goes on: then what was accepted is served, each
    further answer says `Connection: close`, and only then the connections are closed. Stopped the
    plain way, requests that were just arriving are lost.
    """

    def __init__(
        self,
        app: ASGIApp,
        listener: socket.socket,
        drain: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        """Take the application, the socket, and what else drains once nothing new arrives."""
        self._drain = drain
        self._config = uvicorn.Config(
            app,
            http="httptools",
            ws="websockets-sansio",
            ws_max_size=MAXIMUM_WEBSOCKET_FRAME_BYTES,
            ws_per_message_deflate=False,
            ws_ping_interval=20.0,
            ws_ping_timeout=20.0,
            lifespan="off",
            access_log=False,
            log_config=None,
            proxy_headers=False,
            server_header=False,
            date_header=True,
            timeout_keep_alive=75,
            timeout_graceful_shutdown=int(FINISH_SECONDS),
        )
        self._server = _Acceptor(self._config, listener)
        self._ticks: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to accept."""
        self._config.load()
        await self._server.begin()
        self._ticks = asyncio.create_task(self._server.main_loop(), name="http server")

    async def stop(self) -> None:
        """Stop accepting, answer what is there, close. Takes up to 27 seconds if work is slow."""
        ticks, self._ticks = self._ticks, None
        if ticks is None:
            return
        self._server.stop_accepting()
        # A connection accepted a moment ago may not have been read yet.
        await asyncio.sleep(SETTLE_SECONDS)
        self._config.encoded_headers.append((b"connection", b"close"))
        self._server.server_state.default_headers.append((b"connection", b"close"))
        if self._drain is not None:
            await self._drain()
        deadline = asyncio.get_running_loop().time() + DRAIN_SECONDS
        while self._server.server_state.connections:
            if asyncio.get_running_loop().time() >= deadline:
                break
            await asyncio.sleep(0.02)
        self._server.should_exit = True
        await ticks
        await self._server.finish()


class _Acceptor(uvicorn.Server):
    """Uvicorn's server with an accept loop of our own."""

    def __init__(self, config: uvicorn.Config, listener: socket.socket) -> None:
        super().__init__(config)
        self._listener = listener
        self._arrivals: set[asyncio.Task[None]] = set()
        self._resuming: asyncio.TimerHandle | None = None
        self.servers = []

    async def begin(self) -> None:
        """Serve what the listener accepts from now on."""
        self.lifespan = self.config.lifespan_class(self.config)
        await self.on_tick(0)
        self._listener.settimeout(0)
        self._resume()
        self.started = True

    def stop_accepting(self) -> None:
        """Leave the listener to the siblings that share it."""
        if self._resuming is not None:
            self._resuming.cancel()
        asyncio.get_running_loop().remove_reader(self._listener.fileno())

    def _resume(self) -> None:
        asyncio.get_running_loop().add_reader(self._listener.fileno(), self._accept)

    async def finish(self) -> None:
        """Close idle connections and wait for busy ones."""
        if self._arrivals:
            await asyncio.wait(self._arrivals)
        await self.shutdown(sockets=[self._listener])

    def _accept(self) -> None:
        for _ in range(ACCEPT_BATCH):
            try:
                connection, _ = self._listener.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError:
                # Out of file descriptors: trying at once would only burn the processor.
                self.stop_accepting()
                self._resuming = asyncio.get_running_loop().call_later(1.0, self._resume)
                return
            connection.settimeout(0)
            task = asyncio.create_task(self._serve_connection(connection))
            self._arrivals.add(task)
            task.add_done_callback(self._arrivals.discard)

    async def _serve_connection(self, connection: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        with contextlib.suppress(OSError):  # the client has left already
            await loop.connect_accepted_socket(
                lambda: self.config.http_protocol_class(  # type: ignore[call-arg] # uvicorn's own way to make one
                    config=self.config, server_state=self.server_state, app_state={}, _loop=loop
                ),
                connection,
            )


def inherited_listener() -> socket.socket:
    """Return the listening socket that systemd or the local supervisor passed as descriptor 3.

    Raises OSError if there is none.
    """
    return socket.socket(fileno=3)


class MetricsEndpoint:
    """What a process answers on its own metrics socket.

    `/metrics` in Prometheus' text format, `/conditions` as JSON; anything else means "alive".
    """

    def __init__(self, conditions: Conditions) -> None:
        """Take the conditions of this process."""
        self._conditions = conditions

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        await self._answer(scope["path"])(scope, receive, send)

    def _answer(self, path: str) -> Response:
        if path == "/metrics":
            return Response(exposition(), media_type="text/plain; version=0.0.4; charset=utf-8")
        if path == "/conditions":
            return Response(self._conditions.document(), media_type="application/json")
        return PlainTextResponse("ok\n")
