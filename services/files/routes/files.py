"""`/v1/files`: uploading, listing, reading."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from services.files import store
from services.files.access import READ, WRITE, readable_file, require_scope
from services.files.incoming import incoming_file
from services.files.settings import FilesSettings
from services.files.uploads import Uploads
from shared.chassis.database import Database
from shared.chassis.http import json_response
from shared.chassis.identity.tokens import Authenticator
from shared.chassis.paging import page_query
from shared.schemas.api.files import File
from shared.schemas.api.pages import Page


class FilesResource:
    """Files as their owners see them."""

    def __init__(
        self,
        settings: FilesSettings,
        authenticator: Authenticator,
        database: Database,
        uploads: Uploads,
    ) -> None:
        self._settings = settings
        self._authenticator = authenticator
        self._database = database
        self._uploads = uploads

    def routes(self) -> list[Route]:
        """Return the routes of this resource."""
        return [
            Route("/v1/files", self.upload, methods=["POST"]),
            Route("/v1/files", self.list_page, methods=["GET"]),
            Route("/v1/files/{file_id}", self.read, methods=["GET"]),
        ]

    async def upload(self, request: Request) -> Response:
        """Store the file in the request."""
        identity = await self._authenticator.identify(request)
        require_scope(identity, WRITE)
        incoming = await incoming_file(
            request,
            limit_bytes=self._settings.upload_max_bytes,
            idle_seconds=self._settings.upload_idle_seconds,
        )
        file = await self._uploads.receive(identity.user_id, incoming)
        return json_response(file, 201, headers={"Location": f"/v1/files/{file.id}"})

    async def list_page(self, request: Request) -> Response:
        """Return a page of the caller's files, newest first."""
        identity = await self._authenticator.identify(request)
        require_scope(identity, READ)
        query = page_query(request)
        files, cursor = query.cut(
            await store.list_files(
                self._database,
                identity.user_id,
                below=query.before or store.NEWEST,
                limit=query.rows_to_read,
            )
        )
        return json_response(Page[File](items=[file.public() for file in files], next=cursor))

    async def read(self, request: Request) -> Response:
        """Return what is known about a file."""
        identity = await self._authenticator.identify(request)
        file = await readable_file(self._database, identity, request.path_params["file_id"])
        return json_response(file.public())
