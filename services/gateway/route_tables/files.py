"""Storing and reading files: what the files service offers."""

from typing import Final

from services.gateway.route import BINARY, PAGING, UPLOAD_BODY_LIMIT, Access, Route
from shared.schemas.api import files
from shared.schemas.api.pages import Page
from shared.schemas.scopes import FILES_READ, FILES_WRITE

FILES_ROUTES: Final = (
    Route(
        method="POST",
        path="/v1/files",
        service="files",
        access=Access.USER,
        summary="Upload a file as form field `file`, or as raw body with X-File-Name",
        status=201,
        scope=FILES_WRITE,
        request_contents={
            "multipart/form-data": {
                "type": "object",
                "required": ["file"],
                "properties": {"file": BINARY},
            },
            "*/*": BINARY,
        },
        parameters=(
            {
                "name": "X-File-Name",
                "in": "header",
                "description": "Name of the file where the body is not a form, percent-encoded",
                "schema": {"type": "string"},
            },
        ),
        answer=files.File,
        body_limit=UPLOAD_BODY_LIMIT,
        streaming=True,
    ),
    Route(
        method="GET",
        path="/v1/files",
        service="files",
        access=Access.USER,
        summary="List your files, newest first",
        scope=FILES_READ,
        answer=Page[files.File],
        parameters=PAGING,
    ),
    Route(
        method="GET",
        path="/v1/files/{file_id}",
        service="files",
        access=Access.USER,
        summary="Read what is known about a file",
        scope=FILES_READ,
        answer=files.File,
    ),
    Route(
        method="GET",
        path="/v1/files/{file_id}/content",
        service="files",
        access=Access.USER,
        summary="Download a file; ranges and If-None-Match are honoured",
        scope=FILES_READ,
        answer_contents={"*/*": BINARY},
    ),
    Route(
        method="GET",
        path="/v1/files/{file_id}/variants/{variant}",
        service="files",
        access=Access.USER,
        summary="Download a derived form of an image, such as `thumb`",
        scope=FILES_READ,
        answer_contents={"*/*": BINARY},
    ),
)
