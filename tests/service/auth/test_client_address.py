"""Where a client is: its connection's real other end, whatever its headers say (S34)."""

from collections.abc import AsyncIterator

import httpx2
import pytest

from services.auth.app import web
from shared.chassis.lifecycle import Lifecycle
from tests.deploy.nginx.edge import Edge
from tests.parts.waiting import PATIENCE_SECONDS
from tests.service.auth.auth_service import PASSWORD, PUBLIC_URL, AuthService

EMAIL = "ada@example.com"
ATTACKER = "127.0.0.2"
OWNER = "127.0.0.3"
CLAIMED = "203.0.113.99"
CLAIMS: list[list[tuple[str, str]]] = [
    [("X-Forwarded-For", CLAIMED)],
    [("X-Forwarded-For", f"{CLAIMED}, 127.0.0.1")],
    [("X-Forwarded-For", CLAIMED), ("X-Forwarded-For", CLAIMED)],
    [("x-forwarded-for", CLAIMED), ("X-FORWARDED-FOR", "")],
    [("X-Real-IP", CLAIMED)],
    [("X-Real-IP", CLAIMED), ("x-real-ip", CLAIMED)],
    [("X_Real_IP", CLAIMED)],
    [("Forwarded", f"for={CLAIMED};proto=https")],
    [("X-Client-IP", CLAIMED)],
    [("True-Client-IP", CLAIMED), ("CF-Connecting-IP", CLAIMED)],
    [("X-Cluster-Client-IP", CLAIMED), ("X-Originating-IP", CLAIMED)],
    [("Connection", "X-Real-IP"), ("X-Forwarded-For", CLAIMED)],
]


@pytest.fixture(scope="module")
async def edge() -> AsyncIterator[Edge]:
    edge = Edge()
    await edge.start()
    yield edge
    await edge.stop()


@pytest.fixture
async def behind_edge(edge: Edge, auth: AuthService) -> AsyncIterator[Edge]:
    """Give the edge with the real auth service behind it."""
    lifecycle = Lifecycle()
    await edge.kill("auth")
    await edge.serve("auth", await web(auth.settings, lifecycle))
    yield edge
    await edge.kill("auth")
    await lifecycle.stop()
    await edge.serve("auth", edge.services["auth"])


async def log_in(
    edge: Edge, password: str, *, peer: str, headers: list[tuple[str, str]]
) -> httpx2.Response:
    """Log in through nginx over a connection from this address."""
    body = {"email": EMAIL, "password": password, "token_delivery": "body"}
    transport = httpx2.AsyncHTTPTransport(local_address=peer)
    async with httpx2.AsyncClient(
        transport=transport, base_url=edge.url, timeout=PATIENCE_SECONDS
    ) as client:
        return await client.post("/v1/auth/login", json=body, headers=headers)


async def test_s34_sessions_and_the_log_show_the_real_other_end(
    behind_edge: Edge, auth: AuthService
) -> None:
    await auth.register(EMAIL)

    for claims in CLAIMS:
        answer = await log_in(behind_edge, PASSWORD, peer=ATTACKER, headers=claims)
        assert answer.status_code == 200, answer.text

    for table in ("sessions", "audit_log"):
        rows = await auth.database.fetch(
            f"SELECT host(address) AS address FROM {table} ORDER BY id DESC LIMIT $1", len(CLAIMS)
        )
        assert [row["address"] for row in rows] == [ATTACKER] * len(CLAIMS)


@pytest.mark.usefixtures("long_waits")
async def test_s34_claiming_other_addresses_gives_a_guesser_no_more_guesses(
    behind_edge: Edge, auth: AuthService
) -> None:
    await auth.register(EMAIL)
    statuses = []
    for number, claims in enumerate(CLAIMS):
        moving = [(name, value.replace("99", str(number))) for name, value in claims]
        answer = await log_in(behind_edge, "guess", peer=ATTACKER, headers=moving)
        statuses.append(answer.status_code)

    assert statuses == [401] * 5 + [429] * (len(CLAIMS) - 5)
    owners = await log_in(behind_edge, PASSWORD, peer=OWNER, headers=[])
    assert owners.status_code == 200
    networks = await auth.database.fetch("SELECT DISTINCT network::text FROM login_failures")
    assert [row["network"] for row in networks] == [f"{ATTACKER}/32"]


@pytest.mark.parametrize("claims", [claims for claims in CLAIMS if "X-Real-IP" not in dict(claims)])
async def test_s34_auth_itself_reads_no_header_that_a_client_could_have_sent(
    auth: AuthService, claims: list[tuple[str, str]]
) -> None:
    await auth.register(EMAIL)
    transport = auth.client._transport
    body = {"email": EMAIL, "password": PASSWORD, "token_delivery": "body"}
    async with httpx2.AsyncClient(transport=transport, base_url=PUBLIC_URL) as direct:
        answer = await direct.post("/v1/auth/login", json=body, headers=claims)

    assert answer.status_code == 200
    assert await auth.database.fetchval(
        "SELECT address IS NULL FROM sessions ORDER BY id DESC LIMIT 1"
    )


@pytest.mark.parametrize(
    "header",
    ["", "unix:", "127.0.0.1:80", "127.1", "0x7f.0.0.1", "a" * 10_000, "::1, ::2"],
)
async def test_s34_what_is_no_address_is_nowhere(auth: AuthService, header: str) -> None:
    await auth.register(EMAIL)

    assert (await auth.log_in(EMAIL, x_real_ip=header)).status_code == 200

    [address] = await auth.database.fetch(
        "SELECT host(address) AS address FROM sessions ORDER BY id DESC LIMIT 1"
    )
    assert address["address"] is None
