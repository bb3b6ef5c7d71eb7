"""How seldom auth is asked about API keys."""

import asyncio

import pytest

from services.gateway.api_keys import ApiKeyExchange
from shared.chassis.errors import Unavailable
from shared.chassis.identity.service_calls import ServiceCallError
from shared.chassis.identity.tokens import InvalidToken
from tests.service.gateway.credentials import AuthCalls

KEY = "fh_" + "k" * 43


class SlowAuth(AuthCalls):
    """Answers only when told to."""

    def __init__(self) -> None:
        super().__init__()
        self.go = asyncio.Event()

    async def post(self, path: str, body: object) -> dict[str, object]:
        answer = await super().post(path, body)
        await self.go.wait()
        return answer


async def test_requests_at_the_same_time_ask_once_though_one_is_cancelled() -> None:
    auth = SlowAuth()
    auth.keys[KEY] = {"access_token": "minted", "expires_in": 60}
    exchange = ApiKeyExchange(auth)
    waiting = [asyncio.create_task(exchange.token(KEY)) for _ in range(5)]
    await asyncio.sleep(0)
    waiting.pop(0).cancel()
    auth.go.set()
    assert await asyncio.gather(*waiting) == ["minted"] * 4
    assert await exchange.token(KEY) == "minted"
    assert auth.asked == [KEY]


@pytest.mark.parametrize(("expires_in", "asked"), [(60, 1), (10, 2), (3, 2)])
async def test_token_near_its_end_is_not_given_away_again(expires_in: int, asked: int) -> None:
    auth = AuthCalls()
    auth.keys[KEY] = {"access_token": "minted", "expires_in": expires_in}
    exchange = ApiKeyExchange(auth)
    for _ in range(2):
        assert await exchange.token(KEY) == "minted"
    assert len(auth.asked) == asked


async def test_refusal_is_remembered_but_a_failure_is_not() -> None:
    auth = AuthCalls()
    exchange = ApiKeyExchange(auth)
    auth.error = Unavailable("auth")
    for _ in range(2):
        with pytest.raises(Unavailable):
            await exchange.token(KEY)
    auth.error = ServiceCallError(401, "")
    for _ in range(2):
        with pytest.raises(InvalidToken):
            await exchange.token(KEY)
    assert len(auth.asked) == 3


async def test_memory_is_bounded() -> None:
    auth = AuthCalls()
    keys = [f"fh_{number:043}" for number in range(4)]
    for key in keys:
        auth.keys[key] = {"access_token": key, "expires_in": 60}
    exchange = ApiKeyExchange(auth, capacity=2)
    for key in [*keys, keys[3], keys[2], keys[0]]:
        assert await exchange.token(key) == key
    assert auth.asked == [*keys, keys[0]]


@pytest.mark.parametrize("key", ["", "fh_", "fh_short", "no_" + "k" * 43, "fh_" + "ä" * 43])
async def test_what_cannot_be_a_key_is_not_asked_about(key: str) -> None:
    auth = AuthCalls()
    with pytest.raises(InvalidToken):
        await ApiKeyExchange(auth).token(key)
    assert auth.asked == []
