"""Makes the bucket and proves that the object store keeps what it is given."""

import secrets
import time
import urllib.error
import urllib.request
from urllib.parse import urlsplit

import botocore.session
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from deploy.local.errors import LauncherError
from deploy.local.external import unusable
from shared.chassis.reachability import server_of, why_unreachable

VARIABLE = "FREEHOLD_S3_ENDPOINT"
DEFAULT_PORTS = {"http": 80, "https": 443}
PROBE_KEY = ".freehold-probe"
TIMEOUT_SECONDS = 45.0
PAUSE_SECONDS = 0.25
FORBIDDEN = 403
REFUSALS = (401, FORBIDDEN)


class ObjectStore:
    """An S3 endpoint, spoken to with one pair of keys."""

    def __init__(self, endpoint: str, region: str, keys: tuple[str, str]) -> None:
        self.endpoint = endpoint
        access_key, secret_key = keys
        self._client = botocore.session.Session().create_client(
            "s3",
            endpoint_url=endpoint,
            region_name=region,
            aws_access_key_id=access_key,
            aws_secret_access_key=secret_key,
            config=Config(
                s3={"addressing_style": "path"},
                connect_timeout=3,
                read_timeout=15,
                retries={"total_max_attempts": 1},
            ),
        )

    def make_bucket(self, bucket: str) -> None:
        """Create the bucket unless it is there. Raises botocore's errors."""
        try:
            self._client.head_bucket(Bucket=bucket)
        except ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] != 404:  # noqa: PLR2004 - HTTP's own name for it
                raise
            self._client.create_bucket(Bucket=bucket)

    def prove(self, bucket: str) -> None:
        """Write random bytes, read them back and delete them.

        Raises botocore's errors, or LauncherError if other bytes come back.
        """
        written = secrets.token_bytes(64)
        self._client.put_object(Bucket=bucket, Key=PROBE_KEY, Body=written)
        read = self._client.get_object(Bucket=bucket, Key=PROBE_KEY)["Body"].read()
        self._client.delete_object(Bucket=bucket, Key=PROBE_KEY)
        if read != written:
            raise LauncherError(
                f"The object store {self.endpoint} returned other bytes than it was given.\n"
                "Next: do not use it; check the store and its disk."
            )


def provision(
    administrator: ObjectStore, files: ObjectStore, bucket: str, *, embedded: bool
) -> None:
    """Make the bucket and test it with the keys of the files service.

    A store that has just started answers before it can write, so this tries for a while; not so for
    an external one that cannot be reached or refuses the keys. Idempotent. Raises LauncherError if
    the store does not work, or works for anybody.
    """
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while True:
        try:
            administrator.make_bucket(bucket)
            files.prove(bucket)
            break
        except (BotoCoreError, ClientError) as error:
            if not embedded and (what := _why_hopeless(error)):
                raise unusable(VARIABLE, _server(files.endpoint), what) from error
            if time.monotonic() > deadline:
                raise LauncherError(
                    f"The object store {files.endpoint} cannot be used: {error}.\n"
                    "Next: see `./freehold logs seaweedfs`, or check FREEHOLD_S3_ENDPOINT and its "
                    "keys if it is an external one."
                ) from error
            time.sleep(PAUSE_SECONDS)
    _require_closed(files.endpoint, bucket)


def _server(endpoint: str) -> str:
    return server_of(endpoint, DEFAULT_PORTS[urlsplit(endpoint).scheme])


def _why_hopeless(error: BotoCoreError | ClientError) -> str | None:
    if not isinstance(error, ClientError):
        return why_unreachable(error) or f"does not answer as an S3 server does: {error}"
    if error.response["ResponseMetadata"]["HTTPStatusCode"] in REFUSALS:
        return "refuses FREEHOLD_S3_ACCESS_KEY or FREEHOLD_S3_SECRET_KEY, or their rights"
    return None


def _require_closed(endpoint: str, bucket: str) -> None:
    """Raise LauncherError if somebody without keys can write into the bucket."""
    request = urllib.request.Request(  # noqa: S310 - the endpoint is checked to be http or https
        f"{endpoint}/{bucket}/{PROBE_KEY}", data=b"open", method="PUT"
    )
    try:
        with urllib.request.urlopen(request, timeout=15):  # noqa: S310 - the same
            pass
    except urllib.error.HTTPError as error:
        if error.code == FORBIDDEN:
            return
        raise LauncherError(
            f"The object store {endpoint} answered {error.code} to a write without keys, where 403 "
            "was expected.\nNext: check that FREEHOLD_S3_ENDPOINT is an S3 endpoint."
        ) from error
    raise LauncherError(
        f"The object store {endpoint} lets anybody write into {bucket}.\n"
        "Next: close it (keys in its configuration, no public write policy) and run this again."
    )
