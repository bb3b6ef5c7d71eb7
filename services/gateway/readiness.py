"""Whether the services answer."""

import asyncio
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import httpx2

_PATIENCE_SECONDS: Final = 2.0
_REMEMBER_SECONDS: Final = 1.0


class ServiceReadiness:
    """Asks each service over its own socket, at most once a second however often it is asked.

    A service is ready when one of its processes answers anything: processes begin to accept only
    after everything they depend on was reached, while the socket itself exists long before.
    """

    def __init__(self, run_dir: Path, services: Sequence[str]) -> None:
        self._sockets = {service: run_dir / f"{service}.sock" for service in services}
        self._known: dict[str, bool] = {}
        self._known_until = 0.0
        self._asking = asyncio.Lock()

    async def services(self) -> dict[str, bool]:
        """Return each service's name and whether it is ready, within two seconds."""
        async with self._asking:
            if time.monotonic() >= self._known_until:
                answers = await asyncio.gather(*map(_answers, self._sockets.values()))
                self._known = dict(zip(self._sockets, answers, strict=True))
                self._known_until = time.monotonic() + _REMEMBER_SECONDS
        return self._known


async def _answers(socket: Path) -> bool:
    try:
        async with (
            asyncio.timeout(_PATIENCE_SECONDS),
            httpx2.AsyncClient(transport=httpx2.AsyncHTTPTransport(uds=str(socket))) as client,
        ):
            response = await client.get("http://service/healthz")
    except (httpx2.HTTPError, TimeoutError):
        return False
    return not response.is_server_error
