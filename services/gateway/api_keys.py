"""Exchanging API keys for access tokens at auth, as seldom as freshness allows."""

import asyncio
import re
import time
from collections import OrderedDict
from typing import Final, Protocol, TypeVar

from shared.chassis.identity.service_calls import ServiceCallError
from shared.chassis.identity.tokens import InvalidToken
from shared.schemas.problems import ProblemCode

ValueT = TypeVar("ValueT")

KEY_PREFIX: Final = "fh_"

# What auth could have made; anything else is refused without asking.
_KEY: Final = re.compile(r"fh_[A-Za-z0-9_-]{16,250}")

_REMEMBER_REFUSAL_SECONDS: Final = 1.0
_UNUSED_LIFE_SECONDS: Final = 10.0
"""A token is given away only with so much life left that it outlives the request's way."""
_CONCURRENT_EXCHANGES: Final = 32


class AuthCalls(Protocol):
    """The one call of auth that is needed here."""

    async def post(self, path: str, body: object) -> dict[str, object]:
        """Return the parsed answer. Raises Unavailable or, for a 4xx, ServiceCallError."""


class ApiKeyExchange:
    """Gives the access token that speaks for an API key.

    Tokens are remembered until shortly before they expire, refusals for a second, both within
    `capacity`. However many requests bring one key at the same time, auth is asked once.
    """

    def __init__(self, auth: AuthCalls, *, capacity: int = 10_000) -> None:
        self._auth = auth
        self._capacity = capacity
        self._tokens: OrderedDict[str, tuple[str, float]] = OrderedDict()
        self._refusals: OrderedDict[str, float] = OrderedDict()
        self._asking: dict[str, asyncio.Task[str]] = {}
        self._turns = asyncio.Semaphore(_CONCURRENT_EXCHANGES)

    async def token(self, key: str, address: str = "") -> str:
        """Return an access token for a key that was used from an address.

        Raises InvalidToken for a key that is not good, Unavailable if auth cannot be asked.
        Cancelling is safe: others who wait for the same key still get their answer.
        """
        now = time.monotonic()
        known = self._tokens.get(key)
        if known is not None:
            if known[1] > now:
                return known[0]
            del self._tokens[key]
        if self._refusals.get(key, 0.0) > now or _KEY.fullmatch(key) is None:
            raise InvalidToken(ProblemCode.API_KEY_INVALID)
        asking = self._asking.get(key)
        if asking is None:
            asking = asyncio.create_task(self._exchange(key, address), name="API key exchange")
            self._asking[key] = asking
            asking.add_done_callback(lambda done: self._forget(key, done))
        return await asyncio.shield(asking)

    def drop(self, key: str) -> None:
        """Forget the token of a key, because it was revoked."""
        self._tokens.pop(key, None)

    async def _exchange(self, key: str, address: str) -> str:
        async with self._turns:
            asked_at = time.monotonic()
            try:
                body = {"key": key, "address": address}
                answer = await self._auth.post("/internal/api-keys/exchange", body)
            except ServiceCallError as error:
                self._remember(self._refusals, key, time.monotonic() + _REMEMBER_REFUSAL_SECONDS)
                raise InvalidToken(ProblemCode.API_KEY_INVALID) from error
        token = str(answer["access_token"])
        life = float(str(answer["expires_in"])) - _UNUSED_LIFE_SECONDS
        self._remember(self._tokens, key, (token, asked_at + life))
        return token

    def _remember(self, memory: OrderedDict[str, ValueT], key: str, value: ValueT) -> None:
        memory[key] = value
        if len(memory) > self._capacity:
            memory.popitem(last=False)

    def _forget(self, key: str, done: asyncio.Task[str]) -> None:
        del self._asking[key]
        # Read, so that an error nobody waited for any more is not reported as lost.
        if not done.cancelled():
            done.exception()
