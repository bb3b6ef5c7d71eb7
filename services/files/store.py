"""Every statement of the files service. Whoever reads a file for a person asks `access.py`."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from shared.chassis.database import Executor, Record
from shared.chassis.queries import load_queries
from shared.schemas.api.files import File, FileState, Variant, Visibility

SQL = load_queries(__file__)

NEWEST: Final = UUID(int=2**128 - 1)
"""Above every id: where the first page of a list begins."""


@dataclass(frozen=True)
class StoredVariant:
    """A derived form and where it is stored."""

    object_key: str
    content_type: str
    width: int
    height: int
    size: int


@dataclass(frozen=True)
class StoredFile:
    """A file whose bytes are stored, and where."""

    id: UUID
    owner_id: UUID
    name: str
    object_key: str
    content_type: str
    size: int
    sha256: bytes
    visibility: Visibility
    state: FileState
    rejection: str | None
    created_at: datetime
    variants: dict[str, StoredVariant]

    def public(self) -> File:
        """Return what clients and events see of it."""
        return File(
            id=self.id,
            name=self.name,
            size=self.size,
            content_type=self.content_type,
            sha256=self.sha256.hex(),
            visibility=self.visibility,
            state=self.state,
            variants={
                name: Variant(
                    content_type=variant.content_type,
                    width=variant.width,
                    height=variant.height,
                    size=variant.size,
                )
                for name, variant in self.variants.items()
            },
            created_at=self.created_at,
            owner_id=self.owner_id,
        )


@dataclass(frozen=True)
class ClosedFile:
    """A file that was given up, and where its bytes may be."""

    id: UUID
    object_key: str


async def insert_upload(
    executor: Executor,
    *,
    file_id: UUID,
    owner_id: UUID,
    name: str,
    object_key: str,
    content_type: str,
    lease: timedelta,
) -> bool:
    """Announce a file before its bytes are stored; False if the owner's account is deleted."""
    inserted = await executor.fetchval(
        SQL["insert_upload"], file_id, owner_id, name, object_key, content_type, lease
    )
    return inserted is not None


async def renew_upload_lease(executor: Executor, file_id: UUID, lease: timedelta) -> bool:
    """Say that an upload still moves; False if it was given up meanwhile."""
    return await executor.fetchval(SQL["renew_upload_lease"], file_id, lease) is not None


async def finish_upload(
    executor: Executor, file_id: UUID, *, state: FileState, size: int, sha256: bytes
) -> bool:
    """Make a file visible; False if its upload was given up meanwhile."""
    row = await executor.fetchval(SQL["finish_upload"], file_id, state.value, size, sha256)
    return row is not None


async def abandon_upload(executor: Executor, file_id: UUID, *, stale_only: bool) -> str | None:
    """Give up an upload for good and return its object's key; None if there is none to give up."""
    key: str | None = await executor.fetchval(SQL["abandon_upload"], file_id, stale_only)
    return key


async def upload_lease(executor: Executor, file_id: UUID) -> timedelta | None:
    """Return how long an upload may still rest; None if none goes on."""
    left: timedelta | None = await executor.fetchval(SQL["upload_lease"], file_id)
    return left


async def delete_abandoned(executor: Executor, file_id: UUID) -> None:
    """Forget an abandoned upload."""
    await executor.execute(SQL["delete_abandoned"], file_id)


async def insert_erased_owner(executor: Executor, owner_id: UUID) -> None:
    """Let no upload of an owner begin any more."""
    await executor.execute(SQL["insert_erased_owner"], owner_id)


async def close_files(executor: Executor, owner_id: UUID, *, limit: int) -> list[ClosedFile]:
    """Give up up to `limit` of an owner's files for good and return what to remove of them."""
    rows = await executor.fetch(SQL["close_files"], owner_id, limit)
    return [ClosedFile(**dict(row)) for row in rows]


async def delete_closed(executor: Executor, file_ids: Sequence[UUID]) -> None:
    """Forget files that were given up."""
    await executor.execute(SQL["delete_closed"], list(file_ids))


async def find_file(executor: Executor, file_id: UUID) -> StoredFile | None:
    """Return a stored file, whoever owns it."""
    row = await executor.fetchrow(SQL["find_file"], file_id)
    return None if row is None else _stored_file(row)


async def list_files(
    executor: Executor, owner_id: UUID, *, below: UUID, limit: int
) -> list[StoredFile]:
    """Return an owner's files, newest first, with ids below the given one."""
    rows = await executor.fetch(SQL["list_files"], owner_id, below, limit)
    return [_stored_file(row) for row in rows]


async def finish_processing(
    executor: Executor, file_id: UUID, *, rejection: str | None = None
) -> bool:
    """Make a file ready, or rejected for a reason; False if it no longer is in processing."""
    state = FileState.READY if rejection is None else FileState.REJECTED
    row = await executor.fetchval(SQL["finish_processing"], file_id, state.value, rejection)
    return row is not None


async def insert_variant(
    executor: Executor, file_id: UUID, name: str, variant: StoredVariant
) -> None:
    """Add a derived form."""
    await executor.execute(
        SQL["insert_variant"],
        file_id,
        name,
        variant.object_key,
        variant.content_type,
        variant.width,
        variant.height,
        variant.size,
    )


def _stored_file(row: Record) -> StoredFile:
    return StoredFile(
        id=row["id"],
        owner_id=row["owner_id"],
        name=row["name"],
        object_key=row["object_key"],
        content_type=row["content_type"],
        size=row["size"],
        sha256=row["sha256"],
        visibility=Visibility(row["visibility"]),
        state=FileState(row["state"]),
        rejection=row["rejection"],
        created_at=row["created_at"],
        variants={
            name: StoredVariant(**values) for name, values in (row["variants"] or {}).items()
        },
    )
