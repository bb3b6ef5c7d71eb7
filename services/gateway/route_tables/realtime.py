"""Messages to whoever listens: what the realtime service offers."""

from typing import Final

from services.gateway.route import Access, Route
from shared.schemas.api import realtime
from shared.schemas.scopes import REALTIME

REALTIME_ROUTES: Final = (
    Route(
        method="GET",
        path="/v1/realtime",
        service="realtime",
        # The token is the first frame: browsers cannot set headers on a WebSocket.
        access=Access.PUBLIC,
        summary="Open a WebSocket; the first frame is `auth` with an access token",
        status=101,
        websocket=True,
    ),
    Route(
        method="POST",
        path="/v1/realtime/publish",
        service="realtime",
        access=Access.USER,
        summary="Send a message to everybody on a channel",
        scope=REALTIME,
        status=202,
        request=realtime.PublishRequest,
        answer=realtime.PublishAccepted,
    ),
)
