"""The parts of the mail service, in the order they start."""

from pathlib import Path
from urllib.parse import urlsplit

from starlette.types import ASGIApp

from services.mail.consumers import AccountMails
from services.mail.erasure import EraseMessages, Erasure
from services.mail.jobs import MessageSender, SendMessage
from services.mail.relay_watch import RelayWatch
from services.mail.routes.messages import MessageRoutes
from services.mail.settings import MailSettings, parse_mailbox
from services.mail.smtp import SmtpRelay, parse_smtp_url
from services.mail.templates import TemplateSet
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
from shared.schemas.events.auth import NoticeRequested, SignupRequested, UserDeleted

NAME = "mail"


async def web(settings: MailSettings, lifecycle: Lifecycle) -> ASGIApp:
    """Start a web process: the mail log."""
    database = await lifecycle.start(Database(settings, NAME))
    auth = await lifecycle.start(ServiceClient(settings, source=NAME, target="auth"))
    keys = await lifecycle.start(JwksClient(auth, lifecycle))
    authenticator = Authenticator(TokenVerifier(keys, issuer=settings.public_url))
    return http_application(
        routes=[
            *MessageRoutes(database, authenticator).routes(),
            *JobRoutes(settings, database, service=NAME).routes(),
            *DeadLetterRoutes(settings, database, service=NAME).routes(),
        ]
    )


async def worker(settings: MailSettings, lifecycle: Lifecycle) -> None:
    """Start a worker process: events in, mails and events out."""
    database = await lifecycle.start(Database(settings, NAME))
    bus = await lifecycle.start(Bus(settings, NAME, lifecycle.conditions))
    auth = await lifecycle.start(ServiceClient(settings, source=NAME, target="auth"))
    relay = SmtpRelay(
        parse_smtp_url(settings.smtp_url.get_secret_value()),
        greeting=urlsplit(settings.public_url).hostname or "localhost",
        ca_file=settings.smtp_ca_file,
        timeout_seconds=settings.smtp_timeout_seconds,
    )
    sender = MessageSender(
        database,
        Outbox(NAME),
        auth=auth,
        templates=TemplateSet(),
        relay=relay,
        sender=parse_mailbox(settings.mail_from),
        public_url=settings.public_url,
    )
    erasure = Erasure(database, auth, JobQueue(bus), Outbox(NAME))
    await lifecycle.start(RelayWatch(relay, lifecycle))
    wakeups = await lifecycle.start(Wakeups(bus, lifecycle))
    await lifecycle.start(Relay(database, bus, lifecycle))
    await lifecycle.start(
        JobWorker(
            database,
            wakeups,
            lifecycle,
            queue=SendMessage.queue,
            handlers={SendMessage: sender.send, EraseMessages: erasure.erase},
            concurrency=settings.smtp_connections,
        )
    )
    mails = AccountMails(JobQueue(bus))
    await lifecycle.start(
        EventConsumer(
            bus,
            database,
            lifecycle,
            queue="mail.events",
            handlers={
                SignupRequested: mails.on_requested,
                NoticeRequested: mails.on_requested,
                UserDeleted: erasure.on_user_deleted,
            },
        )
    )


SERVICE = Service(
    name=NAME,
    settings=MailSettings,
    web=web,
    worker=worker,
    migrations=Path(__file__).with_name("migrations"),
)
