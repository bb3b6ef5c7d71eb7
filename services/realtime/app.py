"""The parts of the realtime service, in the order they start."""

from pathlib import Path

from starlette.types import ASGIApp

from services.realtime.consumers import FileNews
from services.realtime.erasure import Erasure
from services.realtime.history import History
from services.realtime.hub import Hub
from services.realtime.publishing import Publisher
from services.realtime.routes.publish import PublishRoutes
from services.realtime.routes.socket import SocketEndpoint
from services.realtime.session import SessionParts
from services.realtime.settings import RealtimeSettings
from services.realtime.stream import StreamReader
from services.realtime.topology import declare_topology
from shared.chassis.administration_routes import JobRoutes
from shared.chassis.bus import Bus
from shared.chassis.consumers import EventConsumer
from shared.chassis.database import Database
from shared.chassis.dead_letter_routes import DeadLetterRoutes
from shared.chassis.http import http_application
from shared.chassis.identity.keys import JwksClient
from shared.chassis.identity.revocations import RevocationList
from shared.chassis.identity.service_calls import ServiceClient
from shared.chassis.identity.tokens import Authenticator, TokenVerifier
from shared.chassis.lifecycle import Lifecycle
from shared.chassis.outbox import Outbox
from shared.chassis.process import Service
from shared.chassis.relay import Relay
from shared.schemas.events.auth import UserDeleted
from shared.schemas.events.files import FileReady, FileRejected

NAME = "realtime"


async def web(settings: RealtimeSettings, lifecycle: Lifecycle) -> ASGIApp:
    """Start a web process: the sockets."""
    database = await lifecycle.start(Database(settings, NAME))
    bus = await lifecycle.start(Bus(settings, NAME, lifecycle.conditions))
    auth = await lifecycle.start(ServiceClient(settings, source=NAME, target="auth"))
    keys = await lifecycle.start(JwksClient(auth, lifecycle))
    revocations = await lifecycle.start(RevocationList(auth, lifecycle))
    history = History(
        seconds=settings.realtime_history_seconds,
        messages=settings.realtime_history_messages,
        size=settings.realtime_history_bytes,
    )
    hub = Hub(history)
    revocations.on_revoked(hub.end_session)
    lifecycle.on_drain(lambda: hub.drain(settings.realtime_drain_seconds))
    await lifecycle.start(
        StreamReader(
            bus,
            database,
            lifecycle,
            history=history,
            hub=hub,
            history_seconds=settings.realtime_history_seconds,
        )
    )
    verifier = TokenVerifier(keys, issuer=settings.public_url)
    publisher = Publisher(database, Outbox(NAME))
    sockets = SocketEndpoint(SessionParts(hub, verifier, revocations, publisher, settings))
    publishing = PublishRoutes(publisher, Authenticator(verifier))
    return http_application(
        routes=[
            *sockets.routes(),
            *publishing.routes(),
            *JobRoutes(settings, database, service=NAME).routes(),
            *DeadLetterRoutes(settings, database, service=NAME).routes(),
        ]
    )


async def worker(settings: RealtimeSettings, lifecycle: Lifecycle) -> None:
    """Start a worker process: the outbox's relay, and events on their way to the sockets."""
    database = await lifecycle.start(Database(settings, NAME))
    bus = await lifecycle.start(Bus(settings, NAME, lifecycle.conditions))
    news = FileNews(Outbox(NAME))
    await lifecycle.start(Relay(database, bus, lifecycle))
    await lifecycle.start(
        EventConsumer(
            bus,
            database,
            lifecycle,
            queue="realtime.events",
            handlers={
                FileReady: news.on_file_ready,
                FileRejected: news.on_file_rejected,
                UserDeleted: Erasure(Outbox(NAME)).on_user_deleted,
            },
        )
    )


SERVICE = Service(
    name=NAME,
    settings=RealtimeSettings,
    web=web,
    worker=worker,
    migrations=Path(__file__).with_name("migrations"),
    topology=declare_topology,
)
