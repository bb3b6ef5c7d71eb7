"""Who is let in where: guest, user, administrator, API key."""

from dataclasses import dataclass, field
from uuid import uuid4

import pytest

from services.gateway.api_keys import ApiKeyExchange
from services.gateway.decision_endpoint import DecisionEndpoint
from services.gateway.decision_path import DECISION_PATH
from services.gateway.decisions import ADMITTED, Admission, Door
from services.gateway.route import Access, Route
from services.gateway.route_table import ROUTES
from services.gateway.routing import Refusal, Router
from shared.chassis.errors import Unavailable
from shared.chassis.identity.service_calls import ServiceCallError
from shared.chassis.identity.tokens import TokenVerifier
from shared.schemas.problems import ProblemCode
from tests.service.gateway.credentials import ISSUER, AuthCalls, Issuer, Revocations

KEY = "fh_" + "k" * 43
FOR_ADMINISTRATORS = Route(
    method="GET",
    path="/v1/console",
    service="auth",
    access=Access.ADMINISTRATOR,
    summary="A route of the test's",
)


@dataclass
class Gate:
    """The door with everything around it."""

    issuer: Issuer = field(default_factory=Issuer)
    revocations: Revocations = field(default_factory=Revocations)
    auth: AuthCalls = field(default_factory=AuthCalls)

    def __post_init__(self) -> None:
        self.door = Door(
            Router([*ROUTES, FOR_ADMINISTRATORS]),
            TokenVerifier(self.issuer, issuer=ISSUER),
            self.revocations,  # type: ignore[arg-type] # the two members that are used
            ApiKeyExchange(self.auth),
        )

    async def judge(self, target: str, authorization: str = "", api_key: str = "") -> object:
        method, _, path = target.partition(" ")
        return await self.door.judge(method, path, authorization, api_key)


@pytest.fixture
def gate() -> Gate:
    return Gate()


async def test_public_route_lets_everybody_in_whatever_they_carry(gate: Gate) -> None:
    for authorization in ("", "Bearer nonsense", f"Bearer {KEY}"):
        assert await gate.judge("POST /v1/auth/login", authorization) is ADMITTED
    assert gate.auth.asked == []


async def test_user_is_let_in_by_a_token(gate: Gate) -> None:
    token = gate.issuer.token()
    for scheme in ("Bearer", "bearer", "BEARER"):
        assert await gate.judge("GET /v1/files", f"{scheme} {token}") is ADMITTED


@pytest.mark.parametrize(
    ("authorization", "code"),
    [
        ("", ProblemCode.AUTHENTICATION_REQUIRED),
        ("Bearer", ProblemCode.AUTHENTICATION_REQUIRED),
        ("Bearer  ", ProblemCode.AUTHENTICATION_REQUIRED),
        ("Basic YTpi", ProblemCode.AUTHENTICATION_REQUIRED),
        ("Bearer a.b.c", ProblemCode.TOKEN_INVALID),
        ("Bearer \xff", ProblemCode.TOKEN_INVALID),
        ("Bearer fh_short", ProblemCode.API_KEY_INVALID),
    ],
)
async def test_guest_is_told_why_not(gate: Gate, authorization: str, code: ProblemCode) -> None:
    assert await gate.judge("GET /v1/files", authorization) == Refusal(code)
    assert gate.auth.asked == []


@pytest.mark.parametrize(
    ("claims", "code"),
    [
        ({"life_seconds": -1}, ProblemCode.TOKEN_EXPIRED),
        ({"iss": "http://other.test"}, ProblemCode.TOKEN_INVALID),
        ({"aud": "other"}, ProblemCode.TOKEN_INVALID),
        ({"sub": "nobody"}, ProblemCode.TOKEN_INVALID),
    ],
)
async def test_token_for_something_else_is_refused(
    gate: Gate, claims: dict[str, object], code: ProblemCode
) -> None:
    token = gate.issuer.token(**claims)  # type: ignore[arg-type] # passed on
    assert await gate.judge("GET /v1/files", f"Bearer {token}") == Refusal(code)


async def test_token_of_another_issuers_key_is_refused(gate: Gate) -> None:
    token = Issuer().token()
    verdict = await gate.judge("GET /v1/files", f"Bearer {token}")
    assert verdict == Refusal(ProblemCode.TOKEN_INVALID)


async def test_revocation_counts_for_a_token_that_was_let_in_before(gate: Gate) -> None:
    session_id = uuid4()
    bearer = f"Bearer {gate.issuer.token(session_id=session_id)}"
    assert await gate.judge("GET /v1/files", bearer) is ADMITTED
    gate.revocations.revoked.add(session_id)
    assert await gate.judge("GET /v1/files", bearer) == Refusal(ProblemCode.TOKEN_REVOKED)


async def test_a_public_route_that_takes_tokens_judges_those_that_it_gets(gate: Gate) -> None:
    log_out, session_id, key_id = "POST /v1/auth/logout", uuid4(), uuid4()
    bearer = f"Bearer {gate.issuer.token(session_id=session_id)}"
    expired = f"Bearer {gate.issuer.token(session_id=session_id, life_seconds=-1)}"
    token = gate.issuer.token(scope="files:read", session_id=key_id, life_seconds=60)
    gate.auth.keys[KEY] = {"access_token": token, "expires_in": 60}
    for authorization in ("", "Basic YTpi", "Bearer", bearer, expired):
        assert await gate.judge(log_out, authorization) is ADMITTED
    assert await gate.judge(log_out, "", KEY) == Admission(token), "auth says what it may not"
    assert await gate.judge(log_out, "Bearer a.b.c") == Refusal(ProblemCode.TOKEN_INVALID)
    gate.revocations.revoked |= {session_id, key_id}
    assert await gate.judge(log_out, bearer) == Refusal(ProblemCode.TOKEN_REVOKED)
    assert await gate.judge(log_out, "", KEY) == Refusal(ProblemCode.API_KEY_INVALID)
    gate.revocations.stale = True
    assert await gate.judge(log_out, bearer) == Refusal(ProblemCode.DEPENDENCY_UNAVAILABLE)
    assert await gate.judge(log_out) is ADMITTED


async def test_nobody_is_let_in_on_a_guess(gate: Gate) -> None:
    gate.revocations.stale = True
    bearer = f"Bearer {gate.issuer.token()}"
    assert await gate.judge("GET /v1/files", bearer) == Refusal(ProblemCode.DEPENDENCY_UNAVAILABLE)
    assert await gate.judge("POST /v1/auth/login") is ADMITTED


@pytest.mark.parametrize(
    ("claims", "admitted"),
    [
        ({"roles": ("user",)}, False),
        ({"roles": ("user", "administrator")}, True),
        ({"roles": ("user", "administrator"), "scope": "files:read"}, False),
    ],
)
async def test_only_administrators_in_a_session_pass_their_door(
    gate: Gate, claims: dict[str, object], *, admitted: bool
) -> None:
    token = gate.issuer.token(**claims)  # type: ignore[arg-type] # passed on
    verdict = await gate.judge("GET /v1/console", f"Bearer {token}")
    assert verdict == (ADMITTED if admitted else Refusal(ProblemCode.ADMINISTRATOR_REQUIRED))


@pytest.mark.parametrize(
    ("scope", "target", "lacking"),
    [
        ("files:read", "GET /v1/files", None),
        ("files:read", "POST /v1/files", "files:write"),
        ("files:read files:write", "POST /v1/files", None),
        ("realtime", "GET /v1/files", "files:read"),
        ("realtime", "POST /v1/realtime/publish", None),
        # Auth itself decides what a key may do with its owner's account.
        ("realtime", "GET /v1/auth/me", None),
    ],
)
async def test_key_opens_what_it_was_made_for(
    gate: Gate, scope: str, target: str, lacking: str | None
) -> None:
    token = gate.issuer.token(scope=scope, life_seconds=60)
    gate.auth.keys[KEY] = {"access_token": token, "expires_in": 60}
    verdict = Refusal(ProblemCode.SCOPE_MISSING, scope=lacking) if lacking else Admission(token)
    assert await gate.judge(target, f"Bearer {KEY}") == verdict
    assert await gate.judge(target, "", KEY) == verdict
    assert gate.auth.asked == [KEY]


async def test_deleted_key_stops_although_its_token_is_remembered(gate: Gate) -> None:
    key_id = uuid4()
    token = gate.issuer.token(session_id=key_id, scope="files:read", life_seconds=60)
    gate.auth.keys[KEY] = {"access_token": token, "expires_in": 60}
    assert await gate.judge("GET /v1/files", "", KEY) == Admission(token)
    gate.revocations.revoked.add(key_id)
    assert await gate.judge("GET /v1/files", "", KEY) == Refusal(ProblemCode.API_KEY_INVALID)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ServiceCallError(401, ""), ProblemCode.API_KEY_INVALID),
        (Unavailable("auth"), ProblemCode.DEPENDENCY_UNAVAILABLE),
    ],
)
async def test_key_that_cannot_be_exchanged_is_refused(
    gate: Gate, error: Exception, code: ProblemCode
) -> None:
    gate.auth.error = error
    assert await gate.judge("GET /v1/files", "", KEY) == Refusal(code)


@pytest.mark.parametrize(
    ("target", "credential", "status", "headers"),
    [
        ("GET /healthz", "", 204, {}),
        ("GET /v1/files", "", 401, {b"x-freehold-problem": b"authentication_required"}),
        ("GET /nothing", "", 403, {b"x-freehold-problem": b"not_found"}),
        (
            "PUT /healthz",
            "",
            403,
            {b"x-freehold-problem": b"method_not_allowed", b"allow": b"GET, HEAD"},
        ),
        ("GET /v1/files", KEY, 204, {b"x-freehold-authorization": b"Bearer minted"}),
    ],
)
async def test_nginx_gets_an_empty_answer(
    target: str, credential: str, status: int, headers: dict[bytes, bytes]
) -> None:
    class OnlyKeys:
        async def judge(self, *request: str, address: str) -> object:
            assert address == "203.0.113.7"
            if request[3]:
                return Admission("minted")
            return await Gate().door.judge(*request)

    async def nothing(*_: object) -> None:
        raise AssertionError("the application has no part in a decision")

    sent: list[dict[str, object]] = []

    async def send(message: dict[str, object]) -> None:
        sent.append(message)

    method, _, path = target.partition(" ")
    scope = {
        "type": "http",
        "path": DECISION_PATH,
        "headers": [
            (b"x-original-method", method.encode()),
            (b"x-original-uri", path.encode()),
            (b"x-api-key", credential.encode()),
            (b"x-request-id", b"0" * 32),
            (b"x-real-ip", b"203.0.113.7"),
        ],
    }
    endpoint = DecisionEndpoint(OnlyKeys(), nothing)  # type: ignore[arg-type] # stands for a door
    await endpoint(scope, nothing, send)  # type: ignore[arg-type] # plain dictionaries are messages
    [start, body] = sent
    assert start["status"] == status
    assert dict(start["headers"]) == {b"content-length": b"0"} | headers  # type: ignore[call-overload] # an object
    assert body == {"type": "http.response.body", "body": b""}
