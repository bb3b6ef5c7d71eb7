"""External servers: what an operator is told when one of them cannot be used."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from deploy.local.errors import LauncherError
from deploy.postgres.provision import provision as provision_database
from deploy.rabbitmq.provision import check_broker
from deploy.seaweedfs.provision import ObjectStore
from deploy.seaweedfs.provision import provision as provision_object_store
from tests.parts.postgres import PostgresCluster
from tests.parts.processes import free_port
from tests.parts.rabbitmq import RabbitNode

PASSWORD = "never-to-be-shown"


def next_step(variable: str) -> str:
    return (
        f"Next: put that server right, it is tried again every few seconds; or correct {variable}, "
        "then run `./freehold down` and `./freehold up`."
    )


async def told(attempt: Awaitable[None]) -> str:
    with pytest.raises(LauncherError) as raised:
        await asyncio.wait_for(attempt, 15)
    assert PASSWORD not in str(raised.value)
    return str(raised.value)


def database(url: str) -> Awaitable[None]:
    return provision_database(url, {}, embedded=False)


def store(endpoint: str) -> Awaitable[None]:
    one = ObjectStore(endpoint, "us-east-1", ("someone", PASSWORD))
    return asyncio.to_thread(provision_object_store, one, one, "a-bucket", embedded=False)


@asynccontextmanager
async def server(answer: bytes | None) -> AsyncIterator[int]:
    """Serve each connection an answer, or close it at once."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if answer is not None:
            await reader.read(1)
            writer.write(answer)
        writer.close()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with listening:
        yield listening.sockets[0].getsockname()[1]


CASES: list[tuple[str, Any, str, str]] = [
    ("FREEHOLD_POSTGRES_URL", database, f"postgres://u:{PASSWORD}@HOST/x", "5432"),
    ("FREEHOLD_AMQP_URL", check_broker, f"amqp://u:{PASSWORD}@HOST/x", "5672"),
    ("FREEHOLD_S3_ENDPOINT", store, "http://HOST", "80"),
]


@pytest.mark.parametrize(("variable", "attempt", "url", "_port"), CASES)
async def test_a_server_that_refuses_connections(
    variable: str, attempt: Any, url: str, _port: str
) -> None:
    host = f"127.0.0.1:{free_port()}"
    assert await told(attempt(url.replace("HOST", host))) == (
        f"{variable} names {host}, which refuses connections.\n{next_step(variable)}"
    )


@pytest.mark.parametrize(("variable", "attempt", "url", "port"), CASES)
async def test_a_host_that_nobody_knows(variable: str, attempt: Any, url: str, port: str) -> None:
    said = await told(attempt(url.replace("HOST", "nobody.invalid")))
    assert said.startswith(
        f"{variable} names nobody.invalid:{port}, which is unknown here: no host of that name is "
        "found.\n"
    )


@pytest.mark.parametrize(("variable", "attempt", "url", "_port"), CASES)
async def test_something_else_that_listens_there(
    variable: str, attempt: Any, url: str, _port: str
) -> None:
    for answer in (None, b"220 mx.example.com ESMTP\r\n"):
        async with server(answer) as port:
            said = await told(attempt(url.replace("HOST", f"127.0.0.1:{port}")))
        assert said.startswith(f"{variable} names 127.0.0.1:{port}, which ")
        assert said.endswith(next_step(variable))


@pytest.mark.parametrize(
    ("attempt", "url"),
    [
        (database, "postgres://u:p@HOST/x?sslmode=require"),
        (check_broker, "amqps://u:p@HOST/x"),
        (store, "https://HOST"),
    ],
)
async def test_a_server_that_speaks_no_tls(attempt: Any, url: str) -> None:
    async with server(b"N 12345678901234567890\n") as port:
        said = await told(attempt(url.replace("HOST", f"127.0.0.1:{port}")))
    assert f"names 127.0.0.1:{port}, which " in said


@pytest.fixture(scope="module")
def cluster() -> Iterator[PostgresCluster]:
    cluster = PostgresCluster()
    cluster.start()
    yield cluster
    cluster.remove()


async def test_a_database_that_refuses_the_password_or_is_not_there(
    cluster: PostgresCluster,
) -> None:
    url = cluster.new_database("auth")
    connection = await asyncpg.connect(url)
    await connection.execute(f"CREATE ROLE someone LOGIN PASSWORD '{PASSWORD}'")
    await connection.close()
    rules = cluster.folder / "data" / "pg_hba.conf"
    rules.write_text("local all postgres trust\nlocal all all scram-sha-256\n")
    cluster.stop()
    cluster.start()
    there = f"FREEHOLD_POSTGRES_URL names {cluster.folder}, which "

    wrong = url.replace("postgres@", f"someone:{PASSWORD}x@")
    assert (await told(database(wrong))).startswith(f"{there}refuses the user or the password.\n")
    nowhere = f"postgresql://postgres@/nowhere?host={cluster.folder}"
    assert (await told(database(nowhere))).startswith(
        f'{there}does not have that database: database "nowhere" does not exist.\n'
    )
    nobody = url.replace("postgres@", "nobody@")
    assert (await told(database(nobody))).startswith(there)
    await database(url)


async def test_a_socket_that_is_not_there(tmp_path: Path) -> None:
    said = await told(database(f"postgresql://u@/x?host={tmp_path}"))
    assert said.startswith(f"FREEHOLD_POSTGRES_URL names {tmp_path}, which is not there.\n")


@pytest.fixture(scope="module")
def node() -> Iterator[RabbitNode]:
    node = RabbitNode()
    node.start()
    yield node
    node.remove()


async def test_a_broker_that_refuses_the_password_or_the_vhost(node: RabbitNode) -> None:
    there = f"FREEHOLD_AMQP_URL names 127.0.0.1:{node.port}, which "
    wrong = f"amqp://guest:{PASSWORD}@127.0.0.1:{node.port}/"
    assert (await told(check_broker(wrong))).startswith(f"{there}refuses the user or the password.")
    assert (await told(check_broker(f"{node.url}nowhere"))).startswith(
        f"{there}has no such vhost as the address ends in, or lets this user not into it.\n"
    )
    await check_broker(node.url)


async def test_a_store_that_refuses_the_keys() -> None:
    async with server(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n") as port:
        said = await told(store(f"http://127.0.0.1:{port}"))
    assert said.startswith(
        f"FREEHOLD_S3_ENDPOINT names 127.0.0.1:{port}, which refuses FREEHOLD_S3_ACCESS_KEY or "
        "FREEHOLD_S3_SECRET_KEY, or their rights.\n"
    )
