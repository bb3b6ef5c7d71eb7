"""Errors that nginx makes itself, and services that are gone."""

import asyncio
import json

import httpx2
import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from tests.deploy.nginx.edge import Edge
from tests.deploy.nginx.problems import assert_problem, assert_problem_body, split
from tests.parts.waiting import PATIENCE_SECONDS


@pytest.mark.parametrize(
    ("request_bytes", "status", "code"),
    [
        (b"nonsense\r\n\r\n", 400, "bad_request"),
        (b"GET /healthz HTTP/1.1\r\n\r\n", 400, "bad_request"),
        (b"GET /a%zz HTTP/1.1\r\nHost: x\r\n\r\n", 400, "bad_request"),
        (b"GET /../.. HTTP/1.1\r\nHost: x\r\n\r\n", 400, "bad_request"),
        (
            b"PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
            400,
            "bad_request",
        ),
        (b"GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", 400, "bad_request"),
        (b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400, "bad_request"),
        (b"GET / HTTP/1.1\r\nHost: x\r\nA\0: b\r\n\r\n", 400, "bad_request"),
        (b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: abc\r\n\r\n", 400, "bad_request"),
        (b"PUT / HTTP/1.0\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n", 400, "bad_request"),
        (
            b"POST /v1/auth/login HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
            400,
            "bad_request",
        ),
        # What nginx calls 501.
        (b"GET / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n", 400, "bad_request"),
        # TLS, spoken to where none is: nginx's own 497 is for ports where both may come.
        (b"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03" + bytes(100), 400, "bad_request"),
        (b"GET http:// HTTP/1.1\r\nHost: x\r\n\r\n", 400, "bad_request"),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400, "bad_request"),
        (b"GET /healthz HTTP/3.0\r\nHost: x\r\n\r\n", 505, "http_version_not_supported"),
        (b"GET / HTTP/10.1\r\nHost: x\r\n\r\n", 505, "http_version_not_supported"),
        (b"TRACE / HTTP/1.1\r\nHost: x\r\n\r\n", 405, "method_not_allowed"),
        (b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 414, "uri_too_long"),
        (
            b"GET / HTTP/1.1\r\nHost: x\r\nX-Long: " + b"a" * 20_000 + b"\r\n\r\n",
            431,
            "headers_too_large",
        ),
        (
            b"POST /v1/files HTTP/1.1\r\nHost: x\r\nContent-Length: 10737418240\r\n\r\n",
            413,
            "payload_too_large",
        ),
        (
            b"POST /v1/auth/login HTTP/1.1\r\nHost: x\r\nContent-Length: 2000000\r\n\r\n",
            413,
            "payload_too_large",
        ),
    ],
)
async def test_trap_is_answered_with_a_problem(
    edge: Edge, request_bytes: bytes, status: int, code: str
) -> None:
    answered, headers, body = split(await edge.raw(request_bytes))
    assert (answered, headers["content-type"]) == (status, "application/problem+json"), body
    assert_problem_body(body, status, code, headers["x-request-id"])
    assert all(not service.received for service in edge.services.values())


@pytest.mark.parametrize(
    "begun",
    [
        b"GET /healthz HTT",
        b"GET /healthz HTTP/1.1\r\nHost: x\r\n",
        b"POST /v1/auth/login HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{",
    ],
)
async def test_who_is_too_slow_is_cut_off_without_an_answer(begun: bytes) -> None:
    """No configuration makes nginx send its 408; the shape of errors has nothing to say here."""
    edge = Edge()
    configuration = edge.folder / "nginx.conf"
    text = configuration.read_text()
    for kind, usual in (("header", 15), ("body", 30)):
        assert f"client_{kind}_timeout {usual}s;" in text
        text = text.replace(f"client_{kind}_timeout {usual}s;", f"client_{kind}_timeout 1s;")
    configuration.write_text(text)
    await edge.start()
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", edge.port)
        writer.write(begun)
        assert await asyncio.wait_for(reader.read(), 10) == b""
        writer.close()
    finally:
        await edge.stop()


async def test_too_long_chunked_body_is_refused(edge: Edge, client: httpx2.AsyncClient) -> None:
    async def chunks() -> object:
        for _ in range(20):
            yield bytes(100_000)

    response = await client.post("/v1/auth/login", content=chunks())  # type: ignore[arg-type] # an async generator
    assert_problem(response, 413, "payload_too_large")
    assert edge.services["auth"].received == []


async def test_dead_service_is_503_and_the_others_live(
    edge: Edge, client: httpx2.AsyncClient
) -> None:
    await edge.kill("files")
    try:
        for method in ("GET", "POST"):
            response = await client.request(method, "/v1/files", headers=edge.token())
            assert_problem(response, 503, "dependency_unavailable")
            assert response.headers["retry-after"] == "5"
        assert (await client.get("/.well-known/jwks.json")).status_code == 200
    finally:
        await edge.serve("files", edge.services["files"])
    assert (await client.get("/v1/files", headers=edge.token())).status_code == 200


async def test_dead_gateway_is_503_on_every_route(edge: Edge, client: httpx2.AsyncClient) -> None:
    await edge.kill("gateway")
    try:
        for path in ("/v1/files", "/.well-known/jwks.json", "/healthz", "/nothing"):
            assert_problem(await client.get(path), 503, "dependency_unavailable")
    finally:
        await edge.serve("gateway", edge.gateway())
    assert (await client.get("/.well-known/jwks.json")).status_code == 200
    assert all(len(service.received) <= 1 for service in edge.services.values())


async def test_errors_of_services_are_passed_on_unchanged(
    edge: Edge, client: httpx2.AsyncClient
) -> None:
    for status in (400, 401, 403, 404, 409, 413, 429, 500, 503):

        async def refuse(_: Request, status: int = status) -> Response:
            return JSONResponse(
                {"status": status},
                status,
                headers={"X-Request-Id": "the service's", "Retry-After": "7"},
            )

        edge.services["files"].answer = refuse
        response = await client.get("/v1/files", headers=edge.token())
        assert (response.status_code, response.json()) == (status, {"status": status})
        assert response.headers.get_list("retry-after") == ["7"]
        assert response.headers["x-request-id"] != "the service's"


async def test_answers_without_a_policy_of_their_own_get_the_strictest(
    edge: Edge, client: httpx2.AsyncClient
) -> None:
    strictest = "default-src 'none'; frame-ancestors 'none'"
    response = await client.get("/verify")
    assert response.headers.get_list("content-security-policy") == [strictest]

    async def page(_: Request) -> Response:
        return Response("", headers={"Content-Security-Policy": "default-src 'self'"})

    edge.services["auth"].answer = page
    response = await client.get("/verify")
    assert response.headers.get_list("content-security-policy") == ["default-src 'self'"]


async def test_access_log_tells_no_secret(edge: Edge, client: httpx2.AsyncClient) -> None:
    headers = edge.token()
    response = await client.get(
        "/v1/files?signature=hidden", headers=headers | {"User-Agent": 'a "test"'}
    )
    request_id = response.headers["x-request-id"]
    async with asyncio.timeout(PATIENCE_SECONDS):
        while request_id not in edge.settings.access_log.read_text():
            await asyncio.sleep(0.05)
    text = edge.settings.access_log.read_text()
    assert "hidden" not in text
    assert headers["Authorization"].removeprefix("Bearer ") not in text
    [line] = [line for line in text.splitlines() if request_id in line]
    entry = json.loads(line)
    assert {
        "method": "GET",
        "path": "/v1/files",
        "status": 200,
        "user_agent": 'a "test"',
        "action": "request",
    }.items() <= entry.items()


async def test_metrics_of_instances_are_on_loopback_only(edge: Edge) -> None:
    await edge.serve("metrics/auth-web-2", edge.services["auth"])
    await edge.serve("metrics/auth-worker-1", edge.services["auth"])
    try:
        async with httpx2.AsyncClient(
            base_url=f"http://127.0.0.1:{edge.metrics_port}", timeout=PATIENCE_SECONDS
        ) as prometheus:
            assert (await prometheus.get("/metrics/auth/2")).status_code == 200
            assert (await prometheus.get("/metrics/auth-worker/1")).status_code == 200
            assert (await prometheus.get("/metrics/auth/9")).status_code == 502
            assert (await prometheus.get("/metrics/nothing/1")).status_code == 404
            assert "Active connections" in (await prometheus.get("/nginx")).text
    finally:
        await edge.kill("metrics/auth-web-2")
        await edge.kill("metrics/auth-worker-1")
    assert {received.path for received in edge.services["auth"].received} == {"/metrics"}


async def test_request_limits_answer_429() -> None:
    edge = Edge(limits=True)
    await edge.start()
    try:
        async with httpx2.AsyncClient(base_url=edge.url, timeout=PATIENCE_SECONDS) as client:
            # All at once: with every tenth of a second that they take, one more is let in.
            answers = await asyncio.gather(
                *(client.post("/v1/auth/login", json={}) for _ in range(100))
            )
            refused = [answer for answer in answers if answer.status_code != 200]
            assert 5 < len(refused) < 60, "the first 41 are let in"
            assert_problem(refused[0], 429, "rate_limited")
            assert refused[0].headers["retry-after"] == "1"
            # Guesses are counted apart: reading goes on.
            assert (await client.get("/v1/files", headers=edge.token())).status_code == 200
    finally:
        await edge.stop()
