"""Who may read which file: the only place that decides it, and the only way to a file's row."""

from typing import Final
from uuid import UUID

from services.files import store
from services.files.store import StoredFile
from shared.chassis.database import Executor
from shared.chassis.errors import Problem
from shared.chassis.identity.tokens import Identity
from shared.schemas.problems import ProblemCode
from shared.schemas.scopes import FILES_READ, FILES_WRITE

READ: Final = FILES_READ
WRITE: Final = FILES_WRITE


async def readable_file(executor: Executor, identity: Identity, file_id: str) -> StoredFile:
    """Return a file that the caller may read.

    Raises Problem `file_not_found` if there is none: somebody else's file and one that does not
    exist cannot be told apart. `scope_missing` for an API key without `files:read`.
    """
    require_scope(identity, READ)
    file = await store.find_file(executor, _parsed(file_id))
    if file is None or not _may_read(identity, file):
        raise Problem(ProblemCode.FILE_NOT_FOUND)
    return file


def require_scope(identity: Identity, scope: str) -> None:
    """Raise Problem `scope_missing` for an API key without the scope; sessions have them all."""
    if identity.scopes is not None and scope not in identity.scopes:
        raise Problem(ProblemCode.SCOPE_MISSING, f"The API key lacks the scope `{scope}`.")


def _may_read(identity: Identity, file: StoredFile) -> bool:
    return file.owner_id == identity.user_id


def _parsed(file_id: str) -> UUID:
    try:
        return UUID(file_id)
    except ValueError as error:
        raise Problem(ProblemCode.FILE_NOT_FOUND) from error
