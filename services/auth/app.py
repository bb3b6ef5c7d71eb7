"""How the auth service is put together, in boot order."""

from datetime import timedelta
from pathlib import Path

from starlette.types import ASGIApp

from services.auth import key_rotation
from services.auth.access_tokens import AccessTokenIssuer
from services.auth.accounts.deletions import Deletions, on_user_erased
from services.auth.accounts.log_erasure import LogErasure
from services.auth.accounts.overdue import OverdueDeletions
from services.auth.admin_command import make_or_promote
from services.auth.administration.impersonation import Impersonation
from services.auth.administration.users import Users
from services.auth.api_keys.api_keys import ApiKeys
from services.auth.calibration import password_cost
from services.auth.cleanup import CleanUp
from services.auth.core import Core
from services.auth.creations import Creations
from services.auth.device_cookie import DeviceCookie
from services.auth.email_changes.email_changes import EmailChanges
from services.auth.entrance import Entrance
from services.auth.factors import parts as factors
from services.auth.factors.authenticator_apps import AuthenticatorApps
from services.auth.factors.challenges import Challenges
from services.auth.federation import parts as federation
from services.auth.import_command import import_users
from services.auth.key_rotation import KeyRotation, RotateSigningKeys
from services.auth.links import LinkMails, LinkTokens
from services.auth.logins import Logins
from services.auth.mailing.limits import AddressNames, MailLimits
from services.auth.mailing.mails import AccountMails
from services.auth.master_key import MasterKey
from services.auth.new_passwords import NewPasswords
from services.auth.organisations import parts as organisations
from services.auth.origins import OriginPolicy
from services.auth.passkeys import parts as passkeys
from services.auth.passkeys.second_factor import Passkeys
from services.auth.password_resets import PasswordResets
from services.auth.passwords import PasswordHasher
from services.auth.protections.breached_passwords import BreachedPasswords
from services.auth.protections.captcha import Captcha
from services.auth.protections.known_devices import DeviceMarks, KnownDevices
from services.auth.protections.services import requests_to_named_services
from services.auth.provider import parts as provider
from services.auth.refresh_cookie import RefreshCookie
from services.auth.refresh_tokens import RefreshTokens
from services.auth.roles import parts as roles
from services.auth.routes.answers import SessionAnswers
from services.auth.routes.api_keys import ApiKeyRoutes
from services.auth.routes.deletions import DeletionRoutes
from services.auth.routes.email_changes import EmailChangeRoutes
from services.auth.routes.impersonation import ImpersonationRoutes
from services.auth.routes.internal import InternalRoutes
from services.auth.routes.me import MeRoutes
from services.auth.routes.pages import PageRoutes
from services.auth.routes.passwords import PasswordRoutes
from services.auth.routes.public_keys import PublicKeyRoutes
from services.auth.routes.session import SessionRoutes
from services.auth.routes.sessions import SessionsRoutes
from services.auth.routes.signups import SignupRoutes
from services.auth.routes.users import UserRoutes
from services.auth.service_accounts import parts as service_accounts
from services.auth.sessions import Sessions
from services.auth.settings import AuthSettings
from services.auth.signing_keys import KeyRefresh, KeyRing
from services.auth.signups import Signups
from services.auth.throttle import LoginThrottle
from shared.chassis.administration_routes import JobRoutes
from shared.chassis.bus import Bus
from shared.chassis.consumers import EventConsumer
from shared.chassis.database import Database
from shared.chassis.dead_letter_routes import DeadLetterRoutes
from shared.chassis.http import http_application
from shared.chassis.idempotency.pruning import AnswerPruning
from shared.chassis.identity.tokens import Authenticator, TokenVerifier
from shared.chassis.jobs.commands import JobQueue
from shared.chassis.jobs.schedules.scheduler import JobScheduler
from shared.chassis.jobs.wakeups import Wakeups
from shared.chassis.jobs.worker import JobWorker
from shared.chassis.lifecycle import Lifecycle
from shared.chassis.outbox import Outbox
from shared.chassis.outgoing.requests import SystemResolver
from shared.chassis.process import Service
from shared.chassis.relay import Relay
from shared.schemas.events.auth import SessionRevoked, UserErased

NAME = "auth"


async def web(settings: AuthSettings, lifecycle: Lifecycle) -> ASGIApp:
    """Start the parts of a web process and return its application."""
    core = await _core(settings, lifecycle)
    database, authenticator = core.database, core.authenticator
    signups = Signups(
        database,
        core.outbox,
        core.hasher,
        core.entrance,
        core.link_tokens,
        limits=core.mail_limits,
        lifetime=timedelta(hours=settings.signup_lifetime_hours),
        new_passwords=core.new_passwords,
    )
    logins = Logins(
        database,
        core.hasher,
        core.throttle,
        entrance=core.entrance,
        captcha=core.captcha,
        sessions=core.sessions,
    )
    resets = PasswordResets(
        database,
        core.hasher,
        core.mails,
        core.sessions,
        logins=logins,
        known_devices=core.known_devices,
        new_passwords=core.new_passwords,
    )
    api_keys = ApiKeys(database, core.outbox, core.issuer)
    users = Users(database, core.outbox, core.sessions)
    deletions = Deletions(database, core.outbox, core.mails)
    links = LinkMails(database, core.link_tokens, public_url=settings.public_url)

    resources = (
        SignupRoutes(signups, core.origins, core.answers, core.captcha),
        SessionRoutes(
            database,
            logins=logins,
            sessions=core.sessions,
            origins=core.origins,
            cookie=core.cookie,
            answers=core.answers,
            authenticator=authenticator,
        ),
        SessionsRoutes(database, core.sessions, authenticator),
        PasswordRoutes(
            resets,
            authenticator,
            core.origins,
            device_cookie=core.device_cookie,
            captcha=core.captcha,
        ),
        MeRoutes(database, deletions, authenticator),
        UserRoutes(database, users, deletions, authenticator),
        ImpersonationRoutes(
            Impersonation(database, core.sessions, core.mails), core.answers, authenticator
        ),
        DeletionRoutes(database, authenticator),
        EmailChangeRoutes(
            EmailChanges(database, core.link_tokens, core.mails, core.sessions),
            authenticator,
            core.origins,
        ),
        ApiKeyRoutes(database, api_keys, core.creations, authenticator),
        PublicKeyRoutes(core.keys),
        PageRoutes(),
        *factors.resources(core, logins),
        *passkeys.resources(core),
        *provider.resources(core),
        *organisations.resources(core),
        *roles.resources(core),
        *service_accounts.resources(core, api_keys),
        *await federation.resources(core, lifecycle),
        InternalRoutes(database, settings, core.keys, api_keys=api_keys, links=links),
        JobRoutes(settings, database, service=NAME),
        DeadLetterRoutes(settings, database, service=NAME),
    )
    return http_application(routes=[route for part in resources for route in part.routes()])


async def _core(settings: AuthSettings, lifecycle: Lifecycle) -> Core:
    master_key = MasterKey(settings.master_key)
    outbox = Outbox(NAME)
    database = await lifecycle.start(Database(settings, NAME))
    keys = await lifecycle.start(KeyRing(database, master_key))
    await lifecycle.start(KeyRefresh(keys, lifecycle))
    hasher = await lifecycle.start(
        PasswordHasher(
            cost=await password_cost(database, settings.bcrypt_cost),
            threads=settings.bcrypt_threads,
            queue=settings.bcrypt_queue,
        )
    )
    issuer = AccessTokenIssuer(keys, issuer=settings.public_url)
    cookie = RefreshCookie(settings.public_url)
    device_cookie = DeviceCookie(settings.public_url)
    link_tokens = LinkTokens(master_key)
    mails = AccountMails(database, outbox, link_tokens)
    marks = DeviceMarks(master_key)
    address_names = AddressNames(master_key)
    known_devices = KnownDevices(mails, marks)
    resolver = await lifecycle.start(SystemResolver())
    named_services = requests_to_named_services(resolver)
    breached = BreachedPasswords(settings.breached_passwords_url, named_services)
    challenges = Challenges([AuthenticatorApps(), Passkeys()])
    sessions = Sessions(
        database,
        outbox,
        issuer,
        RefreshTokens(master_key),
        lifetime=timedelta(days=settings.session_lifetime_days),
        idle=timedelta(days=settings.session_idle_days),
    )
    return Core(
        settings=settings,
        master_key=master_key,
        outbox=outbox,
        database=database,
        keys=keys,
        hasher=hasher,
        captcha=Captcha(settings.captcha_verify_url, settings.captcha_secret, named_services),
        new_passwords=NewPasswords(breached, min_length=settings.password_min_length),
        throttle=LoginThrottle(database, master_key, marks),
        issuer=issuer,
        authenticator=Authenticator(TokenVerifier(keys, issuer=settings.public_url)),
        origins=OriginPolicy(settings.public_url, settings.client_origins),
        cookie=cookie,
        device_cookie=device_cookie,
        known_devices=known_devices,
        answers=SessionAnswers(cookie, device_cookie),
        link_tokens=link_tokens,
        mails=mails,
        address_names=address_names,
        mail_limits=MailLimits(address_names, marks),
        sessions=sessions,
        challenges=challenges,
        creations=Creations(database, master_key),
        entrance=Entrance(sessions, challenges, known_devices),
    )


async def worker(settings: AuthSettings, lifecycle: Lifecycle) -> None:
    """Start the parts of a worker process."""
    database = await lifecycle.start(Database(settings, NAME))
    bus = await lifecycle.start(Bus(settings, NAME, lifecycle.conditions))
    keys = await lifecycle.start(KeyRing(database, MasterKey(settings.master_key)))
    await lifecycle.start(KeyRefresh(keys, lifecycle))
    await lifecycle.start(Relay(database, bus, lifecycle))
    await lifecycle.start(
        CleanUp(database, lifecycle, audit_kept_for=timedelta(days=settings.audit_days))
    )
    await lifecycle.start(AnswerPruning(database, lifecycle))
    await lifecycle.start(LogErasure(database, lifecycle))
    await lifecycle.start(OverdueDeletions(database, lifecycle))
    wakeups = await lifecycle.start(Wakeups(bus, lifecycle))
    await lifecycle.start(JobScheduler(database, JobQueue(bus), lifecycle, [key_rotation.SCHEDULE]))
    rotation = KeyRotation(keys, lifetime=timedelta(days=settings.signing_key_days))
    await lifecycle.start(
        JobWorker(
            database,
            wakeups,
            lifecycle,
            queue=RotateSigningKeys.queue,
            handlers={RotateSigningKeys: rotation.rotate},
            concurrency=1,
        )
    )
    notices = await provider.start_logout_notices(
        lifecycle, settings, database=database, bus=bus, keys=keys, wakeups=wakeups
    )
    await lifecycle.start(
        EventConsumer(
            bus,
            database,
            lifecycle,
            queue="auth.events",
            handlers={UserErased: on_user_erased, SessionRevoked: notices.on_session_revoked},
        )
    )


SERVICE = Service(
    name=NAME,
    settings=AuthSettings,
    web=web,
    worker=worker,
    migrations=Path(__file__).with_name("migrations"),
    commands={"admin": make_or_promote, "import-users": import_users},
)
