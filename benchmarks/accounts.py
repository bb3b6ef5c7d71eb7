"""What a million accounts cost the reads of one.

`./freehold bench accounts` starts PostgreSQL with two databases, one with a thousand accounts and
one with a million, each account with two sessions and two entries in the log, and lets the auth
service read both by turns. Medians; the target is 1.3 times the small one.
"""

import asyncio
import platform
import statistics
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

import psutil
from pydantic import SecretStr

from services.auth.app import SERVICE
from shared.chassis.database import Database
from shared.chassis.migrations import CHASSIS_MIGRATIONS, migrate
from shared.chassis.settings import DatabaseSettings
from tests.parts.postgres import PostgresCluster
from tests.service.auth.auth_service import AuthService, bearer, running, settings

FEW: Final = 1_000
MANY: Final = 1_000_000
BATCH: Final = 50_000
ROUNDS: Final = 10
REPEATS: Final = 50
EMAIL: Final = "ada@example.com"
FILL: Final = """
WITH added AS (
  INSERT INTO users (id, email, name, password_hash, created_at)
  SELECT gen_random_uuid(), 'user' || number || '@example.com', 'User ' || number, $3,
         now() - number * interval '1 minute'
    FROM generate_series($1::integer, $2::integer) AS number
  RETURNING id), logged AS (
  INSERT INTO audit_log (id, action, actor_id, user_id, address)
  SELECT gen_random_uuid(), 'session.opened', id, id, '203.0.113.7'
    FROM added, generate_series(1, 2))
INSERT INTO sessions (id, user_id, token_delivery, idle_expires_at, expires_at, methods)
SELECT gen_random_uuid(), id, 'cookie', now() + interval '14 days', now() + interval '30 days',
       '{pwd}'
  FROM added, generate_series(1, 2)"""
PROMOTE: Final = "UPDATE users SET roles = '{administrator}' WHERE email = $1"


@dataclass
class Installation:
    """One database with a service on it, and the seconds each act took."""

    auth: AuthService
    seconds: dict[str, list[float]] = field(default_factory=dict)

    async def prepare(self) -> None:
        """Register the one whose reads are timed, as an administrator."""
        await self.auth.register(EMAIL)
        await self.auth.database.execute(PROMOTE, EMAIL)
        self.session = (await self.auth.log_in(EMAIL)).json()

    async def take_turn(self) -> None:
        """Do everything some times."""
        for _ in range(REPEATS):
            for name, act in self._acts().items():
                await self._time(name, act)

    def _acts(self) -> dict[str, Callable[[], Awaitable[object]]]:
        return {
            "log in": self._log_in,
            "refresh": self._refresh,
            "read the account": lambda: self._get("/v1/auth/me"),
            "list sessions": lambda: self._get("/v1/auth/sessions"),
            "list API keys": lambda: self._get("/v1/auth/api-keys"),
            "list users": lambda: self._get("/v1/auth/users"),
            "search an address": lambda: self._get("/v1/auth/users?query=user777@"),
            "search a beginning": lambda: self._get("/v1/auth/users?query=user7"),
            "read the activity": lambda: self._get("/v1/auth/me/activity"),
            "read the log": lambda: self._get("/v1/auth/audit"),
        }

    async def _time(self, name: str, act: Callable[[], Awaitable[object]]) -> None:
        began = time.perf_counter()
        await act()
        self.seconds.setdefault(name, []).append(time.perf_counter() - began)

    async def _log_in(self) -> None:
        answer = await self.auth.log_in(EMAIL)
        answer.raise_for_status()
        self.session = answer.json()

    async def _refresh(self) -> None:
        answer = await self.auth.refresh(self.session["refresh_token"])
        answer.raise_for_status()
        self.session = answer.json()

    async def _get(self, path: str) -> None:
        answer = await self.auth.client.get(path, headers=bearer(self.session))
        answer.raise_for_status()


async def fill(database: Database, accounts: int) -> None:
    """Add accounts in batches, each with two sessions."""
    password_hash = await database.fetchval("SELECT password_hash FROM users LIMIT 1")
    for first in range(0, accounts, BATCH):
        await database.execute(FILL, first, min(first + BATCH, accounts) - 1, password_hash)
    for table in ("users", "sessions", "audit_log"):
        await database.execute(f"ANALYZE {table}")


async def measure(urls: tuple[str, str]) -> tuple[Installation, Installation]:
    """Let the small and the large database take turns."""
    async with AsyncExitStack() as stack:
        small, large = [await _start(stack, url) for url in urls]
        for installation, accounts in ((small, FEW), (large, MANY)):
            print(f"adding {accounts} accounts …", flush=True)
            await fill(installation.auth.database, accounts)
        for number in range(ROUNDS):
            await small.take_turn()
            await large.take_turn()
            print(f"round {number + 1} of {ROUNDS}", flush=True)
        return small, large


async def _start(stack: AsyncExitStack, url: str) -> Installation:
    database = Database(DatabaseSettings(postgres_url=SecretStr(url)), "auth")
    await database.start()
    stack.push_async_callback(database.stop)
    assert SERVICE.migrations is not None
    await migrate(database, [CHASSIS_MIGRATIONS, SERVICE.migrations])
    auth = await stack.enter_async_context(running(database, settings(url)))
    installation = Installation(auth)
    await installation.prepare()
    return installation


def print_table(small: Installation, large: Installation) -> None:
    """Print the medians and what one is of the other."""
    print(f"\n{datetime.now(UTC):%Y-%m-%d}, {psutil.cpu_count()} cores, ", end="")
    print(f"Python {platform.python_version()}; {ROUNDS * REPEATS} times each", end="")
    print("; ./freehold bench accounts")
    print(f"\n{'p50':<20}{f'{FEW:,} accounts':>18}{f'{MANY:,} accounts':>22}{'ratio':>9}")
    for name, seconds in small.seconds.items():
        few, many = statistics.median(seconds), statistics.median(large.seconds[name])
        print(f"{name:<20}{few * 1000:>15.2f} ms{many * 1000:>19.2f} ms{many / few:>9.2f}")


def main() -> None:
    """Start the server, measure, print."""
    cluster = PostgresCluster()
    try:
        cluster.start()
        urls = cluster.new_database("auth"), cluster.new_database("auth")
        small, large = asyncio.run(measure(urls))
    finally:
        cluster.remove()
    print_table(small, large)


if __name__ == "__main__":
    main()
