"""Where nginx fetches the bytes of a file, on behalf of a service that decided about them."""

from typing import Final
from urllib.parse import urlsplit

from deploy.nginx.cross_origin import cross_origin_headers
from deploy.nginx.errors import object_error_pages
from deploy.nginx.locations import HIDDEN_FROM_CLIENTS
from deploy.nginx.syntax import block, literal, quote
from shared.schemas.problems import ProblemCode

OBJECT: Final = "/_object/"
"""Where a service sends nginx, by X-Accel-Redirect, for the bytes of an object."""

# What S3 servers say about an object besides its bytes. nginx has no wildcard for it.
_HIDDEN_FROM_OBJECTS: Final = (
    *HIDDEN_FROM_CLIENTS,
    "Content-Type",
    "Content-Disposition",
    "Content-Security-Policy",
    "Cache-Control",
    "Expires",
    "Set-Cookie",
    "Vary",
    "Access-Control-Allow-Origin",
    "Access-Control-Allow-Methods",
    "Access-Control-Allow-Headers",
    "Access-Control-Allow-Credentials",
    "Access-Control-Expose-Headers",
    "Access-Control-Max-Age",
    "Strict-Transport-Security",
    "X-Xss-Protection",
    "X-Amz-Request-Id",
    "X-Amz-Id-2",
    "X-Amz-Version-Id",
    "X-Amz-Delete-Marker",
    "X-Amz-Expiration",
    "X-Amz-Restore",
    "X-Amz-Archive-Status",
    "X-Amz-Storage-Class",
    "X-Amz-Replication-Status",
    "X-Amz-Missing-Meta",
    "X-Amz-Mp-Parts-Count",
    "X-Amz-Tagging-Count",
    "X-Amz-Request-Charged",
    "X-Amz-Object-Lock-Mode",
    "X-Amz-Object-Lock-Retain-Until-Date",
    "X-Amz-Object-Lock-Legal-Hold",
    "X-Amz-Website-Redirect-Location",
    "X-Amz-Bucket-Region",
    "X-Amz-Server-Side-Encryption",
    "X-Amz-Server-Side-Encryption-Aws-Kms-Key-Id",
    "X-Amz-Server-Side-Encryption-Bucket-Key-Enabled",
    "X-Amz-Server-Side-Encryption-Customer-Algorithm",
    "X-Amz-Server-Side-Encryption-Customer-Key-Md5",
    "X-Amz-Checksum-Crc32",
    "X-Amz-Checksum-Crc32c",
    "X-Amz-Checksum-Crc64nvme",
    "X-Amz-Checksum-Sha1",
    "X-Amz-Checksum-Sha256",
    "X-Amz-Checksum-Type",
    "X-Amz-Meta-Sha256",
    "X-Amz-Object-Lock-Enabled",
    "Seaweed-X-Amz-Acl",
    "Seaweed-X-Amz-Delete-Marker",
    "Seaweed-X-Amz-Etag",
    "Seaweed-X-Amz-Is-Latest",
    "Seaweed-X-Amz-Legal-Hold",
    "Seaweed-X-Amz-Lifecycle-Ttl-Fast-Path",
    "Seaweed-X-Amz-Object-Lock-Mode",
    "Seaweed-X-Amz-Owner",
    "Seaweed-X-Amz-Ownership",
    "Seaweed-X-Amz-Retention-Until-Date",
    "Seaweed-X-Amz-Version-Id",
    "X-Minio-Deployment-Id",
)


# Headers that would steer nginx itself, had somebody stored them with an object.
_IGNORED_FROM_OBJECTS: Final = (
    "X-Accel-Redirect",
    "X-Accel-Expires",
    "X-Accel-Charset",
    "X-Accel-Buffering",
    "X-Accel-Limit-Rate",
    "Cache-Control",
    "Expires",
    "Set-Cookie",
    "Vary",
)


def object_location(endpoint: str) -> list[str]:
    """Return the internal location that fetches an object for a service.

    The service answers `X-Accel-Redirect: /_object/` and `X-Freehold-Object`: path and query of a
    GET address, presigned for the S3 endpoint, that never leaves the host. Its Content-Type and
    Content-Security-Policy become the answer's, `X-Freehold-Cache-Control` and
    `X-Freehold-Content-Disposition` the headers of those names: sent as themselves they would stay
    on the problem that replaces an object that cannot be fetched, and be cached with it.
    """
    address = urlsplit(endpoint)
    headers = (
        ("Host", address.netloc),
        ("Connection", ""),
        ("Content-Length", ""),
        ("Accept-Encoding", ""),
        ("Range", "$http_range"),
        ("If-Range", "$http_if_range"),
        ("If-None-Match", "$http_if_none_match"),
        ("If-Modified-Since", "$http_if_modified_since"),
    )
    tls = (
        [
            "proxy_ssl_server_name on;",
            f"proxy_ssl_name {literal(address.hostname or '')};",
            "proxy_ssl_verify on;",
            "proxy_ssl_verify_depth 4;",
            "proxy_ssl_trusted_certificate /etc/ssl/certs/ca-certificates.crt;",
        ]
        if address.scheme == "https"
        else []
    )
    return block(
        f"location = {OBJECT}",
        [
            "internal;",
            "auth_request off;",
            "client_max_body_size 0;",
            # Set first: once the object is being fetched these variables are the S3 server's.
            "set $object_address $upstream_http_x_freehold_object;",
            "set $object_security_policy $upstream_http_content_security_policy;",
            "set $object_cache_control $upstream_http_x_freehold_cache_control;",
            f"set $object_missing {ProblemCode.FILE_NOT_FOUND.value};",
            "set $object_disposition $upstream_http_x_freehold_content_disposition;",
            f"proxy_pass {address.scheme}://object_store$object_address;",
            # The address is signed for GET. For HEAD nginx leaves after the headers.
            "proxy_method GET;",
            "proxy_pass_request_body off;",
            # Nothing of the client's but the conditions: S3 refuses x-amz-* that is not signed.
            "proxy_pass_request_headers off;",
            *(f"proxy_set_header {name} {quote(value)};" for name, value in headers),
            *tls,
            "proxy_connect_timeout 5s;",
            "proxy_read_timeout 60s;",
            # A slow client holds back the store instead of filling the disk.
            "proxy_max_temp_file_size 0;",
            f"proxy_ignore_headers {' '.join(_IGNORED_FROM_OBJECTS)};",
            *(f"proxy_hide_header {name};" for name in _HIDDEN_FROM_OBJECTS),
            *(
                f"add_header {name} {quote(value)} always;"
                for name, value in cross_origin_headers()
            ),
            "add_header X-Request-Id $request_id always;",
            "add_header X-Content-Type-Options nosniff always;",
            "add_header Referrer-Policy no-referrer always;",
            "add_header Cache-Control $object_cache_control;",
            "add_header Content-Disposition $object_disposition;",
            "add_header Content-Security-Policy $object_security_policy;",
            "proxy_intercept_errors on;",
            *object_error_pages(),
        ],
    )
