"""The S3 operations that move bytes, by aiobotocore. Imported when the first byte moves."""

import asyncio
import base64
import contextlib
import io
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any, Final

import aiohttp
from aiobotocore.config import AioConfig
from aiobotocore.session import get_session
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionClosedError,
    ConnectTimeoutError,
    EndpointConnectionError,
    HTTPClientError,
)

from services.files.object_store import ObjectMissing, ObjectStoreUnreached
from services.files.settings import FilesSettings
from shared.chassis.errors import Unavailable

POOL_SIZE: Final = 64
CONNECT_TIMEOUT_SECONDS: Final = 3
READ_TIMEOUT_SECONDS: Final = 10
REQUEST_TIMEOUT_SECONDS: Final = 15.0
"""For one request as a whole: a server that stops reading would block the sending for ever."""
CHUNK_BYTES: Final = 256 * 1024
FIRST_SERVER_ERROR: Final = 500


class Bucket:
    """One bucket through one client and its pool of connections.

    Every method raises Unavailable("s3") when the server cannot be reached or fails on its side;
    ObjectStoreUnreached, which is one, if the request certainly had no effect; ObjectMissing when
    the object or the multipart upload it needs is not there. Cancelling closes the connection in
    use; whether the request had its effect is then unknown.
    """

    def __init__(self, settings: FilesSettings) -> None:
        self._settings = settings
        self._name = settings.s3_bucket
        self._client: Any = None
        self._resources = contextlib.AsyncExitStack()

    async def start(self) -> None:
        """Make the client; no connection is opened yet."""
        settings = self._settings
        config = AioConfig(
            signature_version="s3v4",
            # The digest in the signed headers guards the body, so it is not hashed again.
            s3={"addressing_style": "path", "payload_signing_enabled": False},
            # Checksums are given explicitly; not every S3 server knows the trailers.
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
            max_pool_connections=POOL_SIZE,
            connect_timeout=CONNECT_TIMEOUT_SECONDS,
            read_timeout=READ_TIMEOUT_SECONDS,
            # `_call` decides what is tried again: it must know what may have had an effect.
            retries={"mode": "standard", "total_max_attempts": 1},
        )
        self._client = await self._resources.enter_async_context(
            get_session().create_client(
                "s3",
                endpoint_url=settings.s3_endpoint,
                region_name=settings.s3_region,
                aws_access_key_id=settings.s3_access_key,
                aws_secret_access_key=settings.s3_secret_key.get_secret_value(),
                config=config,
            )
        )

    async def stop(self) -> None:
        """Close every connection."""
        await self._resources.aclose()

    async def put(self, key: str, body: io.BytesIO, media_type: str, sha256: bytes) -> None:
        """Store an object whole, replacing what the key held. The server checks the digest."""
        await self._call(
            lambda: self._client.put_object(
                Bucket=self._name,
                Key=key,
                Body=_rewound(body),
                ContentType=media_type,
                ChecksumSHA256=_encode(sha256),
            )
        )

    async def begin(self, key: str, media_type: str) -> str:
        """Begin an object that arrives in parts; return the id of its multipart upload."""
        answer = await self._call(
            lambda: self._client.create_multipart_upload(
                Bucket=self._name, Key=key, ContentType=media_type, ChecksumAlgorithm="SHA256"
            )
        )
        upload_id: str = answer["UploadId"]
        return upload_id

    async def add(
        self, key: str, upload_id: str, number: int, body: io.BytesIO, sha256: bytes
    ) -> dict[str, object]:
        """Store one part, counted from 1; return what `finish` wants to know of it."""
        checksum = _encode(sha256)
        answer = await self._call(
            lambda: self._client.upload_part(
                Bucket=self._name,
                Key=key,
                UploadId=upload_id,
                PartNumber=number,
                Body=_rewound(body),
                ChecksumSHA256=checksum,
            )
        )
        return {"PartNumber": number, "ETag": answer["ETag"], "ChecksumSHA256": checksum}

    async def finish(self, key: str, upload_id: str, parts: list[dict[str, object]]) -> None:
        """Make the object of its parts."""
        await self._call(
            lambda: self._client.complete_multipart_upload(
                Bucket=self._name,
                Key=key,
                UploadId=upload_id,
                MultipartUpload={"Parts": parts},
            )
        )

    async def remove(self, key: str) -> None:
        """Remove the object and every begun multipart upload of a key. Nothing there is fine."""
        answer = await self._call(
            lambda: self._client.list_multipart_uploads(Bucket=self._name, Prefix=key)
        )
        for upload in answer.get("Uploads", ()):
            if upload["Key"] == key:
                await self._abort(key, upload["UploadId"])
        await self._call(lambda: self._client.delete_object(Bucket=self._name, Key=key))

    async def read(self, key: str) -> AsyncGenerator[bytes, None]:
        """Yield an object's bytes.

        Close the iterator (`contextlib.aclosing`) to give its connection back early.
        """
        answer = await self._call(lambda: self._client.get_object(Bucket=self._name, Key=key))
        try:
            async with answer["Body"] as body:
                async for chunk in body.iter_chunks(CHUNK_BYTES):
                    yield chunk
        except (aiohttp.ClientError, BotoCoreError, OSError) as error:
            raise Unavailable("s3") from error

    async def _abort(self, key: str, upload_id: str) -> None:
        with contextlib.suppress(ObjectMissing):
            await self._call(
                lambda: self._client.abort_multipart_upload(
                    Bucket=self._name, Key=key, UploadId=upload_id
                )
            )

    async def _call(self, request: Callable[[], Awaitable[Any]]) -> Any:
        try:
            async with asyncio.timeout(REQUEST_TIMEOUT_SECONDS):
                return await request()
        except ConnectionClosedError:
            # Most likely a pooled connection that the server had closed meanwhile. All requests
            # but `finish` can be repeated, and a second `finish` is refused without harm.
            return await self._call_again(request)
        except (EndpointConnectionError, ConnectTimeoutError) as error:
            raise ObjectStoreUnreached from error
        except ClientError as error:
            raise _translated(error) from error
        except (HTTPClientError, aiohttp.ClientError, OSError) as error:
            raise Unavailable("s3") from error

    async def _call_again(self, request: Callable[[], Awaitable[Any]]) -> Any:
        try:
            async with asyncio.timeout(REQUEST_TIMEOUT_SECONDS):
                return await request()
        except ClientError as error:
            raise _translated(error) from error
        except (HTTPClientError, BotoCoreError, aiohttp.ClientError, OSError) as error:
            raise Unavailable("s3") from error


def _rewound(body: io.BytesIO) -> io.BytesIO:
    # A second attempt sends it again from its start.
    body.seek(0)
    return body


def _encode(digest: bytes) -> str:
    return base64.b64encode(digest).decode()


def _translated(error: ClientError) -> Exception:
    code = error.response["Error"].get("Code", "")
    status = error.response["ResponseMetadata"]["HTTPStatusCode"]
    if code in {"NoSuchKey", "NoSuchUpload"}:
        return ObjectMissing(code)
    if status >= FIRST_SERVER_ERROR or code in {"SlowDown", "RequestTimeout"}:
        return Unavailable("s3")
    refused: Exception = error
    return refused
