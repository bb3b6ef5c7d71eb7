"""The files service, wired in boot order."""

from pathlib import Path
from typing import Final

from starlette.types import ASGIApp

from services.files.erasure import Erasure
from services.files.image_pool import ImagePool
from services.files.jobs import IMAGES_QUEUE, UPLOADS_QUEUE, EraseOwner, MakeVariants, SweepUpload
from services.files.object_store import ObjectStore
from services.files.routes.content import ContentResource
from services.files.routes.files import FilesResource
from services.files.settings import FilesSettings
from services.files.unfinished import UnfinishedUploads
from services.files.uploads import Uploads
from services.files.variants import Variants
from shared.chassis.administration_routes import JobRoutes
from shared.chassis.bus import Bus
from shared.chassis.consumers import EventConsumer
from shared.chassis.database import Database
from shared.chassis.dead_letter_routes import DeadLetterRoutes
from shared.chassis.http import http_application
from shared.chassis.identity.keys import JwksClient
from shared.chassis.identity.service_calls import ServiceClient
from shared.chassis.identity.tokens import Authenticator, TokenVerifier
from shared.chassis.jobs.commands import JobQueue
from shared.chassis.jobs.wakeups import Wakeups
from shared.chassis.jobs.worker import JobWorker
from shared.chassis.lifecycle import Lifecycle
from shared.chassis.outbox import Outbox
from shared.chassis.process import Service
from shared.chassis.relay import Relay
from shared.schemas.events.auth import UserDeleted

NAME: Final = "files"


async def web(settings: FilesSettings, lifecycle: Lifecycle) -> ASGIApp:
    """Start the parts of a web process."""
    database = await lifecycle.start(Database(settings, NAME))
    bus = await lifecycle.start(Bus(settings, NAME, lifecycle.conditions))
    objects = await lifecycle.start(ObjectStore(settings))
    auth = await lifecycle.start(ServiceClient(settings, source=NAME, target="auth"))
    keys = await lifecycle.start(JwksClient(auth, lifecycle))
    authenticator = Authenticator(TokenVerifier(keys, issuer=settings.public_url))
    return application(settings, authenticator, database, objects, JobQueue(bus))


def application(
    settings: FilesSettings,
    authenticator: Authenticator,
    database: Database,
    objects: ObjectStore,
    jobs: JobQueue,
) -> ASGIApp:
    """Return the HTTP application over parts that have been started."""
    uploads = Uploads(
        database, objects, jobs, Outbox(NAME), concurrency=settings.upload_concurrency
    )
    return http_application(
        routes=[
            *FilesResource(settings, authenticator, database, uploads).routes(),
            *ContentResource(authenticator, database, objects).routes(),
            *JobRoutes(settings, database, service=NAME).routes(),
            *DeadLetterRoutes(settings, database, service=NAME).routes(),
        ]
    )


async def worker(settings: FilesSettings, lifecycle: Lifecycle) -> None:
    """Start the parts of a worker process."""
    database = await lifecycle.start(Database(settings, NAME))
    bus = await lifecycle.start(Bus(settings, NAME, lifecycle.conditions))
    objects = await lifecycle.start(ObjectStore(settings))
    images = await lifecycle.start(
        ImagePool(size=settings.image_processes, timeout_seconds=settings.image_timeout_seconds)
    )
    wakeups = await lifecycle.start(Wakeups(bus, lifecycle))
    await lifecycle.start(Relay(database, bus, lifecycle))
    variants = Variants(
        database, objects, images, Outbox(NAME), maximum_bytes=settings.image_max_bytes
    )
    unfinished = UnfinishedUploads(database, objects, JobQueue(bus))
    erasure = Erasure(database, objects, JobQueue(bus), Outbox(NAME))
    await lifecycle.start(
        JobWorker(
            database,
            wakeups,
            lifecycle,
            queue=IMAGES_QUEUE,
            handlers={MakeVariants: variants.make},
            concurrency=settings.image_processes,
        )
    )
    await lifecycle.start(
        JobWorker(
            database,
            wakeups,
            lifecycle,
            queue=UPLOADS_QUEUE,
            handlers={SweepUpload: unfinished.sweep, EraseOwner: erasure.erase},
        )
    )
    await lifecycle.start(
        EventConsumer(
            bus,
            database,
            lifecycle,
            queue="files.events",
            handlers={UserDeleted: erasure.on_user_deleted},
        )
    )


SERVICE: Final = Service(
    name=NAME,
    settings=FilesSettings,
    web=web,
    worker=worker,
    migrations=Path(__file__).with_name("migrations"),
)
