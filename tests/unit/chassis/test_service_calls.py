"""Services believe each other by signed tokens of one minute, and nobody else."""

import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx2
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from starlette.requests import Request

from shared.chassis.errors import Problem, Unavailable
from shared.chassis.identity.service_calls import (
    LIFETIME_SECONDS,
    ServiceCallError,
    ServiceClient,
    require_service,
)
from shared.chassis.identity.tokens import InvalidToken, TokenVerifier
from shared.chassis.settings import Settings
from shared.chassis.telemetry.tracing import request_id, traceparent
from shared.schemas.problems import ProblemCode

PUBLIC_URL = "https://example.com"
TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
USER_KEY = ec.generate_private_key(ec.SECP256R1())
SERVICE_HEADER = {"typ": "service+jwt"}


def settings_with(key: str) -> Settings:
    return Settings(run_dir=Path("/nowhere"), public_url=PUBLIC_URL, internal_key=key)


SETTINGS = settings_with("k" * 32)


def service_token(*, key: str = "k" * 32, header: Any = SERVICE_HEADER, **changes: Any) -> str:
    now = int(time.time())
    claims = {"iss": "gateway", "aud": "auth", "iat": now, "exp": now + 3600} | changes
    present = {name: value for name, value in claims.items() if value is not None}
    return jwt.encode(present, key, "HS256", headers=header)


def user_token() -> str:
    claims = {"iss": PUBLIC_URL, "aud": "auth", "iat": 0, "exp": int(time.time()) + 60}
    return jwt.encode(claims, USER_KEY, "ES256", headers={"typ": "at+jwt", "kid": "known"})


def asked_by(authorization: str) -> str:
    sent = [(b"authorization", authorization.encode())] if authorization else []
    request = Request({"type": "http", "headers": sent})
    return require_service(request, SETTINGS, target="auth", allowed={"gateway", "mail"})


async def test_a_service_is_known_by_the_token_of_its_client() -> None:
    client = ServiceClient(SETTINGS, source="mail", target="auth")
    assert asked_by(f"Bearer {client._token()}") == "mail"


@pytest.mark.parametrize(
    ("authorization", "code"),
    [
        pytest.param("", ProblemCode.TOKEN_INVALID, id="none"),
        pytest.param("Bearer ", ProblemCode.TOKEN_INVALID, id="empty"),
        pytest.param("Bearer nonsense", ProblemCode.TOKEN_INVALID, id="nonsense"),
        pytest.param(
            f"Bearer {service_token(aud='files')}", ProblemCode.TOKEN_INVALID, id="another target"
        ),
        pytest.param(
            f"Bearer {service_token(aud=['auth', 'files'], iss='files')}",
            ProblemCode.FORBIDDEN,
            id="a source that may not",
        ),
        pytest.param(
            f"Bearer {service_token(exp=int(time.time()) - 1)}",
            ProblemCode.TOKEN_INVALID,
            id="expired",
        ),
        pytest.param(
            f"Bearer {service_token(key='x' * 32)}", ProblemCode.TOKEN_INVALID, id="another key"
        ),
        pytest.param(
            f"Bearer {service_token(header=None)}", ProblemCode.TOKEN_INVALID, id="another type"
        ),
        pytest.param(
            f"Bearer {jwt.encode({'iss': 'gateway'}, '', 'none', headers=SERVICE_HEADER)}",
            ProblemCode.TOKEN_INVALID,
            id="no signature",
        ),
        pytest.param(f"Bearer {user_token()}", ProblemCode.TOKEN_INVALID, id="a user's token"),
        *(
            pytest.param(
                f"Bearer {service_token(**{claim: None})}",
                ProblemCode.TOKEN_INVALID,
                id=f"no {claim}",
            )
            for claim in ("iss", "aud", "iat", "exp")
        ),
    ],
)
def test_who_is_no_service_or_may_not_is_refused(authorization: str, code: ProblemCode) -> None:
    with pytest.raises(Problem) as raised:
        asked_by(authorization)
    assert raised.value.code == code


async def test_a_service_token_is_no_user() -> None:
    class Keys:
        async def key(self, _: str) -> ec.EllipticCurvePublicKey | None:
            return USER_KEY.public_key()

    header = {"typ": "service+jwt", "kid": "known"}
    with pytest.raises(InvalidToken):
        await TokenVerifier(Keys(), issuer=PUBLIC_URL).verify(
            service_token(header=header, iss=PUBLIC_URL, aud="freehold", sub="x", sid="x", jti="x")
        )


@pytest.fixture
async def answered() -> AsyncIterator[Callable[[httpx2.MockTransport], ServiceClient]]:
    """Give a maker of started clients whose calls a function answers instead of a socket."""
    clients: list[ServiceClient] = []

    def make(transport: httpx2.MockTransport) -> ServiceClient:
        client = ServiceClient(SETTINGS, source="gateway", target="auth")
        client._client = httpx2.AsyncClient(transport=transport, base_url="http://service")
        clients.append(client)
        return client

    yield make
    for client in clients:
        await client.stop()


Answered = Callable[[httpx2.MockTransport], ServiceClient]


async def test_a_call_carries_its_token_and_the_ids_of_its_cause(answered: Answered) -> None:
    seen: list[httpx2.Request] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        seen.append(request)
        return httpx2.Response(200, json={"items": []})

    tokens = request_id.set("r-1"), traceparent.set(TRACE)
    try:
        result = await answered(httpx2.MockTransport(answer)).get("/internal/x", since="a b")
    finally:
        request_id.reset(tokens[0])
        traceparent.reset(tokens[1])
    assert result == {"items": []}
    (request,) = seen
    assert dict(request.url.params) == {"since": "a b"}
    assert request.headers["x-request-id"] == "r-1"
    assert request.headers["traceparent"] == TRACE
    assert asked_by(request.headers["authorization"]) == "gateway"
    sent = jwt.decode(
        request.headers["authorization"].removeprefix("Bearer "),
        options={"verify_signature": False},
    )
    assert sent["exp"] - sent["iat"] == LIFETIME_SECONDS


async def test_an_empty_answer_is_none(answered: Answered) -> None:
    client = answered(httpx2.MockTransport(lambda _: httpx2.Response(204)))
    assert await client.post("/internal/x", {"a": 1}) is None


@pytest.mark.parametrize("status", [500, 502, 503])
async def test_a_service_that_fails_is_unavailable(answered: Answered, status: int) -> None:
    client = answered(httpx2.MockTransport(lambda _: httpx2.Response(status)))
    with pytest.raises(Unavailable) as raised:
        await client.get("/internal/x")
    assert raised.value.dependency == "auth"


@pytest.mark.parametrize("status", [400, 401, 404, 422])
async def test_a_refusal_is_told_with_its_status(answered: Answered, status: int) -> None:
    client = answered(httpx2.MockTransport(lambda _: httpx2.Response(status)))
    with pytest.raises(ServiceCallError) as raised:
        await client.get("/internal/x")
    assert raised.value.status == status


async def test_a_service_that_is_down_is_unavailable() -> None:
    client = ServiceClient(SETTINGS, source="gateway", target="auth")
    with pytest.raises(Unavailable):  # not started yet
        await client.get("/internal/x")
    await client.start()
    with pytest.raises(Unavailable):  # there is no socket
        await client.get("/internal/x")
    await client.stop()
    await client.stop()
