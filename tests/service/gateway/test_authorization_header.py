"""The door fails closed: whatever stands in `Authorization`, the answer is a decision."""

import httpx2
import pytest

from services.gateway.api_keys import ApiKeyExchange
from services.gateway.decision_endpoint import DecisionEndpoint
from services.gateway.decision_path import DECISION_PATH
from services.gateway.decisions import Door
from services.gateway.route_table import ROUTES
from services.gateway.routing import Router
from shared.chassis.http import http_application
from shared.chassis.identity.tokens import TokenVerifier
from tests.parts.authorization import MALFORMED, nested_token
from tests.service.gateway.credentials import ISSUER, KEY_ID, AuthCalls, Issuer, Revocations

CODES = {"authentication_required", "token_invalid", "api_key_invalid"}


class Asked:
    """The decision, as nginx asks for it."""

    def __init__(self) -> None:
        self.issuer = Issuer()
        self.auth = AuthCalls()
        door = Door(
            Router(ROUTES),
            TokenVerifier(self.issuer, issuer=ISSUER),
            Revocations(),  # type: ignore[arg-type] # the two members that are used
            ApiKeyExchange(self.auth),
        )
        self._application = DecisionEndpoint(door, http_application(routes=[]))

    async def decide(self, target: str, headers: list[tuple[bytes, bytes]]) -> httpx2.Response:
        method, _, path = target.partition(" ")
        told = [(b"X-Original-Method", method.encode()), (b"X-Original-URI", path.encode())]
        transport = httpx2.ASGITransport(self._application)
        async with httpx2.AsyncClient(transport=transport, base_url="http://gateway") as client:
            return await client.get(DECISION_PATH, headers=[*told, *headers])


@pytest.mark.parametrize("header", [b"Authorization", b"X-API-Key"])
@pytest.mark.parametrize("values", MALFORMED.values(), ids=MALFORMED.keys())
async def test_s35_a_malformed_credential_is_refused_and_nothing_breaks(
    header: bytes, values: list[bytes]
) -> None:
    asked = Asked()

    answer = await asked.decide("GET /v1/files", [(header, value) for value in values])

    assert answer.status_code == 401
    assert answer.headers["x-freehold-problem"] in CODES
    assert asked.auth.asked == []
    public = await asked.decide("POST /v1/auth/login", [(header, value) for value in values])
    assert public.status_code == 204


async def test_s35_a_body_that_no_json_reader_takes_is_refused() -> None:
    answer = await Asked().decide("GET /v1/files", [(b"Authorization", nested_token(KEY_ID))])

    assert (answer.status_code, answer.headers["x-freehold-problem"]) == (401, "token_invalid")


async def test_s35_two_headers_are_refused_although_either_would_do() -> None:
    # Which of them a service behind the door would read is not certain.
    asked = Asked()
    good = (b"Authorization", f"Bearer {asked.issuer.token()}".encode())
    assert (await asked.decide("GET /v1/files", [good])).status_code == 204

    for headers in ([good, good], [good, (b"Authorization", b"")], [(b"Authorization", b""), good]):
        answer = await asked.decide("GET /v1/files", headers)
        assert answer.status_code == 401
