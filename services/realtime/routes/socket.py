"""The WebSocket: `GET /v1/realtime` with an upgrade."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.types import Receive, Scope, Send

from services.realtime.connection import Connection
from services.realtime.session import Session, SessionParts
from shared.chassis.errors import Problem
from shared.schemas.problems import ProblemCode

PATH = "/v1/realtime"


class SocketEndpoint:
    """Accepts sockets. Whoever connects proves who they are by the first frame.

    No cookie is looked at, so a foreign web page that opens a socket gets nowhere.
    """

    def __init__(self, parts: SessionParts) -> None:
        self._parts = parts

    def routes(self) -> list[BaseRoute]:
        """Return the routes of this resource."""
        return [
            WebSocketRoute(PATH, self),
            Route(PATH, self.ask_for_upgrade, methods=["GET"]),
        ]

    async def __call__(self, _: Scope, receive: Receive, send: Send) -> None:
        """Serve one socket from its opening to its end."""
        await receive()
        await send({"type": "websocket.accept"})
        connection = Connection(queue_bytes=self._parts.settings.realtime_queue_bytes)
        session = Session(connection, self._parts)
        self._parts.hub.join(connection)
        try:
            await connection.serve(receive, send, session.handle)
        finally:
            session.end()
            self._parts.hub.leave(connection, session.session_id)

    async def ask_for_upgrade(self, _: Request) -> Response:
        """Answer a plain GET."""
        raise Problem(
            ProblemCode.UPGRADE_REQUIRED, headers={"Upgrade": "websocket", "Connection": "Upgrade"}
        )
