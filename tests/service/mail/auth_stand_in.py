"""Auth's internal routes, as the mail and realtime services call them, with a real signing key."""

import socket
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from shared.chassis.http import http_application
from shared.chassis.identity.service_calls import require_service
from shared.chassis.serve import WebServer
from shared.chassis.settings import Settings
from shared.schemas.roles import ADMINISTRATOR

PUBLIC_URL = "http://127.0.0.1:8080"
INTERNAL_KEY = "internal-key-of-the-tests-0123456789"


class AuthStandIn:
    """Serves keys, links and revocations on the socket where services expect auth."""

    def __init__(self, run_dir: Path) -> None:
        self.settings = Settings(run_dir=run_dir, public_url=PUBLIC_URL, internal_key=INTERNAL_KEY)
        self.links: dict[UUID, dict[str, Any]] = {}
        self.revoked: list[UUID] = []
        self.deletions: dict[UUID, dict[str, Any]] = {}
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._server: WebServer | None = None

    async def start(self) -> None:
        """Begin to answer."""
        path = self.settings.run_dir / "auth.sock"
        path.unlink(missing_ok=True)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        listener.bind(str(path))
        listener.listen(64)
        routes = [
            Route("/internal/jwks", self._jwks),
            Route("/internal/links/{link_id:uuid}", self._link),
            Route("/internal/revocations", self._revocations),
            Route("/internal/deletions/{user_id:uuid}", self._deletion),
        ]
        self._listener = listener
        self._server = WebServer(http_application(routes=routes), listener)
        await self._server.start()

    async def stop(self) -> None:
        """Answer no more; calls fail until the next start."""
        server, self._server = self._server, None
        if server is not None:
            (self.settings.run_dir / "auth.sock").unlink(missing_ok=True)
            await server.stop()
            self._listener.close()

    def add_link(
        self, link_id: UUID, *, to: str, template: str, url: str, name: str | None
    ) -> None:
        """Let a link be fetched."""
        self.links[link_id] = {
            "to": to,
            "template": template,
            "variables": {"url": url, "name": name},
            "expires_at": (datetime.now(UTC) + timedelta(hours=24)).isoformat(),
        }

    def token(
        self,
        user_id: UUID,
        *,
        session_id: UUID | None = None,
        seconds: float = 900,
        roles: tuple[str, ...] = (),
        scope: str | None = None,
        **claims: Any,
    ) -> str:
        """Sign an access token."""
        now = int(time.time())
        values = {
            "iss": PUBLIC_URL,
            "aud": "freehold",
            "sub": str(user_id),
            "sid": str(session_id or uuid4()),
            "jti": str(uuid4()),
            "iat": now,
            "exp": int(now + seconds),
            "roles": list(roles),
            **({} if scope is None else {"scope": scope}),
            **claims,
        }
        return jwt.encode(
            values, self._key, algorithm="ES256", headers={"typ": "at+jwt", "kid": "tests"}
        )

    def administrator(self) -> str:
        """Sign an administrator's token."""
        return self.token(uuid4(), roles=(ADMINISTRATOR,))

    async def _jwks(self, request: Request) -> Response:
        self._require(request)
        key = ECAlgorithm.to_jwk(self._key.public_key(), as_dict=True)
        return JSONResponse({"keys": [{**key, "kid": "tests", "use": "sig", "alg": "ES256"}]})

    async def _link(self, request: Request) -> Response:
        self._require(request)
        link = self.links.get(request.path_params["link_id"])
        return JSONResponse({"code": "not_found"}, 404) if link is None else JSONResponse(link)

    async def _deletion(self, request: Request) -> Response:
        self._require(request)
        traces = self.deletions.get(request.path_params["user_id"])
        return JSONResponse({"code": "not_found"}, 404) if traces is None else JSONResponse(traces)

    async def _revocations(self, request: Request) -> Response:
        self._require(request)
        since = int(request.query_params.get("since") or 0)
        expires_at = (datetime.now(UTC) + timedelta(minutes=15)).isoformat()
        items = [
            {"session_id": str(session_id), "expires_at": expires_at}
            for session_id in self.revoked[since:]
        ]
        return JSONResponse({"items": items, "cursor": str(len(self.revoked))})

    def _require(self, request: Request) -> None:
        require_service(request, self.settings, target="auth", allowed={"mail", "realtime", "jobs"})
