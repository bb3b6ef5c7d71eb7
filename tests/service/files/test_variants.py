"""What becomes of images: thumbnails by a worker, or a reason why not."""

import asyncio
import os
import signal
import time
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

import httpx2
import psutil
import pytest
import pyvips

from services.files.image_pool import ImagePool, ImageProcessDied, MadeVariant, UnusableImage
from tests.parts.seaweedfs import S3Server
from tests.parts.waiting import PATIENCE_SECONDS
from tests.service.files.files_service import FilesService, Traces, files_settings, make_service
from tests.service.files.pictures import bomb, jpeg


async def uploaded(client: httpx2.AsyncClient, name: str, content: bytes) -> dict[str, Any]:
    answer = await client.post("/v1/files", files={"file": (name, content)})
    assert answer.status_code == 201, answer.text
    file: dict[str, Any] = answer.json()
    assert file["state"] == "processing"
    return file


async def eventually(
    condition: Callable[[], Awaitable[bool]], seconds: float = PATIENCE_SECONDS
) -> None:
    deadline = time.monotonic() + seconds
    while not await condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        await asyncio.sleep(0.02)


async def processed(service: FilesService, client: httpx2.AsyncClient, file_id: str) -> Any:
    async def is_over() -> bool:
        state = (await client.get(f"/v1/files/{file_id}")).json()["state"]
        return bool(state != "processing")

    async with service.worker():
        await eventually(is_over)
    return (await client.get(f"/v1/files/{file_id}")).json()


@pytest.mark.parametrize(
    ("picture", "size"),
    [
        (jpeg(1200, 800), (400, 267)),
        (jpeg(800, 1200), (267, 400)),
        (jpeg(1200, 800, orientation=6), (267, 400)),
        (jpeg(100, 50), (100, 50)),
    ],
    ids=["wide", "tall", "turned by EXIF", "small"],
)
async def test_a_thumbnail_is_made(
    service: FilesService, client: httpx2.AsyncClient, picture: bytes, size: tuple[int, int]
) -> None:
    file = await uploaded(client, "photo.jpg", picture)

    ready = await processed(service, client, file["id"])

    (original, thumbnail) = sorted(service.objects.keys())
    body = service.objects.read(thumbnail)
    assert thumbnail == f"{original}.thumb"
    assert service.objects.read(original) == picture
    assert ready == file | {
        "state": "ready",
        "variants": {
            "thumb": {
                "content_type": "image/webp",
                "width": size[0],
                "height": size[1],
                "size": len(body),
            }
        },
    }
    made = pyvips.Image.new_from_buffer(body, "")
    assert (made.width, made.height, made.get("vips-loader")) == (*size, "webpload_buffer")
    assert not {"exif-data", "xmp-data", "iptc-data", "icc-profile-data"} & set(made.get_fields())
    assert await service.traces() == Traces(
        files=[("photo.jpg", "ready")],
        variants=["thumb"],
        events=["file.uploaded", "file.ready"],
        jobs=[("make_variants", "completed")],
        objects=2,
    )
    assert (await service.event("file.ready"))["data"] == {
        "file_id": file["id"],
        "owner_id": file["owner_id"],
        "file": ready,
    }
    sent = await client.get(f"/v1/files/{file['id']}/variants/thumb")
    assert sent.headers["x-freehold-content-disposition"] == 'inline; filename="photo-thumb.webp"'
    assert sent.headers["content-type"] == "image/webp"
    assert f"/{thumbnail}?" in sent.headers["x-freehold-object"]
    missing = await client.get(f"/v1/files/{file['id']}/variants/poster")
    assert (missing.status_code, missing.json()["code"]) == (404, "variant_not_found")


@pytest.mark.parametrize("suffix", [".png", ".webp", ".gif", ".avif"])
async def test_every_processed_type_can_be_read(
    service: FilesService, client: httpx2.AsyncClient, suffix: str
) -> None:
    picture = pyvips.Image.new_from_buffer(jpeg(600, 300), "")
    file = await uploaded(client, f"photo{suffix}", picture.write_to_buffer(suffix))

    ready = await processed(service, client, file["id"])

    assert ready["state"] == "ready"
    assert ready["variants"]["thumb"]["width"] == 400


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("cut.jpg", jpeg()[:3000]),
        ("head.jpg", jpeg()[:20] + os.urandom(500)),
        ("bomb.png", bomb()),
        ("a.avif", b"\0\0\0\x20ftypavif" + os.urandom(200)),
    ],
)
async def test_what_cannot_be_decoded_is_rejected(
    service: FilesService, client: httpx2.AsyncClient, name: str, content: bytes
) -> None:
    file = await uploaded(client, name, content)

    rejected = await processed(service, client, file["id"])

    assert rejected == file | {"state": "rejected"}
    assert await service.traces() == Traces(
        files=[(name, "rejected")],
        events=["file.uploaded", "file.rejected"],
        jobs=[("make_variants", "completed")],
        objects=1,
    )
    told = (await service.event("file.rejected"))["data"]
    assert told == {
        "file_id": file["id"],
        "owner_id": file["owner_id"],
        "reason": told["reason"],
    }
    for path in ("content", "variants/thumb"):
        answer = await client.get(f"/v1/files/{file['id']}/{path}")
        assert (answer.status_code, answer.json()["code"]) == (409, "file_not_ready")
        assert told["reason"] in answer.json()["detail"]


async def test_an_image_too_large_to_decode_is_rejected(
    service: FilesService, s3: S3Server, owner: UUID
) -> None:
    url = service.settings.postgres_url.get_secret_value()
    settings = files_settings(url, s3, image_max_bytes=1000)
    strict = make_service(settings, service.database, service.store, service.objects)
    async with strict.client(owner) as client:
        file = await uploaded(client, "a.jpg", jpeg())
        assert (await processed(strict, client, file["id"]))["state"] == "rejected"


async def test_while_it_is_processed_the_original_can_be_had(client: httpx2.AsyncClient) -> None:
    file = await uploaded(client, "a.jpg", jpeg())

    content = await client.get(f"/v1/files/{file['id']}/content")
    thumbnail = await client.get(f"/v1/files/{file['id']}/variants/thumb")

    assert content.headers["x-accel-redirect"] == "/_object/"
    assert (thumbnail.status_code, thumbnail.json()["code"]) == (409, "file_not_ready")


async def test_a_job_that_runs_twice_has_one_effect(
    service: FilesService, client: httpx2.AsyncClient
) -> None:
    file = await uploaded(client, "a.jpg", jpeg())
    await service.database.execute(
        "INSERT INTO jobs (id, queue, kind, payload, max_attempts, run_at) "
        "SELECT gen_random_uuid(), queue, kind, payload, max_attempts, now() FROM jobs "
        "WHERE kind = 'make_variants'"
    )

    async def both_are_over() -> bool:
        states = {state for kind, state in (await service.traces()).jobs}
        return states == {"completed"}

    async with service.worker():
        await eventually(both_are_over)

    assert await service.traces() == Traces(
        files=[("a.jpg", "ready")],
        variants=["thumb"],
        events=["file.uploaded", "file.ready"],
        jobs=[("make_variants", "completed")] * 2,
        objects=2,
    )
    assert (await client.get(f"/v1/files/{file['id']}")).json()["state"] == "ready"


async def read(picture: bytes) -> Any:
    yield picture


async def make(pool: ImagePool, picture: bytes) -> MadeVariant:
    return await pool.make(read(picture), size=len(picture), edge=400)


def children() -> list[psutil.Process]:
    return [
        child
        for child in psutil.Process().children()
        if child.status() != psutil.STATUS_ZOMBIE and "image_child.py" in " ".join(child.cmdline())
    ]


async def test_a_child_that_dies_fails_one_image_only() -> None:
    pool = ImagePool(size=1, timeout_seconds=PATIENCE_SECONDS)
    picture = jpeg()
    await make(pool, picture)
    (child,) = children()

    child.suspend()
    hanging = asyncio.create_task(make(pool, picture))
    await asyncio.sleep(0)
    child.send_signal(signal.SIGKILL)

    with pytest.raises(ImageProcessDied):
        await hanging
    assert (await make(pool, picture)).width == 400
    await pool.stop()
    assert children() == []


async def test_cancelling_kills_the_child_and_frees_its_slot() -> None:
    pool = ImagePool(size=1, timeout_seconds=PATIENCE_SECONDS)
    picture = jpeg()
    await make(pool, picture)
    (child,) = children()
    child.suspend()

    call = asyncio.create_task(make(pool, picture))
    done, _ = await asyncio.wait({call}, timeout=0.2)
    assert not done
    call.cancel()
    await asyncio.gather(call, return_exceptions=True)

    assert children() == []
    assert (await make(pool, picture)).width == 400
    await pool.stop()


async def test_an_image_that_takes_too_long_is_given_up() -> None:
    pool = ImagePool(size=1, timeout_seconds=PATIENCE_SECONDS)
    picture = jpeg()
    await make(pool, picture)
    pool._timeout_seconds = 1.0
    (child,) = children()
    child.suspend()

    with pytest.raises(UnusableImage, match="too long"):
        await make(pool, picture)

    assert children() == []
    await pool.stop()
