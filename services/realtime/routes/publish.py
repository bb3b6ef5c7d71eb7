"""Publishing over HTTP."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from services.realtime.publishing import Publisher
from shared.chassis.http import json_response, read_json
from shared.chassis.identity.tokens import Authenticator
from shared.schemas.api.realtime import PublishAccepted, PublishRequest

LARGEST_MESSAGE_BYTES = 64 * 1024


class PublishRoutes:
    """Takes a message for everybody on a channel."""

    def __init__(self, publisher: Publisher, authenticator: Authenticator) -> None:
        self._publisher = publisher
        self._authenticator = authenticator

    def routes(self) -> list[Route]:
        """Return the routes of this resource."""
        return [Route("/v1/realtime/publish", self.publish, methods=["POST"])]

    async def publish(self, request: Request) -> Response:
        """Store the message and answer 202 with its id."""
        identity = await self._authenticator.identify(request)
        body = await read_json(request, PublishRequest, limit=LARGEST_MESSAGE_BYTES)
        message_id = await self._publisher.publish(
            identity, channel=body.channel, event=body.event, data=body.data
        )
        return json_response(PublishAccepted(id=message_id), 202)
