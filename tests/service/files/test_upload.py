"""`POST /v1/files`: what is stored, what is refused, and that nothing half-done remains."""

import asyncio
import contextlib
import hashlib
import os
import tracemalloc
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import httpx2
import pytest
from starlette.requests import ClientDisconnect

from tests.parts.seaweedfs import S3Server
from tests.service.files.files_service import FilesService, Traces, files_settings, make_service
from tests.service.files.pictures import jpeg

MIB = 1024**2
NOTHING = Traces()
FORM_START = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'


async def test_a_small_file_is_stored_whole(
    service: FilesService, client: httpx2.AsyncClient, owner: UUID
) -> None:
    answer = await client.post("/v1/files", files={"file": ("notes.txt", b"hello", "text/plain")})

    assert answer.status_code == 201
    file = answer.json()
    assert file == {
        "id": file["id"],
        "name": "notes.txt",
        "size": 5,
        "content_type": "text/plain",
        "sha256": hashlib.sha256(b"hello").hexdigest(),
        "visibility": "private",
        "state": "ready",
        "variants": {},
        "created_at": file["created_at"],
        "owner_id": str(owner),
    }
    assert answer.headers["location"] == f"/v1/files/{file['id']}"
    assert await service.traces() == Traces(
        files=[("notes.txt", "ready")], events=["file.uploaded", "file.ready"], objects=1
    )
    (key,) = service.objects.keys()
    assert key.startswith(f"t/{owner}/")
    assert service.objects.read(key) == b"hello"
    assert (await service.event("file.uploaded"))["data"] == {
        "file_id": file["id"],
        "owner_id": str(owner),
        "content_type": "text/plain",
        "size": 5,
    }
    assert (await service.event("file.ready"))["data"]["file"] == file
    assert (await client.get(f"/v1/files/{file['id']}")).json() == file


async def test_an_image_waits_for_its_variants(
    service: FilesService, client: httpx2.AsyncClient
) -> None:
    answer = await client.post(
        "/v1/files", content=jpeg(), headers={"Content-Type": "image/jpeg", "X-File-Name": "a.jpg"}
    )

    assert answer.status_code == 201
    assert answer.json()["state"] == "processing"
    assert await service.traces() == Traces(
        files=[("a.jpg", "processing")],
        events=["file.uploaded"],
        jobs=[("make_variants", "queued")],
        objects=1,
    )


@pytest.mark.parametrize("size", [8 * MIB - 1, 8 * MIB, 8 * MIB + 1, 24 * MIB + 17])
async def test_any_size_arrives_unchanged(
    service: FilesService, client: httpx2.AsyncClient, size: int
) -> None:
    content = os.urandom(MIB) * (size // MIB) + os.urandom(size % MIB)

    answer = await client.post("/v1/files", files={"file": ("big.bin", content)})

    assert answer.status_code == 201
    assert answer.json()["size"] == size
    assert answer.json()["sha256"] == hashlib.sha256(content).hexdigest()
    (key,) = service.objects.keys()
    assert service.objects.read(key) == content
    assert service.objects.begun() == set()


async def test_memory_does_not_grow_with_the_file(
    service: FilesService, client: httpx2.AsyncClient
) -> None:
    chunk = bytes(64 * 1024)

    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(96 * MIB // len(chunk)):
            yield chunk

    await service.store.bucket()  # what is loaded once is not the upload's
    tracemalloc.start()
    try:
        answer = await client.post("/v1/files", content=chunks(), headers={"X-File-Name": "a"})
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert answer.status_code == 201
    assert peak < 20_000_000


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\me\\photo.gif.txt", "photo.gif.txt"),
        ("zażółć gęślą.txt", "zażółć gęślą.txt"),
        ('say "hi".txt', 'say "hi".txt'),
        ("..", "file"),
    ],
)
async def test_names_come_out_clean(client: httpx2.AsyncClient, sent: str, kept: str) -> None:
    answer = await client.post("/v1/files", files={"file": (sent, b"x", "text/plain")})

    assert answer.status_code == 201
    assert answer.json()["name"] == kept


async def test_a_raw_body_names_its_file_in_a_header(client: httpx2.AsyncClient) -> None:
    answer = await client.post(
        "/v1/files", content=b"x", headers={"X-File-Name": "r%C3%A9sum%C3%A9%0D%0A.pdf"}
    )

    assert answer.json()["name"] == "résumé.pdf"
    assert answer.json()["content_type"] == "application/pdf"


Request = dict[str, Any]

REFUSED: list[tuple[str, Request, int, str]] = [
    ("empty form file", {"files": {"file": ("a.txt", b"")}}, 422, "empty_file"),
    ("empty body", {"content": b"", "headers": {"X-File-Name": "a"}}, 422, "empty_file"),
    (
        "text named .jpg",
        {"files": {"file": ("a.jpg", b"just text", "text/plain")}},
        422,
        "content_type_mismatch",
    ),
    (
        "text declared an image",
        {"files": {"file": ("a", b"just text", "image/png")}},
        422,
        "content_type_mismatch",
    ),
    (
        "a JPEG declared a PNG",
        {"files": {"file": ("a.png", jpeg(8, 8), "image/png")}},
        422,
        "content_type_mismatch",
    ),
    ("other field", {"files": {"document": ("a.txt", b"x")}}, 422, "validation_failed"),
    ("no name", {"content": b"x"}, 422, "validation_failed"),
    (
        "two files",
        {"files": [("file", ("a", b"x")), ("file", ("b", b"y"))]},
        422,
        "validation_failed",
    ),
    (
        "no boundary",
        {"content": b"x", "headers": {"Content-Type": "multipart/form-data"}},
        400,
        "invalid_multipart",
    ),
    (
        "not a form",
        {"content": b"x", "headers": {"Content-Type": "multipart/form-data; boundary=b"}},
        400,
        "invalid_multipart",
    ),
    (
        "a form cut off",
        {
            "content": FORM_START + b"xy",
            "headers": {"Content-Type": "multipart/form-data; boundary=b"},
        },
        400,
        "invalid_multipart",
    ),
    (
        "10 GB announced",
        {"content": b"x", "headers": {"X-File-Name": "a", "Content-Length": "10000000000"}},
        413,
        "payload_too_large",
    ),
]


@pytest.mark.parametrize(
    ("sent", "status", "code"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED]
)
async def test_what_is_refused_leaves_nothing(
    service: FilesService, client: httpx2.AsyncClient, sent: Request, status: int, code: str
) -> None:
    answer = await client.post("/v1/files", **sent)

    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.headers["content-type"] == "application/problem+json"
    assert await service.traces() == NOTHING


async def test_a_form_that_breaks_after_its_file_leaves_nothing(
    service: FilesService, client: httpx2.AsyncClient
) -> None:
    answer = await client.post(
        "/v1/files",
        content=FORM_START + os.urandom(9 * MIB),
        headers={"Content-Type": "multipart/form-data; boundary=b"},
    )

    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_multipart")
    assert await service.traces() == Traces(jobs=[("sweep_upload", "queued")])


async def test_a_body_of_unknown_length_is_cut_at_the_limit(
    service: FilesService, s3: S3Server, owner: UUID
) -> None:
    url = service.settings.postgres_url.get_secret_value()
    settings = files_settings(url, s3, upload_max_bytes=9 * MIB)
    limited = make_service(settings, service.database, service.store, service.objects)

    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(20):
            yield bytes(MIB)

    async with limited.client(owner) as client:
        answer = await client.post("/v1/files", content=chunks(), headers={"X-File-Name": "a"})

    assert (answer.status_code, answer.json()["code"]) == (413, "payload_too_large")
    assert await service.traces() == Traces(jobs=[("sweep_upload", "queued")])


async def test_a_client_that_stalls_is_let_go(
    service: FilesService, s3: S3Server, owner: UUID
) -> None:
    url = service.settings.postgres_url.get_secret_value()
    settings = files_settings(url, s3, upload_idle_seconds=0.05)
    impatient = make_service(settings, service.database, service.store, service.objects)

    async def chunks() -> AsyncIterator[bytes]:
        yield bytes(9 * MIB)
        await asyncio.Event().wait()

    async with impatient.client(owner) as client:
        answer = await client.post("/v1/files", content=chunks(), headers={"X-File-Name": "a"})

    assert (answer.status_code, answer.json()["code"]) == (408, "request_timeout")
    assert (await service.traces()).files == []
    assert service.objects.begun() == set()


@pytest.mark.parametrize("received", [1000, 9 * MIB], ids=["early", "in the second part"])
async def test_a_client_that_leaves_leaves_nothing(
    service: FilesService, owner: UUID, received: int
) -> None:
    messages = [
        {"type": "http.request", "body": bytes(received), "more_body": True},
        {"type": "http.disconnect"},
    ]

    async def receive() -> Any:
        return messages.pop(0)

    async def send(_: Any) -> None:
        """Nobody is there to hear the answer."""

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/v1/files",
        "query_string": b"",
        "headers": [
            (b"authorization", f"Bearer {service.tokens.mint(owner)}".encode()),
            (b"x-file-name", b"a.bin"),
        ],
    }
    with contextlib.suppress(ClientDisconnect):
        await service.app(scope, receive, send)

    traces = await service.traces()
    assert (traces.files, traces.events, traces.objects, traces.begun) == ([], [], 0, 0)


async def test_an_upload_that_is_cancelled_leaves_nothing(
    service: FilesService, client: httpx2.AsyncClient
) -> None:
    arrived = asyncio.Event()

    async def chunks() -> AsyncIterator[bytes]:
        yield bytes(17 * MIB)
        arrived.set()
        await asyncio.Event().wait()

    upload = asyncio.create_task(
        client.post("/v1/files", content=chunks(), headers={"X-File-Name": "a"})
    )
    await arrived.wait()
    upload.cancel()
    await asyncio.gather(upload, return_exceptions=True)

    traces = await service.traces()
    assert (traces.files, traces.events, traces.objects, traces.begun) == ([], [], 0, 0)


async def test_too_many_at_once_are_told_to_come_back(
    service: FilesService, s3: S3Server, owner: UUID
) -> None:
    url = service.settings.postgres_url.get_secret_value()
    settings = files_settings(url, s3, upload_concurrency=1)
    narrow = make_service(settings, service.database, service.store, service.objects)
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def chunks() -> AsyncIterator[bytes]:
        yield b"x"
        begun.set()
        await go_on.wait()

    async with narrow.client(owner) as client:
        first = asyncio.create_task(
            client.post("/v1/files", content=chunks(), headers={"X-File-Name": "a"})
        )
        await begun.wait()
        second = await client.post("/v1/files", content=b"y", headers={"X-File-Name": "b"})
        go_on.set()

        assert (second.status_code, second.json()["code"]) == (503, "overloaded")
        assert second.headers["retry-after"] == "5"
        assert (await first).status_code == 201


@pytest.mark.parametrize(
    ("scope", "status"), [("files:write", 201), ("files:read", 403), ("mail:send", 403)]
)
async def test_an_api_key_needs_the_scope(
    service: FilesService, owner: UUID, scope: str, status: int
) -> None:
    async with service.client(owner, scope=scope) as client:
        answer = await client.post("/v1/files", content=b"x", headers={"X-File-Name": "a.txt"})

    assert answer.status_code == status


async def test_nobody_uploads_without_a_token(service: FilesService, owner: UUID) -> None:
    async with service.client(owner) as client:
        del client.headers["authorization"]
        answer = await client.post("/v1/files", content=b"x", headers={"X-File-Name": "a.txt"})

    assert (answer.status_code, answer.json()["code"]) == (401, "authentication_required")
    assert await service.traces() == NOTHING
