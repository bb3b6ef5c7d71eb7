"""How roles are put together."""

from services.auth.core import Core
from services.auth.roles.roles import Roles
from services.auth.routes.roles import RoleRoutes


def resources(core: Core) -> tuple[RoleRoutes]:
    """Return the resources of roles."""
    return (RoleRoutes(core.database, Roles(core.database), core.authenticator),)
