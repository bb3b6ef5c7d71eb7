"""Transactions are whole, errors come in our terms, and no connection is used again dirty."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import asyncpg
import pytest

from shared.chassis import database as database_module
from shared.chassis.database import ConstraintViolation, Database
from shared.chassis.errors import Problem, Unavailable
from shared.chassis.settings import DatabaseSettings
from shared.schemas.problems import ProblemCode
from tests.parts.postgres import PostgresCluster
from tests.parts.waiting import PATIENCE_SECONDS

TABLES = """
CREATE TABLE owners (name text CONSTRAINT owners_name_key UNIQUE NOT NULL);
CREATE TABLE things (
    name text,
    owner text CONSTRAINT things_owner_fkey REFERENCES owners (name) DEFERRABLE,
    size int CONSTRAINT things_size_check CHECK (size > 0),
    extra jsonb
);
"""
INSERT = "INSERT INTO owners (name) VALUES ($1)"


def settings(url: str, pool_size: int = 2) -> DatabaseSettings:
    return DatabaseSettings(postgres_url=url, postgres_pool_size=pool_size)


@pytest.fixture
async def database(new_database: Callable[[str], str]) -> AsyncIterator[Database]:
    """Give a database with two connections at most, so that each is soon used again."""
    database = Database(settings(new_database("chassis")), "chassis")
    await database.start()
    await database.execute(TABLES)
    yield database
    await database.stop()


@pytest.fixture(scope="module")
def own_cluster() -> Iterator[PostgresCluster]:
    """Give a server that may be stopped without harm to other tests."""
    cluster = PostgresCluster()
    cluster.start()
    yield cluster
    cluster.remove()


async def owners(database: Database) -> list[str]:
    return [row["name"] for row in await database.fetch("SELECT name FROM owners ORDER BY name")]


async def is_clean(database: Database) -> bool:
    """Tell whether every pooled connection is outside of any transaction, and idle."""

    async def backend() -> int:
        async with database.transaction() as transaction:
            await transaction.fetchval("SELECT count(*) FROM owners")
            await asyncio.sleep(0.05)  # so that the other connection is asked as well
            pid: int = await transaction.fetchval("SELECT pg_backend_pid()")
            return pid

    pids = await asyncio.gather(backend(), backend())
    states = await database.fetch(
        "SELECT state FROM pg_stat_activity WHERE pid = ANY($1) AND pid <> pg_backend_pid()",
        list(pids),
    )
    return len(set(pids)) == 2 and {row["state"] for row in states} == {"idle"}


async def test_statements_outside_a_transaction_stand_for_themselves(database: Database) -> None:
    assert await database.execute(INSERT, "ada") == "INSERT 0 1"
    assert await database.fetchval("SELECT name FROM owners") == "ada"
    assert (await database.fetchrow("SELECT name FROM owners"))["name"] == "ada"
    assert await database.fetchrow("SELECT name FROM things") is None
    await database.ping()


async def test_tables_are_found_in_the_services_own_schema(database: Database) -> None:
    schemas = await database.fetch(
        "SELECT schemaname FROM pg_tables WHERE tablename IN ('owners', 'things')"
    )
    assert [row["schemaname"] for row in schemas] == ["chassis", "chassis"]


async def test_json_comes_back_as_it_went(database: Database) -> None:
    extra = {"a": [1, None, "ü"], "b": {"c": True}}
    await database.execute("INSERT INTO things (extra) VALUES ($1)", extra)
    assert await database.fetchval("SELECT extra FROM things") == extra


async def test_a_transaction_commits_at_its_end_and_calls_back_then(database: Database) -> None:
    called: list[str] = []
    async with database.transaction() as transaction:
        transaction.after_commit(lambda: called.append("first"))
        transaction.after_commit(lambda: called.append("second"))
        await transaction.execute(INSERT, "ada")
        assert await owners(database) == []
        assert called == []
    assert called == ["first", "second"]
    assert await owners(database) == ["ada"]


async def test_an_error_rolls_back_and_calls_nobody(database: Database) -> None:
    called: list[str] = []
    with pytest.raises(LookupError):
        async with database.transaction() as transaction:
            transaction.after_commit(lambda: called.append("never"))
            await transaction.execute(INSERT, "ada")
            raise LookupError
    assert called == []
    assert await owners(database) == []
    assert await is_clean(database)


async def test_a_savepoint_rolls_back_alone(database: Database) -> None:
    async with database.transaction() as transaction:
        await transaction.execute(INSERT, "ada")
        with pytest.raises(ConstraintViolation):
            async with transaction.savepoint():
                await transaction.execute(INSERT, "grace")
                await transaction.execute(INSERT, "ada")
        await transaction.execute(INSERT, "joan")
    assert await owners(database) == ["ada", "joan"]


@pytest.mark.parametrize(
    ("statement", "constraint"),
    [
        ("INSERT INTO owners (name) VALUES ('ada')", "owners_name_key"),
        ("INSERT INTO things (size) VALUES (0)", "things_size_check"),
        ("INSERT INTO things (owner) VALUES ('nobody')", "things_owner_fkey"),
        ("INSERT INTO owners (name) VALUES (NULL)", "unnamed"),
    ],
)
async def test_a_broken_constraint_is_told_by_its_name(
    database: Database, statement: str, constraint: str
) -> None:
    await database.execute(INSERT, "ada")
    with pytest.raises(ConstraintViolation) as alone:
        await database.execute(statement)
    with pytest.raises(ConstraintViolation) as inside:
        async with database.transaction() as transaction:
            await transaction.execute(statement)
    assert alone.value.constraint == inside.value.constraint == constraint


@pytest.mark.parametrize("column", ["name", "extra"])
async def test_a_text_that_cannot_be_stored_is_the_clients_fault(
    database: Database, column: str
) -> None:
    value: object = "a\0b" if column == "name" else {"key": "a\0b"}
    with pytest.raises(Problem) as raised:
        await database.execute(f"INSERT INTO things ({column}) VALUES ($1)", value)
    assert raised.value.code is ProblemCode.VALIDATION_FAILED
    assert "NUL" in raised.value.detail
    assert await is_clean(database)


async def test_of_two_transactions_that_wait_for_each_other_one_is_told_to_try_again(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    await database.execute("INSERT INTO owners VALUES ('a'), ('b')")
    locked = asyncio.Barrier(2)

    async def lock(first: str, second: str) -> str:
        async with database.transaction() as transaction:
            await transaction.execute("SELECT FROM owners WHERE name = $1 FOR UPDATE", first)
            await locked.wait()
            await transaction.execute("SELECT FROM owners WHERE name = $1 FOR UPDATE", second)
        return "committed"

    outcomes = await asyncio.gather(lock("a", "b"), lock("b", "a"), return_exceptions=True)

    assert sorted(type(outcome) for outcome in outcomes if not isinstance(outcome, str)) == [
        Unavailable
    ]
    assert [record.action for record in caplog.records if hasattr(record, "action")] == ["deadlock"]
    assert await is_clean(database)


async def test_a_constraint_that_breaks_at_the_commit_is_told_too(database: Database) -> None:
    called: list[str] = []
    with pytest.raises(ConstraintViolation) as raised:
        async with database.transaction() as transaction:
            transaction.after_commit(lambda: called.append("never"))
            await transaction.execute("SET CONSTRAINTS ALL DEFERRED")
            await transaction.execute("INSERT INTO things (owner) VALUES ('nobody')")
    assert raised.value.constraint == "things_owner_fkey"
    assert called == []
    assert await is_clean(database)


async def test_a_transaction_that_cannot_commit_does_not_pretend_to(database: Database) -> None:
    """After an error the server turns a commit into a roll-back, without saying so."""
    called: list[str] = []
    with pytest.raises(Exception, match=r".+"):
        async with database.transaction() as transaction:
            transaction.after_commit(lambda: called.append("never"))
            await transaction.execute(INSERT, "ada")
            with pytest.raises(ConstraintViolation):
                await transaction.execute(INSERT, "ada")
    assert called == []
    assert await owners(database) == []


@pytest.mark.parametrize(
    ("statement", "arguments"),
    [
        ("SELECT * FROM nowhere", []),
        ("SELEKT 1", []),
        ("SELECT $1::int", ["one"]),
        ("SELECT $1::int", []),
        ("SELECT $1::int", [1, 2]),
    ],
    ids=["unknown table", "syntax", "wrong type", "argument missing", "argument too many"],
)
async def test_a_mistake_of_ours_is_not_passed_off_as_an_outage(
    database: Database, statement: str, arguments: list[Any]
) -> None:
    with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError)):
        await database.fetch(statement, *arguments)
    await database.ping()


async def test_a_cancelled_transaction_is_rolled_back_and_its_connection_is_clean(
    database: Database,
) -> None:
    waiting = asyncio.Event()

    async def hang() -> None:
        async with database.transaction() as transaction:
            await transaction.execute(INSERT, "ada")
            waiting.set()
            await transaction.execute("SELECT pg_sleep(60)")

    task = asyncio.create_task(hang())
    await waiting.wait()
    await eventually_sleeping(database)
    task.cancel()
    await asyncio.wait({task}, timeout=PATIENCE_SECONDS / 2)
    assert task.cancelled()
    assert await owners(database) == []
    assert await is_clean(database)


async def eventually_sleeping(database: Database) -> None:
    query = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep(60)%'"
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not await database.fetchval(query):
            await asyncio.sleep(0.01)


async def test_a_connection_cut_in_a_transaction_is_replaced(database: Database) -> None:
    with pytest.raises(Unavailable):
        async with database.transaction() as transaction:
            await transaction.execute(INSERT, "ada")
            pid = await transaction.fetchval("SELECT pg_backend_pid()")
            assert await database.fetchval("SELECT pg_terminate_backend($1)", pid)
            await transaction.execute(INSERT, "grace")
    assert await owners(database) == []
    assert await is_clean(database)


async def test_a_connection_cut_while_idle_is_replaced_unnoticed(database: Database) -> None:
    assert await is_clean(database)  # both connections are open
    direct = await database.connect()
    await direct.execute(
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
        "WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    await direct.close()
    await asyncio.sleep(0)  # the ends of the connections are read
    assert await is_clean(database)


async def test_a_statement_that_takes_too_long_is_an_outage_that_passes(
    database: Database,
) -> None:
    with pytest.raises(Unavailable):
        async with database.transaction() as transaction:
            await transaction.execute("SET LOCAL statement_timeout = '20ms'")
            await transaction.execute("SELECT pg_sleep(60)")
    assert await is_clean(database)


async def test_who_gets_no_connection_in_time_is_told_so(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database_module, "ACQUIRE_TIMEOUT_SECONDS", 0.05)
    async with database.transaction(), database.transaction():
        with pytest.raises(Unavailable):
            await database.ping()
    await database.ping()


async def test_a_time_out_of_the_caller_is_the_callers(database: Database) -> None:
    with pytest.raises(TimeoutError):
        async with database.transaction():
            raise TimeoutError


async def test_a_direct_connection_is_outside_of_the_pool(database: Database) -> None:
    direct = await database.connect()
    assert await direct.fetchval("SELECT current_schema()") == "chassis"
    async with database.transaction(), database.transaction():
        assert await direct.fetchval("SELECT 1") == 1
    await direct.close()


async def test_a_server_that_stops_is_unavailable_and_comes_back(
    own_cluster: PostgresCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("ACQUIRE_TIMEOUT_SECONDS", "CONNECT_TIMEOUT_SECONDS"):
        monkeypatch.setattr(database_module, name, 10 * PATIENCE_SECONDS)
    url = own_cluster.new_database("chassis")
    database = Database(settings(url), "chassis")
    await database.start()
    await database.execute(TABLES)
    called: list[str] = []

    with pytest.raises(Unavailable) as raised:
        async with database.transaction() as transaction:
            transaction.after_commit(lambda: called.append("never"))
            await transaction.execute(INSERT, "ada")
            await asyncio.to_thread(own_cluster.stop)
            await transaction.execute(INSERT, "grace")
    assert raised.value.dependency == "postgres"
    assert raised.value.headers == {"Retry-After": "5"}

    for attempt in (
        database.ping,
        database.connect,
        Database(settings(url), "chassis").start,
        lambda: owners(database),
    ):
        async with asyncio.timeout(
            PATIENCE_SECONDS
        ):  # an outage is told at once, not after a time-out
            with pytest.raises(Unavailable):
                await attempt()
    with pytest.raises(Unavailable):
        async with database.transaction():
            pass

    await asyncio.to_thread(own_cluster.start)
    assert await owners(database) == []
    assert await is_clean(database)
    assert called == []
    await database.stop()


async def test_a_stopped_database_is_unavailable_and_may_be_stopped_again(
    new_database: Callable[[str], str],
) -> None:
    database = Database(settings(new_database("chassis")), "chassis")
    with pytest.raises(Unavailable):
        await database.ping()
    await database.stop()
    await database.start()
    await database.ping()
    await database.stop()
    await database.stop()
    with pytest.raises(Unavailable):
        await database.ping()


async def test_what_is_under_way_ends_while_the_database_is_stopped(database: Database) -> None:
    async with database.transaction() as transaction:
        stopping = asyncio.ensure_future(database.stop())
        await asyncio.sleep(0)
        await transaction.execute(INSERT, "ada")

    await stopping
    await database.start()
    assert await owners(database) == ["ada"]
    assert await is_clean(database)
