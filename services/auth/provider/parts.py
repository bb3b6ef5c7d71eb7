"""How the OpenID provider is put together."""

from services.auth.core import Core
from services.auth.provider.authorization import Authorization
from services.auth.provider.tokens import ProviderTokens
from services.auth.refresh_tokens import RefreshTokens
from services.auth.routes.oauth import OAuthRoutes
from services.auth.routes.oauth_clients import OAuthClientRoutes
from services.auth.routes.oauth_logout import OAuthLogoutRoutes


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
        OAuthClientRoutes(core.database, core.authenticator),
    )
