"""The files service on real servers, and everything it leaves behind in them."""

import contextlib
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import botocore.session
import httpx2
import jwt
from botocore.config import Config
from cryptography.hazmat.primitives.asymmetric import ec

from services.files.app import NAME, application
from services.files.erasure import Erasure
from services.files.image_pool import ImagePool
from services.files.jobs import IMAGES_QUEUE, UPLOADS_QUEUE, EraseOwner, MakeVariants, SweepUpload
from services.files.object_store import ObjectStore
from services.files.settings import FilesSettings
from services.files.unfinished import UnfinishedUploads
from services.files.variants import Variants
from shared.chassis.bus import Bus
from shared.chassis.database import Database
from shared.chassis.identity.tokens import Authenticator, TokenVerifier
from shared.chassis.jobs.commands import JobQueue
from shared.chassis.jobs.wakeups import Wakeups
from shared.chassis.jobs.worker import JobWorker
from shared.chassis.lifecycle import Lifecycle
from shared.chassis.outbox import Outbox
from tests.parts.processes import free_port
from tests.parts.seaweedfs import S3Server

PUBLIC_URL = "http://localhost:8080"
BUCKET = "freehold-tests"


def files_settings(postgres_url: str, s3: S3Server, **changes: object) -> FilesSettings:
    """Settings with a bus that nobody listens on: what is tested here needs none."""
    values: dict[str, object] = {
        "run_dir": Path("/nonexistent"),
        "public_url": PUBLIC_URL,
        "internal_key": "k" * 32,
        "postgres_url": postgres_url,
        "amqp_url": f"amqp://127.0.0.1:{free_port()}/",
        "s3_endpoint": s3.endpoint,
        "s3_access_key": s3.access_key,
        "s3_secret_key": s3.secret_key,
        "s3_bucket": BUCKET,
        "s3_region": s3.region,
    }
    return FilesSettings.model_validate(values | changes)


class Tokens:
    """Access tokens as auth would sign them."""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())

    async def key(self, key_id: str) -> ec.EllipticCurvePublicKey | None:
        return self._key.public_key() if key_id == "test" else None

    def mint(self, user_id: UUID, *, scope: str | None = None, lifetime: int = 900) -> str:
        now = int(time.time())
        claims: dict[str, object] = {
            "iss": PUBLIC_URL,
            "aud": "freehold",
            "sub": str(user_id),
            "sid": str(uuid4()),
            "jti": str(uuid4()),
            "iat": now,
            "exp": now + lifetime,
            "roles": [],
        }
        if scope is not None:
            claims["scope"] = scope
        headers = {"kid": "test", "typ": "at+jwt"}
        return jwt.encode(claims, self._key, "ES256", headers=headers)


class Objects:
    """What S3 really holds, asked behind the service's back."""

    def __init__(self, s3: S3Server) -> None:
        self._client = botocore.session.Session().create_client(
            "s3",
            endpoint_url=s3.endpoint,
            region_name=s3.region,
            aws_access_key_id=s3.access_key,
            aws_secret_access_key=s3.secret_key,
            config=Config(s3={"addressing_style": "path"}, retries={"total_max_attempts": 1}),
        )

    def make_bucket(self) -> None:
        self._client.create_bucket(Bucket=BUCKET)

    def keys(self) -> set[str]:
        answer = self._client.list_objects_v2(Bucket=BUCKET)
        return {item["Key"] for item in answer.get("Contents", ())}

    def begun(self) -> set[str]:
        answer = self._client.list_multipart_uploads(Bucket=BUCKET)
        return {item["Key"] for item in answer.get("Uploads", ())}

    def read(self, key: str) -> bytes:
        body: bytes = self._client.get_object(Bucket=BUCKET, Key=key)["Body"].read()
        return body

    def put(self, key: str, body: bytes) -> None:
        self._client.put_object(Bucket=BUCKET, Key=key, Body=body)

    def begin(self, key: str, body: bytes) -> None:
        upload = self._client.create_multipart_upload(Bucket=BUCKET, Key=key)
        self._client.upload_part(
            Bucket=BUCKET, Key=key, UploadId=upload["UploadId"], PartNumber=1, Body=body
        )

    def clear(self) -> None:
        for key in self.keys():
            self._client.delete_object(Bucket=BUCKET, Key=key)
        for item in self._client.list_multipart_uploads(Bucket=BUCKET).get("Uploads", ()):
            self._client.abort_multipart_upload(
                Bucket=BUCKET, Key=item["Key"], UploadId=item["UploadId"]
            )


@dataclass
class Traces:
    """Everything the service has left in Postgres and S3."""

    files: list[tuple[str, str]] = field(default_factory=list)
    """Name and state."""
    variants: list[str] = field(default_factory=list)
    events: list[str] = field(default_factory=list)
    jobs: list[tuple[str, str]] = field(default_factory=list)
    """Kind and state, without the sweeps that wait for their hour."""
    objects: int = 0
    begun: int = 0


@dataclass
class FilesService:
    """The service under test."""

    settings: FilesSettings
    database: Database
    store: ObjectStore
    objects: Objects
    tokens: Tokens
    app: Any

    def client(self, user_id: UUID, *, scope: str | None = None) -> httpx2.AsyncClient:
        return httpx2.AsyncClient(
            transport=httpx2.ASGITransport(self.app),
            base_url=PUBLIC_URL,
            headers={"Authorization": f"Bearer {self.tokens.mint(user_id, scope=scope)}"},
        )

    async def traces(self) -> Traces:
        files = await self.database.fetch("SELECT name, state FROM files ORDER BY id")
        variants = await self.database.fetch("SELECT name FROM variants ORDER BY name")
        events = await self.database.fetch("SELECT routing_key FROM outbox ORDER BY id")
        jobs = await self.database.fetch(
            "SELECT kind, state FROM jobs WHERE NOT (kind = 'sweep_upload' AND state = 'scheduled' "
            "AND run_at > now() + interval '59 minutes') ORDER BY id"
        )
        return Traces(
            files=[(row["name"], row["state"]) for row in files],
            variants=[row["name"] for row in variants],
            events=[row["routing_key"] for row in events],
            jobs=[(row["kind"], row["state"]) for row in jobs],
            objects=len(self.objects.keys()),
            begun=len(self.objects.begun()),
        )

    async def event(self, routing_key: str) -> dict[str, Any]:
        body: dict[str, Any] = await self.database.fetchval(
            "SELECT body FROM outbox WHERE routing_key = $1", routing_key
        )
        return body

    def erasure(self) -> Erasure:
        return Erasure(self.database, self.store, JobQueue(None), Outbox(NAME))

    @contextlib.asynccontextmanager
    async def worker(self) -> AsyncIterator[ImagePool]:
        """Run the jobs as a worker process does."""
        lifecycle = Lifecycle()
        images = await lifecycle.start(
            ImagePool(size=2, timeout_seconds=self.settings.image_timeout_seconds)
        )
        bus = Bus(self.settings, NAME)
        variants = Variants(
            self.database,
            self.store,
            images,
            Outbox(NAME),
            maximum_bytes=self.settings.image_max_bytes,
        )
        unfinished = UnfinishedUploads(self.database, self.store, JobQueue(None))
        wakeups = await lifecycle.start(Wakeups(bus, lifecycle))
        images_worker = JobWorker(
            self.database,
            wakeups,
            lifecycle,
            queue=IMAGES_QUEUE,
            handlers={MakeVariants: variants.make},
        )
        uploads_worker = JobWorker(
            self.database,
            wakeups,
            lifecycle,
            queue=UPLOADS_QUEUE,
            handlers={SweepUpload: unfinished.sweep, EraseOwner: self.erasure().erase},
        )
        await lifecycle.start(images_worker)
        await lifecycle.start(uploads_worker)
        try:
            yield images
        finally:
            await lifecycle.stop()


def make_service(
    settings: FilesSettings, database: Database, store: ObjectStore, objects: Objects
) -> FilesService:
    tokens = Tokens()
    authenticator = Authenticator(TokenVerifier(tokens, issuer=PUBLIC_URL))
    app = application(settings, authenticator, database, store, JobQueue(None))
    return FilesService(settings, database, store, objects, tokens, app)
