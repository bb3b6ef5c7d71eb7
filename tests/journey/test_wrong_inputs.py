"""Wrong inputs along the journey: a stable code in the one error shape, and nothing half done."""

import asyncio
import json
import os
import signal
import socket
import time
from collections.abc import AsyncIterator
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from shared.schemas.problem_kinds import PROBLEMS
from shared.schemas.problems import ProblemCode
from tests.journey.client import LONG_SECONDS, Client
from tests.journey.stack import RunningStack, new_address

MEMBERS = {"type", "title", "status", "detail", "code", "request_id"}


@pytest.fixture
async def ada(stack: RunningStack) -> AsyncIterator[Client]:
    async with Client(stack) as client:
        await client.sign_up()
        yield client


def assert_problem(response: Any, code: str) -> None:
    """The answer is a problem of this code, in the one shape."""
    assert response.headers["content-type"] == "application/problem+json", response.text
    body = response.json()
    assert body["code"] == code, body
    assert body["status"] == response.status_code == PROBLEMS[ProblemCode(code)].status
    assert set(body) - {"errors"} == MEMBERS
    assert body["request_id"] == response.headers["x-request-id"]


JSON = {"Content-Type": "application/json"}

REQUESTS: list[tuple[str, str, str, dict[str, Any], str]] = [
    ("bad JSON", "POST", "/v1/auth/login", {"content": b"{", "headers": JSON}, "invalid_json"),
    ("no JSON", "POST", "/v1/auth/login", {"content": b"x=1"}, "unsupported_media_type"),
    ("missing fields", "POST", "/v1/auth/login", {"json": {}}, "validation_failed"),
    (
        "unknown field",
        "POST",
        "/v1/auth/signup",
        {"json": {"email": "a@example.com", "password": "long enough here", "admin": True}},
        "validation_failed",
    ),
    (
        "wrong password",
        "POST",
        "/v1/auth/login",
        {"json": {"email": "nobody@example.com", "password": "wrong password"}},
        "invalid_credentials",
    ),
    ("wrong link", "POST", "/v1/auth/verify", {"json": {"token": "nonsense"}}, "link_invalid"),
    ("unknown path", "GET", "/v1/nothing", {}, "not_found"),
    ("wrong method", "PUT", "/v1/auth/login", {"json": {}}, "method_not_allowed"),
    ("path tricks", "GET", "/v1/files/..%2f..%2fetc", {}, "bad_request"),
    ("no token", "GET", "/v1/auth/me", {}, "authentication_required"),
    (
        "garbage token",
        "GET",
        "/v1/auth/me",
        {"headers": {"Authorization": "Bearer x"}},
        "token_invalid",
    ),
    (
        "wrong API key",
        "GET",
        "/v1/auth/me",
        {"headers": {"Authorization": "Bearer fh_wrong"}},
        "api_key_invalid",
    ),
    (
        "large body",
        "POST",
        "/v1/auth/login",
        {"content": b" " * 1_100_000, "headers": JSON},
        "payload_too_large",
    ),
    ("no WebSocket", "GET", "/v1/realtime", {}, "upgrade_required"),
]


@pytest.mark.parametrize(
    ("method", "path", "options", "code"),
    [entry[1:] for entry in REQUESTS],
    ids=[entry[0] for entry in REQUESTS],
)
async def test_wrong_requests(
    stack: RunningStack, method: str, path: str, options: dict[str, Any], code: str
) -> None:
    async with Client(stack) as client:
        assert_problem(await client.call(method, path, **options), code)


async def test_forged_and_expired_tokens(ada: Client) -> None:
    token = ada.session["access_token"]
    header = jwt.get_unverified_header(token)
    claims = jwt.decode(token, options={"verify_signature": False})
    key = ec.generate_private_key(ec.SECP256R1())
    own_headers = {"kid": header["kid"], "typ": header["typ"]}
    forged = jwt.encode(claims, key, "ES256", headers=own_headers)
    unsigned = jwt.encode(claims, None, "none", headers=own_headers)
    head, body, signature = token.split(".")
    for wrong in (forged, unsigned, f"{head}.{body}.{signature[::-1]}", f"{head}.{body}."):
        response = await ada.call(
            "GET", "/v1/auth/me", headers={"Authorization": f"Bearer {wrong}"}
        )
        assert_problem(response, "token_invalid")
    identity = {"X-User-Id": ada.user_id, "X-Freehold-Authorization": f"Bearer {token}"}
    response = await ada.http.get("/v1/auth/me", headers=identity)
    assert_problem(response, "authentication_required")


@pytest.mark.parametrize(
    ("files", "code"),
    [
        ({"file": ("empty.jpg", b"", "image/jpeg")}, "empty_file"),
        ({"file": ("text.jpg", b"only text, no picture", "image/jpeg")}, "content_type_mismatch"),
        ({"file": ("text.jpg", b"only text, no picture", "text/plain")}, "content_type_mismatch"),
        ({"other": ("a.txt", b"x", "text/plain")}, "validation_failed"),
    ],
    ids=["empty file", "text that claims to be an image", "text named .jpg", "no field file"],
)
async def test_wrong_uploads_leave_nothing(
    stack: RunningStack, ada: Client, files: dict[str, Any], code: str
) -> None:
    before = await counts(stack)
    assert_problem(await ada.call("POST", "/v1/files", files=files), code)
    assert await counts(stack) == before


async def test_ten_gigabytes_are_refused_before_they_are_sent(
    stack: RunningStack, ada: Client
) -> None:
    before = await counts(stack)
    head = (
        "POST /v1/files HTTP/1.1\r\nHost: freehold\r\n"
        f"Authorization: Bearer {ada.session['access_token']}\r\n"
        "Content-Type: image/jpeg\r\nX-File-Name: big.jpg\r\nContent-Length: 10737418240\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", stack.port), timeout=LONG_SECONDS) as connection:
        connection.sendall(head.encode())
        answer = b""
        while b"request_id" not in answer and (data := connection.recv(65536)):
            answer += data
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert json.loads(answer.split(b"\r\n\r\n", 1)[1])["code"] == "payload_too_large"
    assert await counts(stack) == before


async def test_s3_stopped(stack: RunningStack, ada: Client, photo: bytes) -> None:
    before = await counts(stack)
    (pid, *_) = stack.pids("seaweedfs")
    os.kill(pid, signal.SIGSTOP)
    try:
        response = await ada.call(
            "POST", "/v1/files", files={"file": ("a.jpg", photo, "image/jpeg")}
        )
        assert_problem(response, "dependency_unavailable")
        assert int(response.headers["retry-after"]) > 0
        assert (await ada.call("GET", "/v1/auth/me")).status_code == 200
    finally:
        os.kill(pid, signal.SIGCONT)
    # What S3 may hold of it is removed as soon as S3 answers again.
    deadline = time.monotonic() + LONG_SECONDS
    while await counts(stack) != before:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.2)
    response = await ada.persist(
        "POST", "/v1/files", 201, files={"file": ("a.jpg", photo, "image/jpeg")}
    )
    assert response.json()["size"] == len(photo)


async def test_rabbitmq_stopped(stack: RunningStack, photo: bytes) -> None:
    """Requests are taken all the same; the mail and the thumbnail come when it is back."""
    async with Client(stack) as ada:
        (pid, *_) = stack.pids("rabbitmq")
        os.kill(pid, signal.SIGSTOP)
        try:
            answer = await ada.call(
                "POST",
                "/v1/auth/signup",
                json={"email": ada.email, "password": "correct horse battery staple"},
            )
            assert answer.status_code == 202
            await asyncio.sleep(2)
            assert stack.inbox(ada.email) == []
        finally:
            os.kill(pid, signal.SIGCONT)
        await ada.verify()
        upload = {"file": ("a.jpg", photo, "image/jpeg")}
        file = (await ada.persist("POST", "/v1/files", 201, files=upload)).json()
        await becomes_ready(ada, file["id"])


async def becomes_ready(client: Client, file_id: str) -> None:
    """Wait until a file's thumbnail is made."""
    deadline = time.monotonic() + LONG_SECONDS
    while (await client.call("GET", f"/v1/files/{file_id}")).json()["state"] != "ready":
        assert time.monotonic() < deadline
        await asyncio.sleep(0.2)


async def counts(stack: RunningStack) -> dict[str, int]:
    """Rows of files and their events."""
    return {
        name: (await stack.query("files", statement))[0][0]
        for name, statement in {
            "files": "SELECT count(*) FROM files",
            "events": "SELECT count(*) FROM outbox",
        }.items()
    }


async def test_known_and_unknown_addresses_get_the_same_answer(
    stack: RunningStack, ada: Client
) -> None:
    answers = [
        await ada.http.post(
            "/v1/auth/signup", json={"email": email, "password": "correct horse battery staple"}
        )
        for email in (ada.email, new_address())
    ]
    assert [(answer.status_code, answer.json()) for answer in answers] == [
        (202, {"status": "verification_sent"})
    ] * 2
    mails = await stack.mails(ada.email, count=2)
    assert mails[0]["subject"] != mails[1]["subject"]
