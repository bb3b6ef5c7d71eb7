"""Presigned addresses, against AWS' published example and against botocore."""

from datetime import UTC, datetime
from urllib.parse import parse_qs, urlsplit

import botocore.session
import pytest
from botocore.config import Config

from services.files.presigning import Presigner


def test_the_example_in_aws_documentation() -> None:
    presigner = Presigner(
        endpoint="https://examplebucket.s3.amazonaws.com",
        region="us-east-1",
        access_key="AKIAIOSFODNN7EXAMPLE",
        secret_key="wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    )

    address = presigner.address(
        "GET",
        "/test.txt",
        expires_seconds=86400,
        now=datetime(2013, 5, 24, tzinfo=UTC),
    )

    assert parse_qs(urlsplit(address).query)["X-Amz-Signature"] == [
        "aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"
    ]


@pytest.mark.parametrize("key", ["t/a/b", "t/a/b.thumb", "with space+plus=~", "ü/ß%20"])
def test_botocore_signs_the_same(key: str) -> None:
    endpoint = "http://127.0.0.1:8333"
    presigner = Presigner(
        endpoint=endpoint, region="eu-central-1", access_key="a/b", secret_key="secret"
    )
    client = botocore.session.Session().create_client(
        "s3",
        endpoint_url=endpoint,
        region_name="eu-central-1",
        aws_access_key_id="a/b",
        aws_secret_access_key="secret",
        config=Config(s3={"addressing_style": "path"}, signature_version="s3v4"),
    )
    theirs = urlsplit(
        client.generate_presigned_url(
            "get_object",
            Params={"Bucket": "bucket", "Key": key, "ResponseCacheControl": "no-store"},
            ExpiresIn=60,
        )
    )
    signed_at = parse_qs(theirs.query)["X-Amz-Date"][0]

    ours = urlsplit(
        presigner.address(
            "GET",
            f"/bucket/{key}",
            expires_seconds=60,
            query={"response-cache-control": "no-store"},
            now=datetime.strptime(signed_at, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC),
        )
    )

    assert ours.path == theirs.path
    assert parse_qs(ours.query) == parse_qs(theirs.query)
