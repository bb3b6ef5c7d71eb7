"""Sessions that ended before their tokens expire: kept by the doors, gateway and realtime."""

import asyncio
import contextlib
import time
from collections.abc import Callable
from datetime import datetime
from uuid import UUID

from shared.chassis.errors import Unavailable
from shared.chassis.identity.service_calls import ServiceClient
from shared.chassis.identity.tokens import Identity
from shared.chassis.lifecycle import BackgroundTask, Lifecycle

POLL_SECONDS = 0.5
STALE_SECONDS = 30.0
START_TIMEOUT_SECONDS = 60.0
PRUNE_SECONDS = 60.0


class RevocationList(BackgroundTask):
    """The live revocations, polled from auth every half second.

    It is complete before `start` returns. When it has not been renewed for thirty seconds it is
    `stale`, and a door answers 503 rather than guess.
    """

    name = "revocations"

    def __init__(self, auth: ServiceClient, lifecycle: Lifecycle) -> None:
        super().__init__(lifecycle)
        self._auth = auth
        self._expiries: dict[UUID, float] = {}
        self._cursor = ""
        self._renewed_at = float("-inf")
        self._callbacks: list[Callable[[UUID], None]] = []

    async def start(self) -> None:
        """Return when the list is complete. Raises TimeoutError if auth does not come up."""
        async with asyncio.timeout(START_TIMEOUT_SECONDS):
            while not self._cursor:
                try:
                    await self._poll()
                except Unavailable:
                    await asyncio.sleep(0.2)
        await super().start()

    async def run(self) -> None:
        """Poll until cancelled."""
        pruned_at = time.monotonic()
        while True:
            await asyncio.sleep(POLL_SECONDS)
            with contextlib.suppress(Unavailable):
                await self._poll()
            if time.monotonic() - pruned_at > PRUNE_SECONDS:
                pruned_at = time.monotonic()
                self._prune()

    def is_revoked(self, identity: Identity) -> bool:
        """Tell whether the session of a verified token has ended."""
        return identity.session_id in self._expiries

    @property
    def stale(self) -> bool:
        """Whether the list is too old to be relied on."""
        return time.monotonic() - self._renewed_at > STALE_SECONDS

    def on_revoked(self, callback: Callable[[UUID], None]) -> None:
        """Call back with the id of each session that is revoked from now on, once."""
        self._callbacks.append(callback)

    async def _poll(self) -> None:
        started = time.monotonic()
        answer = await self._auth.get("/internal/revocations", since=self._cursor)
        for item in answer["items"]:
            session_id = UUID(item["session_id"])
            if session_id not in self._expiries:
                expires_at = datetime.fromisoformat(item["expires_at"]).timestamp()
                self._expiries[session_id] = expires_at
                for callback in self._callbacks:
                    callback(session_id)
        self._cursor = answer["cursor"]
        self._renewed_at = started

    def _prune(self) -> None:
        now = time.time()
        for session_id in [key for key, expiry in self._expiries.items() if expiry < now]:
            del self._expiries[session_id]
