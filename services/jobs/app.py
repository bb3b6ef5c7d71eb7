"""The parts of the jobs service, in the order they start."""

from pathlib import Path

from starlette.types import ASGIApp

from services.jobs.claiming import JobDoors
from services.jobs.erasure import Erasure
from services.jobs.event_types import EventTypes
from services.jobs.house import HOUSE_SERVICES, House
from services.jobs.house_dead_letters import HouseDeadLetters
from services.jobs.house_jobs import HouseJobs
from services.jobs.house_queues import HouseQueues
from services.jobs.house_schedules import HouseSchedules
from services.jobs.routes.dead_letters import DeadLetterRoutes
from services.jobs.routes.events import EventRoutes
from services.jobs.routes.jobs import JobRoutes
from services.jobs.routes.queues import QueueRoutes
from services.jobs.routes.schedules import ScheduleRoutes
from services.jobs.routes.webhooks import WebhookRoutes
from services.jobs.routes.work import WorkRoutes
from services.jobs.settings import JobsSettings
from services.jobs.webhooks.consumers import WebhookNews
from services.jobs.webhooks.parts import make_endpoints, start_deliveries
from services.jobs.working import Working
from shared.chassis import dead_letter_routes
from shared.chassis.bus import Bus
from shared.chassis.consumers import EventConsumer
from shared.chassis.database import Database
from shared.chassis.http import http_application
from shared.chassis.idempotency.answers import IdempotentAnswers
from shared.chassis.idempotency.pruning import AnswerPruning
from shared.chassis.identity.keys import JwksClient
from shared.chassis.identity.service_calls import ServiceClient
from shared.chassis.identity.tokens import Authenticator, TokenVerifier
from shared.chassis.jobs.commands import JobQueue
from shared.chassis.jobs.keeper import QueueKeeper
from shared.chassis.jobs.schedules.scheduler import JobScheduler
from shared.chassis.jobs.wakeups import Wakeups
from shared.chassis.lifecycle import Lifecycle
from shared.chassis.outbox import Outbox
from shared.chassis.process import Service
from shared.chassis.relay import Relay
from shared.chassis.sealing import Seal, derive_key
from shared.schemas.events.auth import UserDeleted
from shared.schemas.events.envelope import EventData

NAME = "jobs"


async def web(settings: JobsSettings, lifecycle: Lifecycle) -> ASGIApp:
    """Start a web process: jobs, events and webhooks of applications, dead letters of all."""
    database = await lifecycle.start(Database(settings, NAME))
    bus = await lifecycle.start(Bus(settings, NAME, lifecycle.conditions))
    clients = {
        service: await lifecycle.start(ServiceClient(settings, source=NAME, target=service))
        for service in (*HOUSE_SERVICES, NAME)
    }
    keys = await lifecycle.start(JwksClient(clients["auth"], lifecycle))
    authenticator = Authenticator(TokenVerifier(keys, issuer=settings.public_url))
    wakeups = await lifecycle.start(Wakeups(bus, lifecycle))
    doors = JobDoors(database, wakeups)
    lifecycle.on_drain(doors.close)

    outbox = Outbox(NAME)
    jobs = JobQueue(bus)
    answers = IdempotentAnswers(
        Seal(derive_key(settings.master_key, service=NAME, purpose="idempotent answers"))
    )
    others = House({service: clients[service] for service in HOUSE_SERVICES})
    resources = (
        # Queues and schedules come before jobs, whose addresses would fit theirs too.
        QueueRoutes(HouseQueues(database, bus, others), authenticator),
        ScheduleRoutes(HouseSchedules(database, others), authenticator),
        WorkRoutes(Working(database, outbox, jobs, doors), authenticator),
        JobRoutes(
            database,
            authenticator,
            jobs=jobs,
            house=HouseJobs(database, bus, others),
            answers=answers,
        ),
        EventRoutes(
            database,
            authenticator,
            outbox=outbox,
            types=EventTypes(database),
            answers=answers,
        ),
        DeadLetterRoutes(HouseDeadLetters(House(clients)), authenticator),
        WebhookRoutes(database, make_endpoints(settings, database, bus), answers, authenticator),
        dead_letter_routes.DeadLetterRoutes(settings, database, service=NAME),
    )
    return http_application(routes=[route for part in resources for route in part.routes()])


async def worker(settings: JobsSettings, lifecycle: Lifecycle) -> None:
    """Start a worker process: events out, queues kept, schedules, webhooks."""
    database = await lifecycle.start(Database(settings, NAME))
    bus = await lifecycle.start(Bus(settings, NAME, lifecycle.conditions))
    jobs = JobQueue(bus)
    await lifecycle.start(Relay(database, bus, lifecycle))
    await lifecycle.start(QueueKeeper(database, bus, lifecycle))
    await lifecycle.start(JobScheduler(database, jobs, lifecycle))
    await lifecycle.start(AnswerPruning(database, lifecycle))
    wakeups = await lifecycle.start(Wakeups(bus, lifecycle))
    await start_deliveries(settings, lifecycle, database=database, bus=bus, wakeups=wakeups)
    news = WebhookNews(jobs)
    erasure = Erasure(Outbox(NAME), news)
    await lifecycle.start(
        EventConsumer(
            bus,
            database,
            lifecycle,
            queue="jobs.events",
            handlers={EventData: news.on_event, UserDeleted: erasure.on_user_deleted},
        )
    )


SERVICE = Service(
    name=NAME,
    settings=JobsSettings,
    web=web,
    worker=worker,
    migrations=Path(__file__).with_name("migrations"),
)
