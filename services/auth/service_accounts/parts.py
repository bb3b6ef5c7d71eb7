"""How service accounts are put together."""

from services.auth.api_keys.api_keys import ApiKeys
from services.auth.core import Core
from services.auth.routes.service_account_keys import ServiceAccountKeyRoutes
from services.auth.routes.service_accounts import ServiceAccountRoutes
from services.auth.service_accounts.service_accounts import ServiceAccounts


def resources(core: Core, keys: ApiKeys) -> tuple[ServiceAccountRoutes, ServiceAccountKeyRoutes]:
    """Return the resources of service accounts."""
    accounts = ServiceAccounts(core.database, core.outbox)
    return (
        ServiceAccountRoutes(core.database, accounts, core.creations, core.authenticator),
        ServiceAccountKeyRoutes(
            core.database,
            accounts,
            keys,
            creations=core.creations,
            authenticator=core.authenticator,
        ),
    )
