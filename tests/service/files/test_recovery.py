"""After a crash, and while S3 is away: nothing half-done remains, nothing acknowledged is lost."""

import asyncio
import os
from collections.abc import AsyncIterator
from datetime import timedelta
from uuid import UUID, uuid4

import httpx2
import pytest

from services.files import store as rows
from services.files.jobs import SweepUpload
from shared.chassis.jobs.commands import JobQueue
from tests.parts.seaweedfs import S3Server
from tests.service.files.files_service import FilesService
from tests.service.files.pictures import jpeg
from tests.service.files.test_variants import eventually, processed, uploaded

MIB = 1024**2


async def begun_upload(service: FilesService, owner: UUID, *, lease: timedelta) -> tuple[UUID, str]:
    """What is in Postgres when a process dies in the middle of an upload."""
    file_id, key = uuid4(), f"t/{owner}/{uuid4()}"
    async with service.database.transaction() as transaction:
        await rows.insert_upload(
            transaction,
            file_id=file_id,
            owner_id=owner,
            name="a.bin",
            object_key=key,
            content_type="application/octet-stream",
            lease=lease,
        )
        await JobQueue(None).enqueue(transaction, SweepUpload(file_id=file_id))
    return file_id, key


@pytest.mark.parametrize("state", ["uploading", "abandoned"])
@pytest.mark.parametrize("left", ["nothing", "an object", "parts"])
async def test_what_a_crash_leaves_is_swept(
    service: FilesService, owner: UUID, left: str, state: str
) -> None:
    file_id, key = await begun_upload(service, owner, lease=timedelta(seconds=-1))
    if state == "abandoned":
        await rows.abandon_upload(service.database, file_id, stale_only=False)
    service.objects.put(f"{key}0", b"a neighbour whose key begins alike")
    service.objects.begin(f"{key}1", bytes(5 * MIB))
    if left == "an object":
        service.objects.put(key, b"x")
    if left == "parts":
        service.objects.begin(key, bytes(5 * MIB))

    async def is_swept() -> bool:
        return (await service.traces()).jobs == [("sweep_upload", "completed")]

    async with service.worker():
        await eventually(is_swept)

    assert (await service.traces()).files == []
    assert service.objects.keys() == {f"{key}0"}
    assert service.objects.begun() == {f"{key}1"}


async def test_an_upload_that_goes_on_is_looked_at_again(
    service: FilesService, owner: UUID
) -> None:
    _, key = await begun_upload(service, owner, lease=timedelta(hours=2))
    service.objects.put(key, b"x")

    async def is_over() -> bool:
        return (await service.traces()).jobs == [("sweep_upload", "completed")]

    async with service.worker():
        await eventually(is_over)

    assert (await service.traces()).files == [("a.bin", "uploading")]
    assert service.objects.keys() == {key}
    waits = await service.database.fetchval(
        "SELECT run_at - now() FROM jobs WHERE state = 'scheduled'"
    )
    assert timedelta(hours=1, minutes=59) < waits < timedelta(hours=2, seconds=2)


async def test_a_finished_file_is_not_swept(
    service: FilesService, client: httpx2.AsyncClient
) -> None:
    await client.post("/v1/files", files={"file": ("a.txt", b"x", "text/plain")})
    await service.database.execute("UPDATE jobs SET run_at = now()")

    async def is_over() -> bool:
        return (await service.traces()).jobs == [("sweep_upload", "completed")]

    async with service.worker():
        await eventually(is_over)

    assert (await service.traces()).files == [("a.txt", "ready")]
    assert len(service.objects.keys()) == 1


async def test_an_upload_that_was_swept_is_not_finished(
    service: FilesService, client: httpx2.AsyncClient
) -> None:
    stored, resumed = asyncio.Event(), asyncio.Event()

    async def chunks() -> AsyncIterator[bytes]:
        yield os.urandom(9 * MIB)
        stored.set()  # more is only asked for when the first part is stored
        await resumed.wait()
        yield b"end"

    upload = asyncio.create_task(
        client.post("/v1/files", content=chunks(), headers={"X-File-Name": "a"})
    )
    await stored.wait()
    await service.database.execute("UPDATE files SET upload_lease_until = now()")
    await service.database.execute("UPDATE jobs SET run_at = now()")

    async def is_over() -> bool:
        return (await service.traces()).jobs == [("sweep_upload", "completed")]

    async with service.worker():
        await eventually(is_over)
    resumed.set()
    answer = await upload

    assert (answer.status_code, answer.json()["code"]) == (408, "request_timeout")
    traces = await service.traces()
    assert (traces.files, traces.events, traces.objects, traces.begun) == ([], [], 0, 0)


async def test_without_s3_uploads_are_refused_and_the_rest_goes_on(
    service: FilesService, client: httpx2.AsyncClient, s3: S3Server
) -> None:
    kept = (await client.post("/v1/files", files={"file": ("kept.txt", b"x")})).json()
    image = await uploaded(client, "a.jpg", jpeg())
    s3.stop()
    try:
        refused = [
            await client.post("/v1/files", files={"file": ("a.bin", bytes(size))})
            for size in (1000, 9 * MIB)
        ]
        read = await client.get(f"/v1/files/{kept['id']}")
        files = await service.database.fetch("SELECT name FROM files ORDER BY id")
        async with service.worker():
            await eventually(lambda: _postponed(service))
    finally:
        s3.start()

    for answer in refused:
        assert (answer.status_code, answer.json()["code"]) == (503, "dependency_unavailable")
        assert answer.headers["retry-after"] == "5"
    assert read.json() == kept
    assert [row["name"] for row in files] == ["kept.txt", "a.jpg"]
    ready = await processed(service, client, image["id"])
    assert ready["state"] == "ready"
    assert (await service.traces()).files == [("kept.txt", "ready"), ("a.jpg", "ready")]
    assert len(service.objects.keys()) == 3


async def _postponed(service: FilesService) -> bool:
    return bool(
        await service.database.fetchval(
            "SELECT state = 'scheduled' AND run_at > now() FROM jobs WHERE kind = 'make_variants'"
        )
    )


async def test_s3_lost_in_the_middle_of_an_upload(
    service: FilesService, client: httpx2.AsyncClient, s3: S3Server
) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        yield os.urandom(9 * MIB)
        await asyncio.to_thread(s3.stop)
        yield os.urandom(9 * MIB)

    try:
        answer = await client.post("/v1/files", content=chunks(), headers={"X-File-Name": "a"})
    finally:
        s3.start()

    assert (answer.status_code, answer.json()["code"]) == (503, "dependency_unavailable")
    assert (await client.get("/v1/files")).json()["items"] == []

    async def is_swept() -> bool:
        traces = await service.traces()
        return traces.jobs == [("sweep_upload", "completed")]

    async with service.worker():
        await eventually(is_swept)
    traces = await service.traces()
    assert (traces.files, traces.events, traces.objects, traces.begun) == ([], [], 0, 0)
