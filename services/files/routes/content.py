"""The bytes of files and variants: decided here, sent by nginx."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from services.files.access import readable_file
from services.files.names import extension
from services.files.object_store import ObjectStore
from services.files.serving import object_headers
from services.files.store import StoredFile
from shared.chassis.database import Database
from shared.chassis.errors import Problem
from shared.chassis.identity.tokens import Authenticator
from shared.schemas.api.files import FileState
from shared.schemas.problems import ProblemCode


class ContentResource:
    """Downloads."""

    def __init__(
        self, authenticator: Authenticator, database: Database, objects: ObjectStore
    ) -> None:
        self._authenticator = authenticator
        self._database = database
        self._objects = objects

    def routes(self) -> list[Route]:
        """Return the routes of this resource."""
        return [
            Route("/v1/files/{file_id}/content", self.content, methods=["GET"]),
            Route("/v1/files/{file_id}/variants/{variant}", self.variant, methods=["GET"]),
        ]

    async def content(self, request: Request) -> Response:
        """Have nginx send a file's bytes. A file that is still processed has them already."""
        file = await self._readable(request)
        return self._send(file.object_key, file.name, file.content_type)

    async def variant(self, request: Request) -> Response:
        """Have nginx send the bytes of a variant."""
        file = await self._readable(request)
        name = request.path_params["variant"]
        variant = file.variants.get(name)
        if variant is None:
            still = file.state is FileState.PROCESSING
            raise Problem(ProblemCode.FILE_NOT_READY if still else ProblemCode.VARIANT_NOT_FOUND)
        suffix = variant.content_type.rpartition("/")[2]
        return self._send(
            variant.object_key, f"{_stem(file.name)}-{name}.{suffix}", variant.content_type
        )

    async def _readable(self, request: Request) -> StoredFile:
        identity = await self._authenticator.identify(request)
        file = await readable_file(self._database, identity, request.path_params["file_id"])
        if file.state is FileState.REJECTED:
            raise Problem(ProblemCode.FILE_NOT_READY, f"The file was rejected. {file.rejection}")
        return file

    def _send(self, object_key: str, name: str, media_type: str) -> Response:
        return Response(headers=object_headers(self._objects.address(object_key), name, media_type))


def _stem(name: str) -> str:
    return name.removesuffix(name[-len(extension(name)) - 1 :]) if extension(name) else name
