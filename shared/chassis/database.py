"""PostgreSQL: one bounded pool, transactions with after-commit callbacks, errors in our terms."""

import asyncio
import contextlib
import json
import logging
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, Protocol, TypeAlias

import asyncpg

from shared.chassis.errors import Problem, Unavailable
from shared.chassis.queries import load_queries
from shared.chassis.settings import DatabaseSettings
from shared.schemas.problems import ProblemCode

logger = logging.getLogger(__name__)

SQL = load_queries(__file__)

ACQUIRE_TIMEOUT_SECONDS = 5.0
COMMAND_TIMEOUT_SECONDS = 30.0
CONNECT_TIMEOUT_SECONDS = 5.0

Record: TypeAlias = Any
"""A row: values by column name (`asyncpg.Record`, which ships no types)."""

_UNREACHABLE = (
    OSError,
    TimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.InternalClientError,  # a statement that meets the server's last words
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.TooManyConnectionsError,
    asyncpg.IdleInTransactionSessionTimeoutError,
    asyncpg.QueryCanceledError,
)

_UNSTORABLE = (asyncpg.CharacterNotInRepertoireError, asyncpg.UntranslatableCharacterError)
"""What PostgreSQL has no room for in texts and JSON: NUL."""


class ConstraintViolation(Exception):  # noqa: N818 - what happened, which may well be expected
    """A statement broke a named constraint; `constraint` is its name."""

    def __init__(self, constraint: str) -> None:
        self.constraint = constraint
        super().__init__(f"constraint {constraint} does not hold")


class TransactionAborted(Exception):  # noqa: N818 - what happened to it
    """A statement of this transaction failed and its error was passed over: nothing was kept."""


class Executor(Protocol):
    """Whatever runs statements: the database (each on its own) or an open transaction."""

    async def fetch(self, sql: str, *args: Any) -> list[Record]:
        """Return all rows."""

    async def fetchrow(self, sql: str, *args: Any) -> Record | None:
        """Return the first row, or None."""

    async def fetchval(self, sql: str, *args: Any) -> Any:
        """Return the first column of the first row, or None."""

    async def execute(self, sql: str, *args: Any) -> str:
        """Run a statement for its effect and return its command tag."""


class _Connection(asyncpg.Connection):  # type: ignore[misc] # asyncpg ships no types
    """A pooled connection that leaves no session state behind, so it needs no reset query."""

    def get_reset_query(self) -> str:
        return ""


class Transaction:
    """An open transaction. Use it from one task only; it is valid inside its `async with`."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._after_commit: list[Callable[[], None]] = []
        self.aborted = False
        """Whether a statement failed, so that the server will not commit."""

    def after_commit(self, callback: Callable[[], None]) -> None:
        """Call back once the transaction has committed; not if it rolls back."""
        self._after_commit.append(callback)

    async def fetch(self, sql: str, *args: Any) -> list[Record]:
        """Return all rows. Raises Unavailable or ConstraintViolation."""
        with self._statement():
            rows: list[Record] = await self._connection.fetch(sql, *args)
            return rows

    async def fetchrow(self, sql: str, *args: Any) -> Record | None:
        """Return the first row, or None. Raises Unavailable or ConstraintViolation."""
        with self._statement():
            return await self._connection.fetchrow(sql, *args)

    async def fetchval(self, sql: str, *args: Any) -> Any:
        """Return one value, or None. Raises Unavailable or ConstraintViolation."""
        with self._statement():
            return await self._connection.fetchval(sql, *args)

    async def execute(self, sql: str, *args: Any) -> str:
        """Run a statement for its effect. Raises Unavailable or ConstraintViolation."""
        with self._statement():
            tag: str = await self._connection.execute(sql, *args)
            return tag

    @contextlib.asynccontextmanager
    async def savepoint(self) -> AsyncIterator[None]:
        """Roll back only what happens inside if it raises; the transaction goes on."""
        with self._statement():
            block = self._connection.transaction()
            await block.start()
        try:
            yield
        except BaseException:
            with self._statement():
                await block.rollback()
            self.aborted = False
            raise
        with self._statement():
            await block.commit()

    @contextlib.contextmanager
    def _statement(self) -> Iterator[None]:
        try:
            with _translated_errors(self._connection):
                yield
        except BaseException:
            self.aborted = True
            raise

    def committed(self) -> None:
        """Run the callbacks; called by the database after the commit."""
        for callback in self._after_commit:
            callback()


class Database:
    """The service's tables, through a bounded pool of connections of its own role."""

    def __init__(
        self,
        settings: DatabaseSettings,
        schema: str,
        *,
        command_timeout_seconds: float = COMMAND_TIMEOUT_SECONDS,
    ) -> None:
        """Take for how long one statement may run before it is given up as Unavailable."""
        self.schema = schema
        self._command_timeout_seconds = command_timeout_seconds
        self._url = settings.postgres_url.get_secret_value()
        self._size = settings.postgres_pool_size
        self._pool: Any = None

    async def start(self) -> None:
        """Open the pool. Raises Unavailable when the server does not answer."""
        with _translated_errors():
            self._pool = await asyncpg.create_pool(
                self._url,
                min_size=1,
                max_size=self._size,
                max_inactive_connection_lifetime=300.0,
                command_timeout=self._command_timeout_seconds,
                timeout=CONNECT_TIMEOUT_SECONDS,
                connection_class=_Connection,
                server_settings={
                    "search_path": self.schema,
                    "application_name": f"freehold {self.schema}",
                    "jit": "off",
                },
                init=_register_json,
            )

    async def stop(self) -> None:
        """Close the pool; connections still in use are cut after three seconds."""
        if self._pool is None:
            return
        pool, self._pool = self._pool, None
        try:
            await asyncio.wait_for(pool.close(), 3.0)
        except (TimeoutError, OSError):
            pool.terminate()

    async def connect(self) -> Any:
        """Open a connection outside the pool, for LISTEN and advisory locks.

        The caller closes it. Raises Unavailable.
        """
        with _translated_errors():
            connection = await asyncpg.connect(
                self._url,
                timeout=CONNECT_TIMEOUT_SECONDS,
                command_timeout=COMMAND_TIMEOUT_SECONDS,
                server_settings={
                    "search_path": self.schema,
                    "application_name": f"freehold {self.schema} direct",
                },
            )
            await _register_json(connection)
            return connection

    @contextlib.asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        """Open a READ COMMITTED transaction: committed at the end, rolled back on any error.

        After-commit callbacks run before the context is left. Cancelling rolls back. Raises
        Unavailable when another transaction had to go first because both waited for each other,
        and when the server is gone; the outcome is then a roll-back unless the loss fell
        into the commit itself, which is why effects are made idempotent.
        """
        async with self._acquired() as connection:
            transaction = Transaction(connection)
            block = connection.transaction()
            with _translated_errors(connection):
                await block.start()
            try:
                yield transaction
            except BaseException:
                # A lost connection cannot roll back and needs not: the server does.
                with contextlib.suppress(asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
                    await block.rollback()
                raise
            if transaction.aborted:
                # The server would answer this commit by rolling back, and not call it an error.
                with contextlib.suppress(asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
                    await block.rollback()
                raise TransactionAborted("put what may fail into a savepoint")
            with _translated_errors(connection):
                await block.commit()
        transaction.committed()

    async def fetch(self, sql: str, *args: Any) -> list[Record]:
        """Return all rows. Raises Unavailable or ConstraintViolation."""
        async with self._acquired() as connection:
            with _translated_errors(connection):
                rows: list[Record] = await connection.fetch(sql, *args)
                return rows

    async def fetchrow(self, sql: str, *args: Any) -> Record | None:
        """Return the first row, or None. Raises Unavailable or ConstraintViolation."""
        async with self._acquired() as connection:
            with _translated_errors(connection):
                return await connection.fetchrow(sql, *args)

    async def fetchval(self, sql: str, *args: Any) -> Any:
        """Return one value, or None. Raises Unavailable or ConstraintViolation."""
        async with self._acquired() as connection:
            with _translated_errors(connection):
                return await connection.fetchval(sql, *args)

    async def execute(self, sql: str, *args: Any) -> str:
        """Run a statement for its effect. Raises Unavailable or ConstraintViolation."""
        async with self._acquired() as connection:
            with _translated_errors(connection):
                tag: str = await connection.execute(sql, *args)
                return tag

    async def ping(self) -> None:
        """Raise Unavailable unless the server answers."""
        await self.fetchval(SQL["ping"])

    @contextlib.asynccontextmanager
    async def _acquired(self) -> AsyncIterator[Any]:
        # The connection goes back where it came from, whatever `stop` does meanwhile.
        pool = self._pool
        if pool is None:
            raise Unavailable("postgres")
        with _translated_errors():
            connection = await pool.acquire(timeout=ACQUIRE_TIMEOUT_SECONDS)
        try:
            yield connection
        finally:
            with contextlib.suppress(asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
                await pool.release(connection)


@contextlib.contextmanager
def _translated_errors(connection: Any = None) -> Iterator[None]:
    try:
        yield
    except asyncpg.IntegrityConstraintViolationError as error:
        raise ConstraintViolation(error.constraint_name or "unnamed") from error
    except _UNSTORABLE as error:
        raise Problem(
            ProblemCode.VALIDATION_FAILED, "The request holds the character NUL; leave it out."
        ) from error
    except asyncpg.DeadlockDetectedError as error:
        # Nothing was kept, so the client is told to try again as in an outage.
        logger.warning("two transactions locked in another order", extra={"action": "deadlock"})
        raise Unavailable("postgres") from error
    except asyncpg.InterfaceError as error:
        # The same type tells of a lost connection and of our own mistakes, such as an argument too
        # many: on a connection that is open it is a mistake.
        if isinstance(error, ValueError) or _is_open(connection):
            raise
        raise Unavailable("postgres") from error
    except _UNREACHABLE as error:
        raise Unavailable("postgres") from error


def _is_open(connection: Any) -> bool:
    try:
        return connection is not None and not connection.is_closed()
    except asyncpg.InterfaceError:  # the pool took it back when it was lost
        return False


async def _register_json(connection: Any) -> None:
    for name in ("json", "jsonb"):
        await connection.set_type_codec(
            name, encoder=json.dumps, decoder=json.loads, schema="pg_catalog"
        )
