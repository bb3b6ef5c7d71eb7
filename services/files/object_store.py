"""The S3 server as this service sees it: addresses for nginx at once, a client when needed."""

import asyncio
import importlib
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

import httpx2

from services.files.presigning import Presigner
from services.files.settings import FilesSettings
from shared.chassis.errors import Unavailable

if TYPE_CHECKING:
    from services.files.bucket import Bucket

ADDRESS_LIFETIME_SECONDS: Final = 60
PROBE_TIMEOUT_SECONDS: Final = 5.0


class ObjectMissing(Exception):  # noqa: N818 - says what was found, or rather was not
    """The object, or the multipart upload it was to be made of, is not there."""


class ObjectStoreUnreached(Unavailable):
    """No connection could be made, so the request had no effect."""

    def __init__(self) -> None:
        super().__init__("s3")


class ObjectStoreRefused(Exception):  # noqa: N818 - what the server did; an operator reads it
    """The S3 server does not let this account work; the message says what to do."""


class ObjectStore:
    """Objects of one bucket.

    Deciding about downloads needs no client, only signatures. So aiobotocore, which takes 30 MB
    and a quarter of a second, is loaded by the first call that moves bytes.
    """

    def __init__(self, settings: FilesSettings) -> None:
        self._settings = settings
        self._presigner = Presigner(
            endpoint=settings.s3_endpoint,
            region=settings.s3_region,
            access_key=settings.s3_access_key,
            secret_key=settings.s3_secret_key.get_secret_value(),
        )
        self._bucket: Bucket | None = None
        self._loading = asyncio.Lock()

    async def start(self) -> None:
        """Make sure of the bucket. Raises Unavailable, or ObjectStoreRefused for wrong keys."""
        name = self._settings.s3_bucket
        async with httpx2.AsyncClient(
            base_url=self._settings.s3_endpoint, timeout=PROBE_TIMEOUT_SECONDS, trust_env=False
        ) as client:
            address = self._presigner.address(
                "HEAD", f"/{name}", expires_seconds=ADDRESS_LIFETIME_SECONDS
            )
            try:
                response = await client.head(address)
            except httpx2.HTTPError as error:
                raise Unavailable("s3") from error
        if response.is_server_error:
            raise Unavailable("s3")
        if response.status_code != HTTPStatus.OK:
            raise ObjectStoreRefused(
                f"the S3 server answered {response.status_code} for the bucket {name}; make the "
                "bucket, or check FREEHOLD_S3_BUCKET, FREEHOLD_S3_ACCESS_KEY and "
                "FREEHOLD_S3_SECRET_KEY"
            )

    async def stop(self) -> None:
        """Close the client, if there is one."""
        bucket, self._bucket = self._bucket, None
        if bucket is not None:
            await bucket.stop()

    async def bucket(self) -> "Bucket":
        """Return the operations that move bytes; the first call loads them."""
        async with self._loading:
            if self._bucket is None:
                # Imported in a thread: the loop goes on with other requests meanwhile.
                module = await asyncio.to_thread(importlib.import_module, "services.files.bucket")
                bucket: Bucket = module.Bucket(self._settings)
                await bucket.start()
                self._bucket = bucket
            return self._bucket

    def address(self, key: str) -> str:
        """Return path and query of a GET for an object, good for a minute on this host only."""
        return self._presigner.address(
            "GET", f"/{self._settings.s3_bucket}/{key}", expires_seconds=ADDRESS_LIFETIME_SECONDS
        )
