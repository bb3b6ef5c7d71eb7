"""The file in a request: a form's field or the raw body, as a bounded stream of bytes."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote

from starlette.requests import Request

from services.files.form import MAXIMUM_OTHER_BYTES, FormFile
from services.files.names import clean_name
from shared.chassis.errors import Problem
from shared.schemas.problems import FieldError, ProblemCode

NAME_HEADER: Final = "X-File-Name"


@dataclass(frozen=True)
class IncomingFile:
    """A file that is arriving. `chunks` may be iterated once, and raises what goes wrong."""

    name: str
    """Cleaned; see `names.py`."""
    content_type: str
    """As declared, unchecked."""
    chunks: AsyncIterator[bytes]


async def incoming_file(request: Request, *, limit_bytes: int, idle_seconds: float) -> IncomingFile:
    """Read a request up to the first byte of its file.

    Raises Problem: 400 for a form that cannot be read, 413, 422 if there is no file or no name;
    iterating the chunks raises the same, 408 when nothing arrives for a while, and
    ClientDisconnect when the client is gone.
    """
    declared = request.headers.get("content-type", "")
    is_form = declared.partition(";")[0].strip().lower() == "multipart/form-data"
    body_limit = limit_bytes + (MAXIMUM_OTHER_BYTES if is_form else 0)
    length = request.headers.get("content-length", "")
    if length.isdecimal() and int(length) > body_limit:
        raise _too_large(limit_bytes)
    body = _body(request, idle_seconds)
    if is_form:
        form = FormFile(declared, body)
        await form.find()
        name, declared, chunks = form.name, form.content_type, form.chunks()
    else:
        name, chunks = _name_from_header(request), body
    return IncomingFile(clean_name(name), declared, _limited(chunks, limit_bytes))


async def _body(request: Request, idle_seconds: float) -> AsyncIterator[bytes]:
    stream = request.stream()
    while True:
        try:
            async with asyncio.timeout(idle_seconds):
                chunk = await anext(stream, None)
        except TimeoutError as error:
            raise Problem(ProblemCode.REQUEST_TIMEOUT) from error
        if chunk is None:
            return
        if chunk:
            yield chunk


async def _limited(chunks: AsyncIterator[bytes], limit_bytes: int) -> AsyncIterator[bytes]:
    received = 0
    async for chunk in chunks:
        received += len(chunk)
        if received > limit_bytes:
            raise _too_large(limit_bytes)
        yield chunk


def _name_from_header(request: Request) -> str:
    value = request.headers.get(NAME_HEADER)
    if value is None:
        message = "Name the file in this header, percent-encoded, or send a form."
        raise Problem(
            ProblemCode.VALIDATION_FAILED, errors=[FieldError(field=NAME_HEADER, message=message)]
        )
    # Header values come as Latin-1; clients that do not percent-encode send UTF-8.
    return unquote(value.encode("latin-1").decode(errors="replace"))


def _too_large(limit_bytes: int) -> Problem:
    return Problem(ProblemCode.PAYLOAD_TOO_LARGE, f"A file may have {limit_bytes} bytes at most.")
