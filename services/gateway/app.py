"""How the gateway is put together, in boot order."""

from starlette.types import ASGIApp

from services.gateway.api_keys import ApiKeyExchange
from services.gateway.decision_endpoint import DecisionEndpoint
from services.gateway.decisions import Door
from services.gateway.openapi import openapi_document
from services.gateway.readiness import ServiceReadiness
from services.gateway.route_table import ROUTES, SERVICES
from services.gateway.routes.documents import DocumentRoutes
from services.gateway.routes.health import HealthRoutes
from services.gateway.routing import Router
from services.gateway.settings import GatewaySettings
from shared.chassis.http import http_application
from shared.chassis.identity.keys import JwksClient
from shared.chassis.identity.revocations import RevocationList
from shared.chassis.identity.service_calls import ServiceClient
from shared.chassis.identity.tokens import TokenVerifier
from shared.chassis.lifecycle import Lifecycle
from shared.chassis.process import Service

NAME = "gateway"


async def web(settings: GatewaySettings, lifecycle: Lifecycle) -> ASGIApp:
    """Start the parts of a web process and return its application."""
    auth = await lifecycle.start(ServiceClient(settings, source=NAME, target="auth"))
    keys = await lifecycle.start(JwksClient(auth, lifecycle))
    revocations = await lifecycle.start(RevocationList(auth, lifecycle))

    door = Door(
        Router(ROUTES),
        TokenVerifier(keys, issuer=settings.public_url, capacity=settings.token_cache_size),
        revocations,
        ApiKeyExchange(auth, capacity=settings.token_cache_size),
    )
    others = [service for service in SERVICES if service != NAME]
    document = openapi_document(ROUTES, public_url=settings.public_url)
    resources = (
        HealthRoutes(ServiceReadiness(settings.run_dir, others)),
        DocumentRoutes(document),
    )
    application = http_application(routes=[route for part in resources for route in part.routes()])
    return DecisionEndpoint(door, application)


SERVICE = Service(name=NAME, settings=GatewaySettings, web=web)
