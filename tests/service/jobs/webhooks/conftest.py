"""Webhooks on real PostgreSQL and RabbitMQ, with a receiver on loopback."""

import json
import os
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar
from uuid import UUID, uuid4

import httpx2
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from uuid_utils.compat import uuid7

import services.jobs
from services.jobs.routes.webhooks import WebhookRoutes
from services.jobs.webhooks.consumers import WebhookNews
from services.jobs.webhooks.parts import make_endpoints, start_deliveries
from services.jobs.webhooks.settings import WebhookSettings
from shared.chassis.bus import Bus, close_quietly, declare_topology
from shared.chassis.database import Database
from shared.chassis.http import http_application
from shared.chassis.idempotency.answers import IdempotentAnswers
from shared.chassis.identity.tokens import Authenticator, TokenVerifier
from shared.chassis.jobs.commands import JobQueue
from shared.chassis.jobs.wakeups import Wakeups
from shared.chassis.lifecycle import Lifecycle
from shared.chassis.migrations import CHASSIS_MIGRATIONS, migrate
from shared.chassis.sealing import Seal
from shared.chassis.settings import BusSettings, DatabaseSettings
from shared.schemas.events.envelope import Event, EventData
from shared.schemas.roles import ADMINISTRATOR
from tests.parts.rabbitmq import RabbitNode
from tests.parts.receiver import Receiver

ISSUER = "http://127.0.0.1:8080"


class OrderPaid(EventData):
    """An event of an application."""

    event_type: ClassVar[str] = "order.paid"
    order: str = "grün"


class HouseSettings(DatabaseSettings, BusSettings, WebhookSettings):
    """What webhooks need of the service's settings."""


class Tokens:
    """Signs access tokens and knows their key."""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())

    async def key(self, _: str) -> ec.EllipticCurvePublicKey:
        return self._key.public_key()

    def sign(self, *roles: str, **claims: Any) -> str:
        now = int(time.time())
        values = {
            "iss": ISSUER,
            "aud": "freehold",
            "sub": str(uuid4()),
            "sid": str(uuid4()),
            "jti": str(uuid4()),
            "iat": now,
            "exp": now + 900,
            "roles": list(roles),
        }
        return jwt.encode(
            values | claims, self._key, algorithm="ES256", headers={"typ": "at+jwt", "kid": "k"}
        )


@dataclass
class Webhooks:
    """Webhooks with what is around them."""

    database: Database
    bus: Bus
    receiver: Receiver
    settings: dict[str, Any]
    tokens: Tokens
    client: httpx2.AsyncClient
    lifecycles: AsyncExitStack = field(default_factory=AsyncExitStack)

    async def start_worker(self, **settings: Any) -> Lifecycle:
        """Start a worker's parts; `settings` outrank the usual ones."""
        lifecycle = Lifecycle()
        self.lifecycles.push_async_callback(lifecycle.stop)
        wakeups = await lifecycle.start(Wakeups(self.bus, lifecycle))
        await start_deliveries(
            HouseSettings(**self.settings | settings),
            lifecycle,
            database=self.database,
            bus=self.bus,
            wakeups=wakeups,
        )
        return lifecycle

    async def call(
        self,
        method: str,
        path: str = "",
        *,
        status: int,
        headers: dict[str, str] | None = None,
        **body: Any,
    ) -> Any:
        """Call the API as an administrator and return the answer's JSON."""
        answer = await self.client.request(
            method,
            f"/v1/webhooks{path}",
            content=json.dumps(body) if body else None,
            headers={
                "Authorization": f"Bearer {self.tokens.sign(ADMINISTRATOR)}",
                "Content-Type": "application/json",
                **(headers or {}),
            },
        )
        assert answer.status_code == status, answer.text
        return answer.json() if answer.content else None

    async def subscribe(self, *event_types: str, url: str | None = None) -> dict[str, Any]:
        """Make an endpoint at the receiver and return it with its secret."""
        endpoint: dict[str, Any] = await self.call(
            "POST",
            status=201,
            url=url or self.receiver.url,
            event_types=list(event_types or ("*",)),
        )
        return endpoint

    async def tell(
        self, data: EventData | None = None, *, event_id: UUID | None = None, source: str = "shop"
    ) -> UUID:
        """Hand an event to webhooks as the consumer does, in a transaction of its own."""
        given = data or OrderPaid()
        event: Event[Any] = Event[type(given)](  # type: ignore[misc] # known at run time
            id=event_id or uuid7(),
            type=given.event_type,
            version=1,
            time=datetime.now(UTC),
            source=source,
            subject="order/1",
            data=given,
        )
        async with self.database.transaction() as transaction:
            await WebhookNews(JobQueue(self.bus)).on_event(transaction, event)
        return event.id

    async def deliveries(self, endpoint: dict[str, Any]) -> list[dict[str, Any]]:
        """Return an endpoint's log, newest first."""
        page = await self.call("GET", f"/{endpoint['id']}/deliveries", status=200)
        items: list[dict[str, Any]] = page["items"]
        return items

    async def states(self) -> list[tuple[str, int]]:
        """Return states and attempts of all deliveries, oldest first."""
        rows = await self.database.fetch(
            "SELECT state, attempts FROM webhook_deliveries ORDER BY id"
        )
        return [(row["state"], row["attempts"]) for row in rows]

    async def live_jobs(self) -> int:
        """Return how many jobs wait or run."""
        count: int = await self.database.fetchval(
            "SELECT count(*) FROM jobs WHERE finished_at IS NULL"
        )
        return count

    async def let_time_pass(self) -> None:
        """Make every waiting job due."""
        await self.database.execute("UPDATE jobs SET run_at = now() WHERE state = 'scheduled'")

    async def emitted(self) -> list[tuple[str, Any]]:
        """Return types and data of the events emitted."""
        rows = await self.database.fetch("SELECT body FROM outbox ORDER BY id")
        return [(row["body"]["type"], row["body"]["data"]) for row in rows]


@pytest.fixture
async def webhooks(
    new_database: Callable[[str], str], rabbitmq: RabbitNode
) -> AsyncIterator[Webhooks]:
    settings = {
        "postgres_url": new_database("jobs"),
        "amqp_url": rabbitmq.url,
        "master_key": "master key of these tests, long enough",
        "webhook_allowed_networks": "127.0.0.0/8",
    }
    parsed = HouseSettings(**settings)
    database, bus, tokens = Database(parsed, "jobs"), Bus(parsed, "jobs"), Tokens()
    await database.start()
    migrations = Path(next(iter(services.jobs.__path__))) / "migrations"
    await migrate(database, [CHASSIS_MIGRATIONS, migrations])
    connection = await bus.connect("tests")
    channel = await connection.channel()
    await declare_topology(channel, "jobs")
    await (await channel.get_queue("jobs.events")).purge()
    routes = WebhookRoutes(
        database,
        make_endpoints(parsed, database, bus),
        IdempotentAnswers(Seal(os.urandom(32))),
        Authenticator(TokenVerifier(tokens, issuer=ISSUER)),
    )
    receiver = Receiver()
    await receiver.start()
    transport = httpx2.ASGITransport(http_application(routes=routes.routes()))
    async with httpx2.AsyncClient(transport=transport, base_url="http://jobs") as client:
        house = Webhooks(database, bus, receiver, settings, tokens, client)
        yield house
        receiver.released.set()
        await house.lifecycles.aclose()
    await receiver.stop()
    await bus.stop()
    await close_quietly(connection)
    await database.stop()
