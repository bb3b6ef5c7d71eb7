"""Every process hashes passwords alike, as hard as the first of them found right."""

import asyncio

import pytest

from services.auth import calibration
from services.auth.calibration import password_cost
from shared.chassis.database import Database
from tests.service.auth.auth_service import running, settings


@pytest.fixture(autouse=True)
async def nothing_measured(database: Database) -> None:
    await database.execute("DELETE FROM password_cost")


async def test_processes_that_start_at_once_agree_and_later_ones_follow(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    measured = iter([0.25 / 2**3, 0.25 / 2**4, 0.25 / 2**5, 0.25 / 2**6])
    monkeypatch.setattr(calibration, "_probe", lambda: next(measured))
    costs = await asyncio.gather(*(password_cost(database, None) for _ in range(3)))
    assert len(set(costs)) == 1
    assert await password_cost(database, None) == costs[0]


async def test_the_operators_choice_counts_and_measures_nothing(database: Database) -> None:
    assert await password_cost(database, 13) == 13
    assert await database.fetchval("SELECT count(*) FROM password_cost") == 0


async def test_accounts_are_stored_by_it(
    database: Database, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calibration, "_probe", lambda: 0.25 / 2**3)
    async with running(database, settings(database_url, bcrypt_cost=None)) as auth:
        await auth.register("ada@example.com")
    stored = await database.fetchval("SELECT password_hash FROM users")
    assert stored.startswith("bcrypt-sha384:$2b$11$")
