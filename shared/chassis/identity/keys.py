"""The public keys that access tokens are verified with, as auth publishes them."""

import asyncio
import contextlib
import time
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey

from shared.chassis.errors import Unavailable
from shared.chassis.identity.service_calls import ServiceClient
from shared.chassis.lifecycle import BackgroundTask, Lifecycle

REFRESH_SECONDS = 60.0
MISS_INTERVAL_SECONDS = 1.0
START_TIMEOUT_SECONDS = 60.0


class JwksClient(BackgroundTask):
    """Keeps auth's published keys: refreshed each minute, and when an unknown key is met."""

    name = "signing keys"

    def __init__(self, auth: ServiceClient, lifecycle: Lifecycle) -> None:
        super().__init__(lifecycle)
        self._auth = auth
        self._keys: dict[str, EllipticCurvePublicKey] = {}
        self._asked_at = float("-inf")
        self._lock = asyncio.Lock()

    async def start(self) -> None:
        """Return when the keys are there. Raises TimeoutError if auth does not come up."""
        async with asyncio.timeout(START_TIMEOUT_SECONDS):
            while not self._keys:
                try:
                    await self._load()
                except Unavailable:
                    await asyncio.sleep(0.2)
        await super().start()

    async def run(self) -> None:
        """Refresh until cancelled; while auth is down the known keys stay good."""
        while True:
            await asyncio.sleep(REFRESH_SECONDS)
            with contextlib.suppress(Unavailable):
                await self._load()

    async def key(self, key_id: str) -> EllipticCurvePublicKey | None:
        """Return the key with this id, or None; asks auth for an unknown one once a second."""
        if key_id not in self._keys:
            async with self._lock:
                due = self._asked_at + MISS_INTERVAL_SECONDS <= time.monotonic()
                if key_id not in self._keys and due:
                    await self._load()
        return self._keys.get(key_id)

    async def _load(self) -> None:
        self._asked_at = time.monotonic()
        self._keys = parse_jwks(await self._auth.get("/internal/jwks"))


def parse_jwks(document: dict[str, Any]) -> dict[str, EllipticCurvePublicKey]:
    """Return the elliptic curve keys of a JWK set by their ids; other kinds are passed over."""
    keys: dict[str, EllipticCurvePublicKey] = {}
    for entry in document["keys"]:
        key = jwt.PyJWK(entry).key
        if isinstance(key, EllipticCurvePublicKey):
            keys[entry["kid"]] = key
    return keys
