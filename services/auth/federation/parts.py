"""How logging in with other providers is put together."""

from ipaddress import ip_network

from services.auth.core import Core
from services.auth.federation.attempts import AttemptCookie, AttemptSecrets
from services.auth.federation.connections import Connections, ConnectionSecrets
from services.auth.federation.exchange import CodeExchange
from services.auth.federation.identities import Identities
from services.auth.federation.providers import Providers
from services.auth.federation.sign_ins import SignIns
from services.auth.routes.connections import ConnectionRoutes
from services.auth.routes.federation import FederationRoutes
from services.auth.routes.identities import IdentityRoutes
from shared.chassis.lifecycle import Lifecycle
from shared.chassis.outgoing.addresses import AddressGuard
from shared.chassis.outgoing.requests import OutgoingRequests, SystemResolver


async def resources(
    core: Core, lifecycle: Lifecycle
) -> tuple[FederationRoutes, ConnectionRoutes, IdentityRoutes]:
    """Start what needs it, and return what has routes."""
    guard = AddressGuard(
        [ip_network(text) for text in core.settings.federation_allowed_networks],
        setting="FREEHOLD_FEDERATION_ALLOWED_NETWORKS",
    )
    resolver = await lifecycle.start(SystemResolver())
    providers = Providers(OutgoingRequests(guard, resolver), guard)
    secrets = ConnectionSecrets(core.master_key)
    identities = Identities(core.database, core.outbox, core.entrance, core.mails)
    sign_ins = SignIns(
        core.database,
        secrets=AttemptSecrets(core.master_key),
        providers=providers,
        exchange=CodeExchange(providers, secrets),
        identities=identities,
        public_url=core.settings.public_url,
    )
    cookie = AttemptCookie(core.settings.public_url)
    connections = Connections(core.database, providers, secrets)
    return (
        FederationRoutes(
            core.database,
            sign_ins,
            origins=core.origins,
            cookie=cookie,
            answers=core.answers,
        ),
        ConnectionRoutes(
            core.database,
            connections,
            sign_ins,
            creations=core.creations,
            authenticator=core.authenticator,
        ),
        IdentityRoutes(
            core.database,
            sign_ins,
            identities,
            origins=core.origins,
            cookie=cookie,
            authenticator=core.authenticator,
        ),
    )
