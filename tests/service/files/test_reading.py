"""Listing, reading and downloading, and who may."""

from urllib.parse import parse_qs, urlsplit
from uuid import UUID, uuid4

import httpx2
import pytest

from tests.parts.waiting import PATIENCE_SECONDS
from tests.service.files.files_service import BUCKET, FilesService

PATHS = ["", "/content", "/variants/thumb"]


async def stored(client: httpx2.AsyncClient, name: str, content: bytes, media_type: str) -> str:
    answer = await client.post("/v1/files", files={"file": (name, content, media_type)})
    assert answer.status_code == 201
    file_id: str = answer.json()["id"]
    return file_id


@pytest.mark.parametrize("path", PATHS)
async def test_another_user_finds_nothing(
    service: FilesService, client: httpx2.AsyncClient, path: str
) -> None:
    file_id = await stored(client, "a.txt", b"secret", "text/plain")

    async with service.client(uuid4()) as stranger:
        answer = await stranger.get(f"/v1/files/{file_id}{path}")
        listed = await stranger.get("/v1/files")

    assert (answer.status_code, answer.json()["code"]) == (404, "file_not_found")
    assert "x-accel-redirect" not in answer.headers
    assert "x-freehold-object" not in answer.headers
    assert listed.json() == {"items": [], "next": None}


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("file_id", [str(UUID(int=1)), "no-id", "%00"])
async def test_what_does_not_exist_is_not_found(
    client: httpx2.AsyncClient, file_id: str, path: str
) -> None:
    answer = await client.get(f"/v1/files/{file_id}{path}")

    assert (answer.status_code, answer.json()["code"]) == (404, "file_not_found")


async def test_an_upload_under_way_is_not_seen(
    service: FilesService, client: httpx2.AsyncClient, owner: UUID
) -> None:
    file_id = uuid4()
    await service.database.execute(
        "INSERT INTO files (id, owner_id, name, object_key, content_type, state, "
        "upload_lease_until) VALUES ($1, $2, 'a', 'k', 'a/b', 'uploading', now())",
        file_id,
        owner,
    )

    assert (await client.get(f"/v1/files/{file_id}")).status_code == 404
    assert (await client.get("/v1/files")).json()["items"] == []


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize(
    ("file", "disposition"),
    [
        (("a.pdf", b"%PDF-1.7", "application/pdf"), 'inline; filename="a.pdf"'),
        (("a.html", b"<script>", "text/html"), 'attachment; filename="a.html"'),
        (("a.svg", b"<svg/>", "image/svg+xml"), 'attachment; filename="a.svg"'),
        (
            ("ü.txt", b"x", "text/plain"),
            "attachment; filename=\"_.txt\"; filename*=UTF-8''%C3%BC.txt",
        ),
    ],
)
async def test_nginx_is_told_what_to_send_and_how(
    service: FilesService,
    client: httpx2.AsyncClient,
    method: str,
    file: tuple[str, bytes, str],
    disposition: str,
) -> None:
    file_id = await stored(client, *file)
    (key,) = service.objects.keys()

    answer = await client.request(method, f"/v1/files/{file_id}/content")

    assert (answer.status_code, answer.content) == (200, b"")
    address = answer.headers.pop("x-freehold-object")
    assert dict(answer.headers) == {
        "content-length": "0",
        "content-security-policy": "default-src 'none'; sandbox",
        "content-type": file[2],
        "x-accel-redirect": "/_object/",
        "x-content-type-options": "nosniff",
        "x-freehold-cache-control": "private, max-age=0, must-revalidate",
        "x-freehold-content-disposition": disposition,
    }
    assert urlsplit(address).path == f"/{BUCKET}/{key}"
    assert int(parse_qs(urlsplit(address).query)["X-Amz-Expires"][0]) <= 60


async def test_the_address_serves_ranges_and_nothing_else(
    service: FilesService, client: httpx2.AsyncClient
) -> None:
    file_id = await stored(client, "a.txt", b"0123456789", "text/plain")
    other_id = await stored(client, "b.txt", b"other", "text/plain")
    addresses = [
        (await client.get(f"/v1/files/{each}/content")).headers["x-freehold-object"]
        for each in (file_id, other_id)
    ]
    swapped = urlsplit(addresses[1]).path + "?" + urlsplit(addresses[0]).query

    async with httpx2.AsyncClient(
        base_url=service.settings.s3_endpoint, timeout=PATIENCE_SECONDS
    ) as s3:
        whole = await s3.get(addresses[0])
        part = await s3.get(addresses[0], headers={"Range": "bytes=2-4"})
        beyond = await s3.get(addresses[0], headers={"Range": "bytes=100-"})
        stolen = await s3.get(swapped)
        written = await s3.put(addresses[0], content=b"overwritten")

    assert (whole.status_code, whole.content) == (200, b"0123456789")
    assert (part.status_code, part.content) == (206, b"234")
    assert part.headers["content-range"] == "bytes 2-4/10"
    assert beyond.status_code == 416
    assert stolen.status_code == 403
    assert written.status_code == 403


async def test_pages_go_through_all_files_newest_first(client: httpx2.AsyncClient) -> None:
    ids = [await stored(client, f"{number}.txt", b"x", "text/plain") for number in range(5)]

    seen: list[list[str]] = []
    cursor: str | None = ""
    while cursor is not None:
        page = (await client.get("/v1/files", params={"limit": 2, "cursor": cursor})).json()
        seen.append([file["id"] for file in page["items"]])
        cursor = page["next"]

    assert seen == [[ids[4], ids[3]], [ids[2], ids[1]], [ids[0]]]


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ("name=a.txt", 422, "validation_failed"),
        ("limit=0", 422, "validation_failed"),
        ("limit=101", 422, "validation_failed"),
        ("limit=many", 422, "validation_failed"),
        ("cursor=!!", 400, "invalid_cursor"),
        ("cursor=AAAA", 400, "invalid_cursor"),
        ("cursor=%C3%A9", 400, "invalid_cursor"),
    ],
)
async def test_wrong_queries_are_explained(
    client: httpx2.AsyncClient, query: str, status: int, code: str
) -> None:
    answer = await client.get(f"/v1/files?{query}")

    assert (answer.status_code, answer.json()["code"]) == (status, code)


@pytest.mark.parametrize(("scope", "status"), [("files:read", 200), ("files:write", 403)])
async def test_an_api_key_needs_the_scope(
    service: FilesService, client: httpx2.AsyncClient, owner: UUID, scope: str, status: int
) -> None:
    file_id = await stored(client, "a.txt", b"x", "text/plain")

    async with service.client(owner, scope=scope) as key:
        for path in ("", f"/{file_id}", f"/{file_id}/content"):
            assert (await key.get(f"/v1/files{path}")).status_code == status
