"""Settings of the files service."""

from pydantic import Field, SecretStr

from shared.chassis.settings import BusSettings, DatabaseSettings, Settings


class FilesSettings(Settings, DatabaseSettings, BusSettings):
    """What an operator can set; every name is `FREEHOLD_` and the field in capitals."""

    s3_endpoint: str = Field(
        pattern=r"^https?://[^/?#]+$",
        examples=["https://s3.example.com"],
        description="Address of the S3 server, without a path; nginx fetches objects from it too",
    )
    s3_access_key: str = Field(min_length=1, description="Name of the S3 account")
    s3_secret_key: SecretStr = Field(min_length=1, description="Secret of the S3 account")
    s3_bucket: str = Field(
        default="freehold",
        pattern=r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$",
        examples=["freehold-files"],
        description="Bucket of all objects; it must exist",
    )
    s3_region: str = Field(
        default="us-east-1", pattern=r"^[a-z0-9-]+$", description="Region that requests are for"
    )
    upload_max_bytes: int = Field(
        default=5 * 1024**3,
        ge=1,
        le=5 * 1024**3,
        description="Bytes of one uploaded file at most; the edge has a limit of its own, so more "
        "than that has no effect",
    )
    upload_concurrency: int = Field(
        default=32,
        ge=1,
        le=1000,
        description="Uploads that one process receives at the same time; each takes up to 20 MB "
        "of memory, and a further one is answered 503",
    )
    upload_idle_seconds: float = Field(
        default=60.0,
        gt=0,
        le=600,
        description="Seconds without a byte after which an upload is given up",
    )
    image_max_bytes: int = Field(
        default=128 * 1024**2,
        ge=1,
        le=1024**3,
        description="Bytes of an image that variants are made of; a larger one is rejected. The "
        "whole file lies in the memory of the process that decodes it",
    )
    image_processes: int = Field(
        default=2,
        ge=1,
        le=64,
        description="Images that one worker decodes at the same time; more than the machine's "
        "cores only makes each of them slower",
    )
    image_timeout_seconds: float = Field(
        default=30.0,
        gt=0,
        le=45.0,
        description="Seconds for one variant; an image that takes longer is rejected",
    )
