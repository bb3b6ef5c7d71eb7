"""Every public route of Freehold, once.

nginx's locations, the gateway's decisions and the OpenAPI document are made from `ROUTES`. What is
not here does not exist for the outside, so internal routes of services are unreachable by omission.
Where two paths fit an address, the one that comes first has it, unless one is the address itself.
"""

from typing import Final

from services.gateway.route_tables.accounts import ACCOUNT_ROUTES
from services.gateway.route_tables.auth import AUTH_ROUTES
from services.gateway.route_tables.connections import CONNECTION_ROUTES
from services.gateway.route_tables.dead_letters import DEAD_LETTER_ROUTES
from services.gateway.route_tables.events import EVENT_ROUTES
from services.gateway.route_tables.factors import FACTOR_ROUTES
from services.gateway.route_tables.files import FILES_ROUTES
from services.gateway.route_tables.gateway import GATEWAY_ROUTES
from services.gateway.route_tables.jobs import JOBS_ROUTES
from services.gateway.route_tables.mail import MAIL_ROUTES
from services.gateway.route_tables.oauth import OAUTH_ROUTES
from services.gateway.route_tables.organisations import ORGANISATION_ROUTES
from services.gateway.route_tables.pages import PAGE_ROUTES
from services.gateway.route_tables.passkeys import PASSKEY_ROUTES
from services.gateway.route_tables.passwords import PASSWORD_ROUTES
from services.gateway.route_tables.realtime import REALTIME_ROUTES
from services.gateway.route_tables.roles import ROLE_ROUTES
from services.gateway.route_tables.service_accounts import SERVICE_ACCOUNT_ROUTES
from services.gateway.route_tables.users import USER_ROUTES
from services.gateway.route_tables.webhooks import WEBHOOK_ROUTES

ROUTES: Final = (
    *AUTH_ROUTES,
    *ACCOUNT_ROUTES,
    *PASSWORD_ROUTES,
    *USER_ROUTES,
    *OAUTH_ROUTES,
    *CONNECTION_ROUTES,
    *ORGANISATION_ROUTES,
    *ROLE_ROUTES,
    *SERVICE_ACCOUNT_ROUTES,
    *PAGE_ROUTES,
    *FACTOR_ROUTES,
    *PASSKEY_ROUTES,
    *FILES_ROUTES,
    *MAIL_ROUTES,
    *REALTIME_ROUTES,
    *JOBS_ROUTES,
    *EVENT_ROUTES,
    *DEAD_LETTER_ROUTES,
    *WEBHOOK_ROUTES,
    *GATEWAY_ROUTES,
)

SERVICES: Final = tuple(dict.fromkeys(route.service for route in ROUTES))
"""Every service that has public routes, the gateway last."""
