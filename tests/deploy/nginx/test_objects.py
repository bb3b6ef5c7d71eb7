"""Bytes that a service sends nginx for: from a real S3 store, under the service's own headers."""

from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import httpx2
import pytest
from starlette.requests import Request
from starlette.responses import Response

from services.files.presigning import Presigner
from tests.deploy.nginx.edge import Edge
from tests.deploy.nginx.problems import assert_problem
from tests.parts.seaweedfs import S3Server
from tests.parts.waiting import PATIENCE_SECONDS

BUCKET = "edge-tests"
KEY = f"/{BUCKET}/t/01/0192-object"
CONTENT = bytes(range(256)) * 400
SERVICE_HEADERS = {
    "Content-Type": "image/jpeg",
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "X-Content-Type-Options": "nosniff",
    "X-Freehold-Cache-Control": "private, max-age=0, must-revalidate",
    "X-Freehold-Content-Disposition": "inline; filename=\"a b.jpg\"; filename*=UTF-8''%C3%A4.jpg",
}
ADDRESS = "/v1/files/0192/content"


@pytest.fixture(scope="session")
def signer(s3: S3Server) -> Presigner:
    """Give the signer of a store that holds one object."""
    presigner = Presigner(
        endpoint=s3.endpoint,
        region=s3.region,
        access_key=s3.access_key,
        secret_key=s3.secret_key,
    )
    for path, body in ((f"/{BUCKET}", None), (KEY, CONTENT)):
        address = s3.endpoint + presigner.address("PUT", path, expires_seconds=60)
        httpx2.put(address, content=body, headers={"Content-Type": "text/html"}).raise_for_status()
    return presigner


@pytest.fixture(scope="session")
async def store_edge(s3: S3Server) -> AsyncIterator[Edge]:
    edge = Edge(s3_endpoint=s3.endpoint)
    await edge.start()
    yield edge
    await edge.stop()


@pytest.fixture
async def download(store_edge: Edge, signer: Presigner) -> AsyncIterator[httpx2.AsyncClient]:
    """Give a client whose GETs of a file are answered by sending nginx to the object."""
    sends(store_edge, signer.address("GET", KEY, expires_seconds=60))
    async with httpx2.AsyncClient(
        base_url=store_edge.url, headers=store_edge.token(), timeout=PATIENCE_SECONDS
    ) as client:
        yield client


def sends(edge: Edge, address: str) -> None:
    async def answer(_: Request) -> Response:
        return Response(
            headers=SERVICE_HEADERS
            | {"X-Accel-Redirect": "/_object/", "X-Freehold-Object": address}
        )

    edge.services["files"].answer = answer


def assert_service_headers(response: httpx2.Response) -> None:
    """Assert what the service said, each once, and nothing that only S3 says."""
    names = {
        "Content-Type": "Content-Type",
        "Content-Security-Policy": "Content-Security-Policy",
        "X-Content-Type-Options": "X-Content-Type-Options",
        "Cache-Control": "X-Freehold-Cache-Control",
        "Content-Disposition": "X-Freehold-Content-Disposition",
    }
    for name, said in names.items():
        assert response.headers.get_list(name) == [SERVICE_HEADERS[said]], name
    assert set(response.headers) <= {
        *(name.lower() for name in names),
        "server",
        "date",
        "connection",
        "content-length",
        "content-range",
        "accept-ranges",
        "vary",
        "etag",
        "last-modified",
        "x-request-id",
        "referrer-policy",
    }
    assert len(response.headers.get_list("x-request-id")) == 1


async def test_object_is_sent_under_the_services_headers(download: httpx2.AsyncClient) -> None:
    response = await download.get(ADDRESS)
    assert (response.status_code, response.content) == (200, CONTENT)
    assert_service_headers(response)


async def test_head_tells_the_length_without_the_bytes(download: httpx2.AsyncClient) -> None:
    response = await download.head(ADDRESS)
    assert (response.status_code, response.content) == (200, b"")
    assert response.headers["content-length"] == str(len(CONTENT))
    assert_service_headers(response)


@pytest.mark.parametrize(
    ("asked", "first", "last"),
    [("bytes=0-9", 0, 9), ("bytes=100-", 100, 102_399), ("bytes=-5", 102_395, 102_399)],
)
async def test_range_is_honoured(
    download: httpx2.AsyncClient, asked: str, first: int, last: int
) -> None:
    response = await download.get(ADDRESS, headers={"Range": asked})
    assert (response.status_code, response.content) == (206, CONTENT[first : last + 1])
    assert response.headers["content-range"] == f"bytes {first}-{last}/{len(CONTENT)}"
    assert_service_headers(response)


async def test_impossible_range_is_a_problem(download: httpx2.AsyncClient) -> None:
    response = await download.get(ADDRESS, headers={"Range": "bytes=999999-"})
    assert_problem(response, 416, "range_not_satisfiable")
    assert "content-disposition" not in response.headers


async def test_unchanged_object_is_not_sent_again(download: httpx2.AsyncClient) -> None:
    etag = (await download.get(ADDRESS)).headers["etag"]
    response = await download.get(ADDRESS, headers={"If-None-Match": etag})
    assert (response.status_code, response.content) == (304, b"")
    assert response.headers["etag"] == etag
    response = await download.get(ADDRESS, headers={"If-None-Match": '"other"'})
    assert response.status_code == 200


async def test_headers_of_a_client_cannot_spoil_the_signature(
    download: httpx2.AsyncClient,
) -> None:
    response = await download.get(
        ADDRESS, headers={"X-Amz-Content-Sha256": "x", "X-Amz-Date": "x", "Cookie": "a=b"}
    )
    assert response.status_code == 200


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        (f"/{BUCKET}/t/01/missing", 404, "file_not_found"),
        ("unsigned", 503, "dependency_unavailable"),
    ],
)
async def test_error_of_the_store_is_a_problem_of_ours(
    store_edge: Edge,
    signer: Presigner,
    download: httpx2.AsyncClient,
    *,
    path: str,
    status: int,
    code: str,
) -> None:
    address = signer.address("GET", path, expires_seconds=60) if path != "unsigned" else KEY
    sends(store_edge, address)
    response = await download.get(ADDRESS)
    assert_problem(response, status, code)
    assert "content-disposition" not in response.headers
    assert BUCKET not in response.text


async def test_dead_store_is_503(edge: Edge, client: httpx2.AsyncClient) -> None:
    sends(edge, KEY)
    await edge.kill("store")
    try:
        assert_problem(
            await client.get(ADDRESS, headers=edge.token()), 503, "dependency_unavailable"
        )
    finally:
        await edge.serve_store()


async def test_store_gets_the_signed_host_and_no_credential(
    edge: Edge, client: httpx2.AsyncClient
) -> None:
    address = f"{KEY}?X-Amz-Signature=abc%2Fdef&X-Amz-Credential=a%2Fb"
    sends(edge, address)
    assert (await client.get(ADDRESS, headers=edge.token())).status_code == 200
    [received] = edge.store.received
    assert f"{received.path}?{received.query}" == address
    assert dict(received.headers) == {"host": urlsplit(edge.settings.s3_endpoint).netloc}
