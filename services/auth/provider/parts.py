"""How the OpenID provider is put together."""

from ipaddress import ip_network

from services.auth.core import Core
from services.auth.provider.authorization import Authorization
from services.auth.provider.logout_notices import LogoutNotices, NotifyApplication
from services.auth.provider.reauthentication import Reauthentication
from services.auth.provider.tokens import ProviderTokens
from services.auth.refresh_tokens import RefreshTokens
from services.auth.routes.oauth import OAuthRoutes
from services.auth.routes.oauth_clients import OAuthClientRoutes
from services.auth.routes.oauth_logout import OAuthLogoutRoutes
from services.auth.settings import AuthSettings
from services.auth.signing_keys import KeyRing
from shared.chassis.bus import Bus
from shared.chassis.database import Database
from shared.chassis.jobs.commands import JobQueue
from shared.chassis.jobs.wakeups import Wakeups
from shared.chassis.jobs.worker import JobWorker
from shared.chassis.lifecycle import Lifecycle
from shared.chassis.outgoing.addresses import AddressGuard
from shared.chassis.outgoing.requests import OutgoingRequests, SystemResolver


def resources(core: Core) -> tuple[OAuthRoutes, OAuthLogoutRoutes, OAuthClientRoutes]:
    """Return the resources of the provider."""
    issuer = core.settings.public_url
    authorization = Authorization(core.database, RefreshTokens(core.master_key), issuer=issuer)
    tokens = ProviderTokens(
        core.database,
        core.keys,
        RefreshTokens(core.master_key, purpose="oauth-refresh-token"),
        issuer=issuer,
    )
    return (
        OAuthRoutes(
            core.database,
            authorization,
            tokens,
            Reauthentication(core.master_key, public_url=issuer),
            cookie=core.cookie,
            origins=core.origins,
            issuer=issuer,
        ),
        OAuthLogoutRoutes(
            core.database,
            authorization,
            tokens,
            core.sessions,
            cookie=core.cookie,
            origins=core.origins,
        ),
        OAuthClientRoutes(core.database, core.creations, core.authenticator),
    )


async def start_logout_notices(
    lifecycle: Lifecycle,
    settings: AuthSettings,
    *,
    database: Database,
    bus: Bus,
    keys: KeyRing,
    wakeups: Wakeups,
) -> LogoutNotices:
    """Start what tells applications of the end of sessions, and return what queues it."""
    guard = AddressGuard(
        [ip_network(text) for text in settings.federation_allowed_networks],
        setting="FREEHOLD_FEDERATION_ALLOWED_NETWORKS",
    )
    requests = OutgoingRequests(guard, await lifecycle.start(SystemResolver()))
    notices = LogoutNotices(database, JobQueue(bus), keys, requests, issuer=settings.public_url)
    await lifecycle.start(
        JobWorker(
            database,
            wakeups,
            lifecycle,
            queue=NotifyApplication.queue,
            handlers={NotifyApplication: notices.send},
        )
    )
    return notices
