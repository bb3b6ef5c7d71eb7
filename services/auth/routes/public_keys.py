"""The public keys: `/.well-known/jwks.json`."""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from services.auth.signing_keys import Algorithm, KeyRing


class PublicKeyRoutes:
    """What anybody needs to verify an access token."""

    def __init__(self, keys: KeyRing) -> None:
        self._keys = keys

    def routes(self) -> list[Route]:
        """Return the routes of this resource."""
        return [Route("/.well-known/jwks.json", self.read, methods=["GET"])]

    async def read(self, _: Request) -> Response:
        """Answer with the key set; caches may keep it for five minutes."""
        return JSONResponse(
            self._keys.jwks(*Algorithm), headers={"Cache-Control": "public, max-age=300"}
        )
