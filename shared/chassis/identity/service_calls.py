"""Calls between services: HTTP over unix sockets, each signed by a token of one minute."""

import time
from collections.abc import Collection
from typing import Any

import httpx2
import jwt
from starlette.requests import Request

from shared.chassis.errors import Problem, Unavailable
from shared.chassis.settings import Settings
from shared.chassis.telemetry.tracing import request_id, traceparent
from shared.schemas.problems import ProblemCode

ALGORITHM = "HS256"
LIFETIME_SECONDS = 60
TIMEOUT = httpx2.Timeout(5.0)


class ServiceCallError(Exception):
    """The other service refused; `status` is its HTTP status, `text` the body of its answer."""

    def __init__(self, status: int, text: str) -> None:
        self.status = status
        self.text = text
        super().__init__(f"answered {status}: {text[:500]}")


class ServiceClient:
    """Calls one other service's internal routes."""

    def __init__(self, settings: Settings, *, source: str, target: str) -> None:
        self._key = settings.internal_key.get_secret_value()
        self._socket = settings.run_dir / f"{target}.sock"
        self._source = source
        self._target = target
        self._client: httpx2.AsyncClient | None = None

    async def start(self) -> None:
        """Open the client; the other service need not be up yet."""
        self._client = httpx2.AsyncClient(
            transport=httpx2.AsyncHTTPTransport(uds=str(self._socket)),
            base_url="http://service",
            timeout=TIMEOUT,
        )

    async def stop(self) -> None:
        """Close the client."""
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    async def get(self, path: str, **query: str) -> Any:
        """Return the parsed answer. Raises Unavailable or, for a 4xx, ServiceCallError."""
        return await self._call("GET", path, query=query)

    async def post(self, path: str, body: object) -> Any:
        """Return the parsed answer. Raises Unavailable or, for a 4xx, ServiceCallError."""
        return await self._call("POST", path, body=body)

    async def patch(self, path: str, body: object) -> Any:
        """Return the parsed answer. Raises Unavailable or, for a 4xx, ServiceCallError."""
        return await self._call("PATCH", path, body=body)

    async def delete(self, path: str) -> Any:
        """Return the parsed answer. Raises Unavailable or, for a 4xx, ServiceCallError."""
        return await self._call("DELETE", path)

    async def _call(
        self, method: str, path: str, *, query: dict[str, str] | None = None, body: object = None
    ) -> Any:
        if self._client is None:
            raise Unavailable(self._target)
        headers = {"Authorization": f"Bearer {self._token()}"}
        if current := request_id.get():
            headers["X-Request-Id"] = current
        if trace := traceparent.get():
            headers["traceparent"] = trace
        try:
            response = await self._client.request(
                method, path, params=query, json=body, headers=headers
            )
        except httpx2.HTTPError as error:
            raise Unavailable(self._target) from error
        if response.is_server_error:
            raise Unavailable(self._target)
        if response.is_error:
            raise ServiceCallError(response.status_code, response.text)
        return response.json() if response.content else None

    def _token(self) -> str:
        now = int(time.time())
        claims = {
            "iss": self._source,
            "aud": self._target,
            "iat": now,
            "exp": now + LIFETIME_SECONDS,
        }
        return jwt.encode(claims, self._key, ALGORITHM, headers={"typ": "service+jwt"})


def require_service(
    request: Request, settings: Settings, *, target: str, allowed: Collection[str]
) -> str:
    """Return the name of the service that calls. Raises Problem unless it is allowed to."""
    token = request.headers.get("authorization", "").removeprefix("Bearer ")
    try:
        if jwt.get_unverified_header(token).get("typ") != "service+jwt":
            raise Problem(ProblemCode.TOKEN_INVALID)
        claims = jwt.decode(
            token,
            settings.internal_key.get_secret_value(),
            algorithms=[ALGORITHM],
            audience=target,
            options={"require": ["exp", "iat", "iss", "aud"]},
        )
    except jwt.PyJWTError as error:
        raise Problem(ProblemCode.TOKEN_INVALID) from error
    source = str(claims["iss"])
    if source not in allowed:
        raise Problem(ProblemCode.FORBIDDEN, f"The service {source} may not call this.")
    return source
