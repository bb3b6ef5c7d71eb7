"""What nginx does with the gateway's decision."""

import json
import re
from uuid import uuid4

import httpx2
import pytest
import websockets

from tests.deploy.nginx.edge import Edge
from tests.deploy.nginx.problems import assert_problem, split


async def test_admitted_request_reaches_its_service_unchanged(
    edge: Edge, client: httpx2.AsyncClient
) -> None:
    headers = edge.token()
    response = await client.get("/v1/files?limit=2&x=%2F", headers=headers)
    assert (response.status_code, response.json()) == (200, {"ok": True})
    [received] = edge.services["files"].received
    assert (received.method, received.path, received.query) == ("GET", "/v1/files", "limit=2&x=%2F")
    assert received.headers["authorization"] == headers["Authorization"]
    assert received.headers["x-request-id"] == response.headers["x-request-id"]


async def test_json_body_reaches_a_public_route(edge: Edge, client: httpx2.AsyncClient) -> None:
    response = await client.post("/v1/auth/login", json={"email": "a@b.c", "password": "x"})
    assert response.status_code == 200
    [received] = edge.services["auth"].received
    assert json.loads(received.body) == {"email": "a@b.c", "password": "x"}


@pytest.mark.parametrize(
    ("request_line", "headers", "problem"),
    [
        ("GET /v1/files", {}, (401, "authentication_required")),
        ("GET /v1/files", {"Authorization": "Basic eA=="}, (401, "authentication_required")),
        ("GET /v1/files", {"Authorization": "Bearer forged"}, (401, "token_invalid")),
        ("GET /v1/files", {"X-Api-Key": "nonsense"}, (401, "api_key_invalid")),
        ("GET /v1/nothing", {}, (404, "not_found")),
        ("GET /", {}, (404, "not_found")),
        ("GET /internal/jwks", {}, (404, "not_found")),
        ("GET /_decide", {}, (404, "not_found")),
        ("GET /_object/", {}, (404, "not_found")),
        ("GET /_problem/rate_limited", {}, (404, "not_found")),
        ("GET /metrics", {}, (404, "not_found")),
        ("PUT /v1/files", {}, (405, "method_not_allowed")),
    ],
)
async def test_refusal_is_a_problem(
    edge: Edge,
    client: httpx2.AsyncClient,
    request_line: str,
    headers: dict[str, str],
    problem: tuple[int, str],
) -> None:
    method, path = request_line.split()
    response = await client.request(method, path, headers=headers)
    assert_problem(response, *problem)
    assert ("www-authenticate" in response.headers) is (problem[0] == 401)
    assert all(not service.received for service in edge.services.values())


async def test_revoked_token_is_refused(edge: Edge, client: httpx2.AsyncClient) -> None:
    session_id = uuid4()
    edge.revocations.revoked.add(session_id)
    response = await client.get("/v1/files", headers=edge.token(session_id=session_id))
    assert_problem(response, 401, "token_revoked")
    assert response.headers["www-authenticate"] == 'Bearer error="invalid_token"'


async def test_stale_revocations_close_the_door(edge: Edge, client: httpx2.AsyncClient) -> None:
    edge.revocations.stale = True
    response = await client.get("/v1/files", headers=edge.token())
    assert_problem(response, 503, "dependency_unavailable")
    assert response.headers["retry-after"] == "5"


async def test_405_names_the_methods(client: httpx2.AsyncClient) -> None:
    response = await client.put("/v1/auth/sessions")
    assert response.headers["allow"] == "DELETE, GET, HEAD"


async def test_api_key_is_exchanged_for_a_token(edge: Edge, client: httpx2.AsyncClient) -> None:
    key = "fh_" + "k" * 43
    token = edge.issuer.token(scope="files:read", life_seconds=60)
    edge.auth_calls.keys[key] = {"access_token": token, "expires_in": 60}
    for headers in ({"X-Api-Key": key}, {"Authorization": f"Bearer {key}"}):
        response = await client.get("/v1/files", headers=headers)
        assert response.status_code == 200
        assert "x-freehold-authorization" not in response.headers
    assert edge.auth_calls.asked == [key]
    for received in edge.services["files"].received:
        assert received.headers["authorization"] == f"Bearer {token}"
        assert "x-api-key" not in received.headers


async def test_the_scope_that_a_call_needs_is_named(edge: Edge, client: httpx2.AsyncClient) -> None:
    key = "fh_" + "s" * 43
    token = edge.issuer.token(scope="realtime", life_seconds=60)
    edge.auth_calls.keys[key] = {"access_token": token, "expires_in": 60}
    for method, scope in (("GET", "files:read"), ("POST", "files:write")):
        headers = {"X-Api-Key": key, "X-Freehold-Scope": "forged"}
        response = await client.request(method, "/v1/files", headers=headers)
        assert_problem(response, 403, "scope_missing")
        assert response.json()["detail"] == f"The API key lacks the scope `{scope}`."
        assert "x-freehold-scope" not in response.headers
    assert edge.services["files"].received == []


async def test_client_cannot_forge_what_our_own_parts_say(
    edge: Edge, client: httpx2.AsyncClient
) -> None:
    names = (
        "X-Request-Id",
        "X-User-Id",
        "X-Role",
        "X-Original-URI",
        "X-Original-Method",
        "X-Freehold-Authorization",
        "X-Freehold-Object",
        "X-Freehold-Problem",
        "X-Freehold-Scope",
        "X-Forwarded-Host",
        "X-HTTP-Method-Override",
        "Forwarded",
        "X-Real-IP",
        "X-Forwarded-For",
        "X-Forwarded-Proto",
        "Host",
        "Upgrade",
    )
    forged = dict.fromkeys(names, "forged")
    response = await client.get("/v1/files", headers=forged | edge.token())
    assert response.status_code == 200
    [received] = edge.services["files"].received
    assert "forged" not in received.headers.values()
    assert received.headers["host"] == "freehold.test"
    assert received.headers["x-real-ip"] == "127.0.0.1"
    assert received.headers["x-forwarded-proto"] == "http"
    assert response.headers["x-request-id"] != "forged"
    # The decision too is about the real request, not about the one the headers tell of.
    response = await client.get("/v1/auth/me", headers={"X-Original-URI": "/healthz"})
    assert_problem(response, 401, "authentication_required")


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("00-" + "a" * 32 + "-" + "b" * 16 + "-01", True),
        ("00-" + "0" * 32 + "-" + "b" * 16 + "-01", False),
        ("nonsense", False),
        (None, False),
    ],
)
async def test_trace_context_is_kept_or_begun(
    edge: Edge, client: httpx2.AsyncClient, given: str | None, *, kept: bool
) -> None:
    headers = edge.token() | ({"traceparent": given} if given else {})
    response = await client.get("/v1/files", headers=headers)
    [received] = edge.services["files"].received
    trace = received.headers["traceparent"]
    assert (trace == given) is kept
    assert re.fullmatch(r"00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}", trace)
    if not kept:
        assert trace.split("-")[1] == response.headers["x-request-id"]


@pytest.mark.parametrize(
    "target",
    [
        "//v1/auth/me",
        "/v1//auth/me",
        "/v1/files/../auth/me",
        "/v1/auth/./me",
        "/v1/files/%2e%2e/auth/me",
        "/v1/files/x%2Fcontent",
        "/v1/files/x%5Ccontent",
        "/v1/files/x%252Fcontent",
        "/v1/files/x%0Acontent",
        "/v1/files/x%00",
        "/v1/files/x\\y",
        "/v1/files/\xff",
    ],
)
async def test_two_faced_address_is_refused(edge: Edge, target: str) -> None:
    token = edge.token()["Authorization"]
    answer = await edge.raw(
        f"GET {target} HTTP/1.1\r\nHost: x\r\nAuthorization: {token}\r\n"
        "Connection: close\r\n\r\n".encode("latin-1")
    )
    status, headers, body = split(answer)
    assert (status, headers["content-type"]) == (400, "application/problem+json")
    assert json.loads(body)["code"] == "bad_request"
    assert all(not service.received for service in edge.services.values())


@pytest.mark.parametrize("expect", [b"", b"Expect: 100-continue\r\n"])
async def test_unauthorised_upload_is_refused_before_its_body(edge: Edge, expect: bytes) -> None:
    head = b"POST /v1/files HTTP/1.1\r\nHost: x\r\nContent-Length: 104857600\r\n" + expect + b"\r\n"
    status, _, body = split(await edge.raw(head))
    assert (status, json.loads(body)["code"]) == (401, "authentication_required")
    assert edge.services["files"].received == []


async def test_upload_streams_and_may_be_large(edge: Edge, client: httpx2.AsyncClient) -> None:
    body = bytes(3 * 1024 * 1024)
    response = await client.post("/v1/files", content=body, headers=edge.token())
    assert response.status_code == 200
    [received] = edge.services["files"].received
    assert len(received.body) == len(body)


async def test_websocket_is_passed_on(edge: Edge) -> None:
    address = f"ws://127.0.0.1:{edge.port}/v1/realtime"
    async with websockets.connect(address, additional_headers={"X-User-Id": "forged"}) as socket:
        await socket.send("hello")
        assert await socket.recv() == "hello"
        assert socket.response is not None
        assert "x-request-id" in socket.response.headers
    [received] = edge.services["realtime"].received
    assert "x-user-id" not in received.headers


async def test_head_is_a_get_without_a_body(edge: Edge, client: httpx2.AsyncClient) -> None:
    response = await client.head("/v1/files", headers=edge.token())
    assert (response.status_code, response.content) == (200, b"")
    assert edge.services["files"].received[0].method == "HEAD"
