"""The worker that tells applications of logouts, and the application's side of it."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from ipaddress import ip_network
from urllib.parse import parse_qs

from services.auth.master_key import MasterKey
from services.auth.provider.logout_notices import LogoutNotices, NotifyApplication
from services.auth.signing_keys import KeyRing
from shared.chassis.bus import Bus
from shared.chassis.jobs.commands import JobQueue
from shared.chassis.jobs.wakeups import Wakeups
from shared.chassis.jobs.worker import JobWorker
from shared.chassis.lifecycle import Lifecycle
from shared.chassis.outgoing.addresses import AddressGuard
from shared.chassis.outgoing.requests import OutgoingRequests, SystemResolver
from shared.schemas.events.reading import read_event
from tests.parts.receiver import Receiver
from tests.service.auth.auth_service import AuthService


@asynccontextmanager
async def worker(
    auth: AuthService, *, allowed: str = "127.0.0.0/8"
) -> AsyncIterator[LogoutNotices]:
    """Run the jobs as a worker process does."""
    lifecycle = Lifecycle()
    keys = await lifecycle.start(KeyRing(auth.database, MasterKey(auth.settings.master_key)))
    guard = AddressGuard([ip_network(allowed)], setting="FREEHOLD_FEDERATION_ALLOWED_NETWORKS")
    requests = OutgoingRequests(guard, await lifecycle.start(SystemResolver()))
    notices = LogoutNotices(
        auth.database, JobQueue(None), keys, requests, issuer=auth.settings.public_url
    )
    wakeups = await lifecycle.start(Wakeups(Bus(auth.settings, "auth"), lifecycle))
    await lifecycle.start(
        JobWorker(
            auth.database,
            wakeups,
            lifecycle,
            queue=NotifyApplication.queue,
            handlers={NotifyApplication: notices.send},
        )
    )
    try:
        yield notices
    finally:
        await lifecycle.stop()


async def consume(auth: AuthService, notices: LogoutNotices) -> None:
    """Do what the consumer of `session.revoked` does."""
    for body in await auth.events():
        if body["type"] == "session.revoked":
            event = read_event(json.dumps(body).encode())
            async with auth.database.transaction() as transaction:
                await notices.on_session_revoked(transaction, event)
    await auth.forget_events()


def tokens(receiver: Receiver) -> list[str]:
    """Return the logout tokens that came."""
    forms = [parse_qs(received.body.decode()) for received in receiver.received]
    return [form["logout_token"][0] for form in forms]
