"""Webhooks, for administrators: `/v1/webhooks`."""

from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from services.jobs.access import require_administrator
from services.jobs.webhooks import store
from services.jobs.webhooks.endpoints import Endpoints
from shared.chassis.database import Database, Transaction
from shared.chassis.http import json_response, read_json
from shared.chassis.idempotency.answers import IdempotentAnswers, request_key
from shared.chassis.identity.tokens import Authenticator, Identity
from shared.chassis.paging import page_query
from shared.schemas.api.pages import Page
from shared.schemas.api.webhooks import Webhook, WebhookCreate, WebhookDelivery, WebhookUpdate

_NO_STORE = {"Cache-Control": "no-store"}
_ONE = "/v1/webhooks/{webhook_id:uuid}"


class WebhookRoutes:
    """Endpoints, their secrets, and the log of what was sent to them."""

    def __init__(
        self,
        database: Database,
        endpoints: Endpoints,
        answers: IdempotentAnswers,
        authenticator: Authenticator,
    ) -> None:
        self._database = database
        self._endpoints = endpoints
        self._answers = answers
        self._authenticator = authenticator

    def routes(self) -> list[Route]:
        """Return the routes of this resource."""
        return [
            Route("/v1/webhooks", self.create, methods=["POST"]),
            Route("/v1/webhooks", self.list, methods=["GET"]),
            Route(_ONE, self.read, methods=["GET"]),
            Route(_ONE, self.update, methods=["PATCH"]),
            Route(_ONE, self.delete, methods=["DELETE"]),
            Route(f"{_ONE}/secret/rotate", self.rotate_secret, methods=["POST"]),
            Route(f"{_ONE}/test", self.test, methods=["POST"]),
            Route(f"{_ONE}/deliveries", self.list_deliveries, methods=["GET"]),
            Route(
                f"{_ONE}/deliveries/{{delivery_id:uuid}}/retry",
                self.retry_delivery,
                methods=["POST"],
            ),
        ]

    async def create(self, request: Request) -> Response:
        """Add an endpoint; its secret is in this answer and nowhere else."""
        identity = await self._require_administrator(request)
        body = await read_json(request, WebhookCreate)
        async with self._database.transaction() as transaction:
            return await self._answers.once(
                transaction,
                request_key(request, identity, body),
                lambda: self._create(transaction, body),
            )

    async def _create(self, transaction: Transaction, body: WebhookCreate) -> Response:
        endpoint = await self._endpoints.create(transaction, body)
        return json_response(endpoint, 201, headers=_NO_STORE)

    async def list(self, request: Request) -> Response:
        """List the endpoints, newest first."""
        await self._require_administrator(request)
        query = page_query(request)
        endpoints, cursor = query.cut(
            await store.list_endpoints(
                self._database, before=query.before, limit=query.rows_to_read
            )
        )
        return json_response(Page[Webhook](items=list(endpoints), next=cursor))

    async def read(self, request: Request) -> Response:
        """Answer with one endpoint."""
        await self._require_administrator(request)
        return json_response(await self._endpoints.read(_id(request)))

    async def update(self, request: Request) -> Response:
        """Change what the body names and leave the rest."""
        await self._require_administrator(request)
        change = await read_json(request, WebhookUpdate)
        return json_response(await self._endpoints.update(_id(request), change))

    async def delete(self, request: Request) -> Response:
        """Send nothing more to an endpoint."""
        await self._require_administrator(request)
        await self._endpoints.delete(_id(request))
        return Response(status_code=204)

    async def rotate_secret(self, request: Request) -> Response:
        """Make a new secret; it is in this answer and nowhere else."""
        await self._require_administrator(request)
        endpoint = await self._endpoints.rotate_secret(_id(request))
        return json_response(endpoint, headers=_NO_STORE)

    async def test(self, request: Request) -> Response:
        """Send a test message and answer 202 with its delivery."""
        await self._require_administrator(request)
        return json_response(await self._endpoints.test(_id(request)), 202)

    async def list_deliveries(self, request: Request) -> Response:
        """List what was sent to an endpoint, newest first."""
        await self._require_administrator(request)
        webhook = await self._endpoints.read(_id(request))
        query = page_query(request)
        deliveries, cursor = query.cut(
            await store.list_deliveries(
                self._database, webhook.id, before=query.before, limit=query.rows_to_read
            )
        )
        return json_response(Page[WebhookDelivery](items=list(deliveries), next=cursor))

    async def retry_delivery(self, request: Request) -> Response:
        """Send a delivery again now and answer 202 with it."""
        await self._require_administrator(request)
        delivery_id: UUID = request.path_params["delivery_id"]
        return json_response(await self._endpoints.retry(_id(request), delivery_id), 202)

    async def _require_administrator(self, request: Request) -> Identity:
        identity = await self._authenticator.identify(request)
        require_administrator(identity)
        return identity


def _id(request: Request) -> UUID:
    webhook_id: UUID = request.path_params["webhook_id"]
    return webhook_id
