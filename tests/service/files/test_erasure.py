"""What is left of the files of somebody whose account is deleted: nothing, and it is confirmed."""

import asyncio
from typing import Any
from uuid import UUID, uuid4

import httpx2
import pytest
from uuid_utils.compat import uuid7

from services.files import erasure
from shared.schemas.events.auth import UserDeleted
from shared.schemas.events.envelope import Event
from tests.parts.waiting import eventually
from tests.service.files.files_service import FilesService, Traces
from tests.service.files.pictures import jpeg


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(erasure, "_ONE_TRANSACTION", erasure._ONE_TRANSACTION * 0)


async def delete_account(service: FilesService, owner: UUID) -> None:
    """Do what the consumer of `user.deleted` does."""
    event = Event[Any](
        id=uuid7(),
        type="user.deleted",
        version=1,
        time="2026-11-24T12:00:00Z",
        source="auth",
        subject=str(owner),
        data=UserDeleted(user_id=owner),
    )
    async with service.database.transaction() as transaction:
        await service.erasure().on_user_deleted(transaction, event)


async def upload(client: httpx2.AsyncClient, name: str, content: bytes) -> None:
    answer = await client.post("/v1/files", files={"file": (name, content)})
    assert answer.status_code == 201, answer.text


async def confirmations(service: FilesService) -> int:
    return (await service.traces()).events.count("user.erased")


async def test_every_file_of_the_owner_goes_and_no_other(
    service: FilesService,
    client: httpx2.AsyncClient,
    owner: UUID,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(erasure, "BATCH_FILES", 2)
    async with service.worker(), service.client(uuid4()) as other:
        for number in range(4):
            await upload(client, f"{number}.txt", b"hers")
        await upload(client, "photo.jpg", jpeg(40, 30))
        await upload(other, "other.txt", b"his")
        await eventually(lambda: variants(service), ["thumb"])
        await service.database.execute("DELETE FROM outbox")

        await delete_account(service, owner)
        await eventually(lambda: confirmations(service), 1)

    traces = await service.traces()
    assert (traces.files, traces.variants) == ([("other.txt", "ready")], [])
    assert (traces.objects, traces.begun) == (1, 0)
    assert traces.events == ["user.erased"]
    event = await service.event("user.erased")
    assert event["data"] == {"user_id": str(owner), "service": "files"}


async def variants(service: FilesService) -> list[str]:
    return (await service.traces()).variants


async def test_an_upload_under_way_leaves_nothing(
    service: FilesService, client: httpx2.AsyncClient, owner: UUID
) -> None:
    rest = asyncio.Event()

    async def body() -> Any:
        yield b"x" * (9 * 1024 * 1024)
        await rest.wait()
        yield b"the end"

    headers = {"Content-Type": "text/plain", "X-File-Name": "late.txt"}
    upload = asyncio.create_task(client.post("/v1/files", content=body(), headers=headers))
    await eventually(lambda: states(service), ["uploading"])
    async with service.worker():
        await delete_account(service, owner)
        await eventually(lambda: confirmations(service), 1)
        rest.set()
        assert (await upload).status_code == 408
    traces = await service.traces()
    assert (traces.files, traces.objects, traces.begun) == ([], 0, 0)


async def states(service: FilesService) -> list[str]:
    return [state for _, state in (await service.traces()).files]


async def test_a_token_that_outlived_the_account_stores_nothing(
    service: FilesService, client: httpx2.AsyncClient, owner: UUID
) -> None:
    await delete_account(service, owner)
    async with service.worker():
        await eventually(lambda: confirmations(service), 1)
    answer = await client.post("/v1/files", files={"file": ("a.txt", b"late")})
    assert (answer.status_code, answer.json()["code"]) == (401, "token_revoked")
    traces = await service.traces()
    assert traces == Traces(events=["user.erased"], jobs=[("erase_owner", "completed")])


async def test_a_thumbnail_that_comes_late_is_not_kept(
    service: FilesService,
    client: httpx2.AsyncClient,
    owner: UUID,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    await upload(client, "photo.jpg", jpeg(40, 30))
    bucket = await service.store.bucket()
    put = bucket.put

    async def deleted_meanwhile(*arguments: Any) -> None:
        await delete_account(service, owner)
        await eventually(lambda: confirmations(service), 1)
        await put(*arguments)

    monkeypatch.setattr(bucket, "put", deleted_meanwhile)
    async with service.worker():
        await eventually(lambda: jobs(service), {"make_variants": "completed"} | ERASED)
    traces = await service.traces()
    assert (traces.files, traces.objects) == ([], 0)


ERASED = {"erase_owner": "completed"}


async def jobs(service: FilesService) -> dict[str, str]:
    return dict((await service.traces()).jobs)
