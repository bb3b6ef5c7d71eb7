"""Every error is one shape and reveals nothing; every request is named, traced and measured."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import httpx2
import pytest
from prometheus_client import REGISTRY
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Message

from shared.chassis.errors import Problem, Unavailable
from shared.chassis.http import http_application, json_response, read_json
from shared.chassis.telemetry.tracing import is_traceparent, request_id, traceparent
from shared.schemas.problem_kinds import PROBLEMS
from shared.schemas.problems import ProblemCode

SECRET = "the-password-of-the-database"
TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


class Thing(BaseModel):
    name: str = Field(min_length=2)
    size: int = 0


class OptionalThing(BaseModel):
    size: int = 0


class StrictThing(Thing):
    model_config = ConfigDict(extra="forbid")


async def create_strictly(request: Request) -> Response:
    return json_response(await read_json(request, StrictThing), 201)


async def create(request: Request) -> Response:
    return json_response(await read_json(request, Thing, limit=1000), 201)


async def create_optionally(request: Request) -> Response:
    return json_response(await read_json(request, OptionalThing), 201)


async def fail(request: Request) -> Response:
    raise {
        "problem": Problem(ProblemCode.FILE_NOT_READY, headers={"X-Hint": "wait"}),
        "unavailable": Unavailable("postgres"),
        "unexpected": RuntimeError(SECRET),
        "http": HTTPException(402, SECRET),
    }[request.path_params["how"]]


async def fail_late(_: Request) -> Response:
    async def body() -> AsyncIterator[bytes]:
        yield b"begun"
        raise RuntimeError(SECRET)

    return StreamingResponse(body())


async def context(_: Request) -> Response:
    return PlainTextResponse(f"{request_id.get()} {traceparent.get()}")


@pytest.fixture
def application() -> ASGIApp:
    return http_application(
        routes=[
            Route("/things", create, methods=["POST"]),
            Route("/optional", create_optionally, methods=["POST"]),
            Route("/strict", create_strictly, methods=["POST"]),
            Route("/fail/{how}", fail),
            Route("/late", fail_late),
            Route("/context", context),
        ]
    )


@pytest.fixture
async def client(application: ASGIApp) -> AsyncIterator[httpx2.AsyncClient]:
    transport = httpx2.ASGITransport(application, raise_app_exceptions=False)
    async with httpx2.AsyncClient(
        transport=transport, base_url="http://service", headers={"X-Request-Id": "r-1"}
    ) as client:
        yield client


def observed(method: str, route: str, status: int) -> float:
    labels = {"method": method, "route": route, "status_code": str(status)}
    return REGISTRY.get_sample_value("http_request_duration_seconds_count", labels) or 0.0


@dataclass(frozen=True)
class Wrong:
    """A request that cannot be answered, and the problem it gets."""

    method: str
    path: str
    code: ProblemCode
    sent: dict[str, Any] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)


@pytest.mark.parametrize(
    "wrong",
    [
        Wrong("GET", "/nowhere", ProblemCode.NOT_FOUND),
        Wrong("GET", "/things", ProblemCode.METHOD_NOT_ALLOWED, headers={"Allow": "POST"}),
        Wrong("POST", "/things", ProblemCode.UNSUPPORTED_MEDIA_TYPE, {"content": b"{}"}),
        Wrong("POST", "/things", ProblemCode.UNSUPPORTED_MEDIA_TYPE, {"data": {"name": "x"}}),
        Wrong("POST", "/things", ProblemCode.PAYLOAD_TOO_LARGE, {"json": "x" * 1000}),
        Wrong("POST", "/things", ProblemCode.VALIDATION_FAILED, {"json": {"name": "x"}}),
        Wrong("POST", "/things", ProblemCode.VALIDATION_FAILED, {"json": []}),
        Wrong("GET", "/fail/problem", ProblemCode.FILE_NOT_READY, headers={"X-Hint": "wait"}),
        Wrong(
            "GET",
            "/fail/unavailable",
            ProblemCode.DEPENDENCY_UNAVAILABLE,
            headers={"Retry-After": "5"},
        ),
        Wrong("GET", "/fail/unexpected", ProblemCode.INTERNAL_ERROR),
        Wrong("GET", "/fail/http", ProblemCode.BAD_REQUEST),
    ],
    ids=lambda wrong: f"{wrong.method} {wrong.path} {wrong.code}",
)
async def test_every_error_is_a_problem_that_names_the_request(
    client: httpx2.AsyncClient, wrong: Wrong
) -> None:
    answer = await client.request(wrong.method, wrong.path, **wrong.sent)
    kind = PROBLEMS[wrong.code]
    assert answer.status_code == kind.status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["cache-control"] == "no-store"
    assert {name: answer.headers.get(name) for name in wrong.headers} == wrong.headers
    body = answer.json()
    assert body.pop("detail")
    body.pop("errors", None)
    assert body == {
        "type": f"/docs#problem-{wrong.code.value}",
        "title": kind.title,
        "status": kind.status,
        "code": wrong.code.value,
        "request_id": "r-1",
    }


@pytest.mark.parametrize("how", ["unexpected", "unavailable", "http"])
async def test_what_went_wrong_inside_stays_inside(client: httpx2.AsyncClient, how: str) -> None:
    answer = await client.get(f"/fail/{how}")
    for word in (SECRET, "RuntimeError", "Traceback", "postgres"):
        assert word not in answer.text


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"{", b"\xff\xfe", b"[" * 999, b'{"name": "ab"} trailing'),
        '{"name": "ab"}'.encode("utf-16"),
        '{"name": "ab"}'.encode("utf-32-le"),
        b'{"name": "ab", "name": "cd"}',
        b'{"name": "ab", "more": [{"a": 1, "\\u0061": 2}]}',
    ],
    ids=[
        *("empty", "cut", "no UTF-8", "deep", "trailing"),
        *("UTF-16", "UTF-32", "twice", "twice inside"),
    ],
)
async def test_what_is_no_json_is_refused(client: httpx2.AsyncClient, body: bytes) -> None:
    answer = await client.post(
        "/things", content=body, headers={"Content-Type": "application/json"}
    )
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_json")


BEARER = {"Authorization": "Bearer token"}
JSON = {"Content-Type": "application/json"}


@pytest.mark.parametrize(
    ("headers", "content", "status", "code"),
    [
        (BEARER, b"", 201, None),
        (BEARER | JSON, b"", 201, None),
        (BEARER | JSON, b"{}", 201, None),
        (BEARER, b"{}", 415, "unsupported_media_type"),
        (BEARER | {"Content-Type": "text/plain"}, b"", 415, "unsupported_media_type"),
        ({}, b"", 415, "unsupported_media_type"),
        ({"Cookie": "session=1"}, b"", 415, "unsupported_media_type"),
        # Which a browser adds by itself once somebody has typed a password into it.
        ({"Authorization": "Basic YTpi"}, b"", 415, "unsupported_media_type"),
        (JSON, b"", 400, "invalid_json"),
    ],
)
async def test_who_asks_by_a_header_need_not_send_a_body_that_says_nothing(
    client: httpx2.AsyncClient,
    headers: dict[str, str],
    content: bytes,
    status: int,
    code: str | None,
) -> None:
    answer = await client.post("/optional", headers=headers, content=content)
    assert (answer.status_code, answer.json().get("code")) == (status, code)
    if code is None:
        assert answer.json() == {"size": 0}


async def test_an_absent_body_lacks_what_is_required(client: httpx2.AsyncClient) -> None:
    answer = await client.post("/things", headers=BEARER)
    assert answer.status_code == 422
    assert answer.json()["errors"] == [{"field": "name", "message": "This field is required."}]


async def test_wrong_fields_are_all_named_and_their_values_not_repeated(
    client: httpx2.AsyncClient,
) -> None:
    answer = await client.post("/things", json={"name": "x", "size": SECRET})
    assert [error["field"] for error in answer.json()["errors"]] == ["name", "size"]
    assert SECRET not in answer.text


async def test_of_very_many_faults_the_first_are_named_and_the_rest_counted(
    client: httpx2.AsyncClient,
) -> None:
    body = {"name": "ab"} | {f"{number:02}" * 80: 1 for number in range(5)}
    many = {"name": "ab", "size": 1} | {str(number): 1 for number in range(100)}

    few = (await client.post("/strict", json=body)).json()
    answer = (await client.post("/strict", json=many)).json()

    assert [len(error["field"]) for error in few["errors"]] == [100] * 5
    assert [error["field"] for error in answer["errors"]] == [str(number) for number in range(20)]
    assert answer["detail"] == "`errors` names the first 20 of 100 faults."


async def test_a_good_body_is_read_whatever_its_charset_parameter(
    client: httpx2.AsyncClient,
) -> None:
    answer = await client.post(
        "/things",
        content='{"name": "häuser"}'.encode(),
        headers={"Content-Type": "Application/JSON; charset=utf-8"},
    )
    assert (answer.status_code, answer.json()) == (201, {"name": "häuser", "size": 0})


async def test_a_body_without_a_length_is_cut_off_at_the_limit(client: httpx2.AsyncClient) -> None:
    taken = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal taken
        for _ in range(100):
            taken += 1
            yield b" " * 500

    answer = await client.post(
        "/things", content=endless(), headers={"Content-Type": "application/json"}
    )
    assert answer.status_code == 413
    assert taken == 3


async def test_an_answer_that_breaks_off_is_not_passed_off_as_whole(
    application: ASGIApp,
) -> None:
    async with httpx2.AsyncClient(
        transport=httpx2.ASGITransport(application), base_url="http://service"
    ) as client:
        with pytest.raises(RuntimeError):  # reaches the server, which cuts the connection
            await client.get("/late")


async def test_request_and_trace_ids_reach_the_handler(client: httpx2.AsyncClient) -> None:
    answer = await client.get("/context", headers={"traceparent": TRACE})
    assert answer.text == f"r-1 {TRACE}"


@pytest.mark.parametrize(
    "given", ["", "00-zz-01", TRACE.upper(), f"00-{'0' * 32}-00f067aa0ba902b7-01"]
)
async def test_a_trace_begins_where_none_valid_is_given(
    client: httpx2.AsyncClient, given: str
) -> None:
    answer = await client.get("/context", headers={"traceparent": given})
    assert is_traceparent(answer.text.partition(" ")[2])
    assert answer.text.partition(" ")[2] != TRACE


async def test_ids_end_with_their_request(client: httpx2.AsyncClient) -> None:
    await client.get("/context")
    assert (request_id.get(), traceparent.get()) == ("", None)


@pytest.mark.parametrize(
    ("method", "path", "route", "status"),
    [
        ("POST", "/things", "/things", 415),
        ("GET", "/things", "/things", 405),
        ("GET", "/fail/problem", "/fail/{how}", 409),
        ("GET", "/fail/unexpected", "/fail/{how}", 500),
        ("GET", "/nowhere/12345", "unknown", 404),
    ],
)
async def test_requests_are_measured_by_the_template_of_their_route(
    client: httpx2.AsyncClient, method: str, path: str, route: str, status: int
) -> None:
    before = observed(method, route, status)
    await client.request(method, path)
    assert observed(method, route, status) == before + 1


async def test_a_client_that_leaves_is_counted_as_gone_not_as_our_error(
    application: ASGIApp,
) -> None:
    before = observed("POST", "/things", 499)
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/things",
        "query_string": b"",
        "headers": [(b"content-type", b"application/json")],
    }
    await application(scope, receive, send)
    assert sent == []
    assert observed("POST", "/things", 499) == before + 1


def test_models_are_answered_by_their_aliases() -> None:
    class Aliased(BaseModel):
        inner: int = Field(serialization_alias="outer")

    response = json_response(Aliased(inner=1), 202, {"X-Extra": "1"})
    assert json.loads(bytes(response.body)) == {"outer": 1}
    assert (response.status_code, response.headers["x-extra"]) == (202, "1")
