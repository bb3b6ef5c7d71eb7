"""The log of failed log-ins, and how the log is shortened."""

import contextlib
from uuid import UUID

import pytest

from tests.service.auth.auth_service import OWNER_ADDRESS, AuthService, bearer

EMAIL = "ada@example.com"
UNKNOWN = "eve@example.com"
AGE = "INSERT INTO audit_log (id, at, action) VALUES ($1, now() - $2::text::interval, 'x.y')"
MILLISECONDS_A_DAY = 86_400_000


async def test_a_wrong_password_is_logged_whoever_has_the_address(auth: AuthService) -> None:
    session = await auth.register(EMAIL)
    before = await auth.acts()

    await auth.log_in(EMAIL, "wrong", user_agent="Guess/1")
    await auth.log_in(UNKNOWN, "wrong", user_agent="Guess/1")

    assert (await auth.acts())[len(before) :] == [
        ("login.failed", UUID(session["user"]["id"])),
        ("login.failed", None),
    ]
    known, unknown = await auth.database.fetch(
        "SELECT actor_id, address, user_agent, details FROM audit_log"
        " WHERE action = 'login.failed' ORDER BY id"
    )
    assert known["actor_id"] is unknown["actor_id"] is None
    assert str(known["address"]) == str(unknown["address"]) == OWNER_ADDRESS
    assert known["user_agent"] == unknown["user_agent"] == "Guess/1"
    assert known["details"].keys() == unknown["details"].keys() == {"method", "typed_address"}
    assert known["details"]["typed_address"] != unknown["details"]["typed_address"]


async def test_the_log_does_not_hold_what_was_typed(auth: AuthService) -> None:
    await auth.log_in("my secret password by mistake", "another secret")

    rows = await auth.database.fetch("SELECT to_jsonb(a)::text FROM audit_log a")

    assert len(rows) == 1
    assert "secret" not in str(rows)


async def test_an_attempt_that_is_not_looked_at_writes_nothing(auth: AuthService) -> None:
    for _ in range(9):
        await auth.log_in(UNKNOWN, "wrong")

    assert await auth.acts() == [("login.failed", None)] * 5


async def test_owners_see_where_somebody_failed_to_be_them(auth: AuthService) -> None:
    session = await auth.register(EMAIL)
    await auth.log_in(EMAIL, "wrong", x_real_ip="198.51.100.9", user_agent="Guess/1")

    answer = await auth.client.get("/v1/auth/me/activity", headers=bearer(session))

    failed = answer.json()["items"][0]
    assert (failed["action"], failed["by_yourself"]) == ("login.failed", False)
    assert (failed["address"], failed["user_agent"]) == ("198.51.100.9", "Guess/1")


async def _age(auth: AuthService, days: int) -> None:
    now: int = await auth.database.fetchval("SELECT (extract(epoch FROM now()) * 1000)::bigint")
    made = now - days * MILLISECONDS_A_DAY
    await auth.database.execute(AGE, UUID(int=(made << 80) + days), f"{days} days")


async def test_the_clean_up_shortens_the_log_at_its_old_end_only(auth: AuthService) -> None:
    for days in (500, 450, 401, 399, 31, 1):
        await _age(auth, days)

    assert await auth.clean_up(batch=2) == 3

    ages = await auth.database.fetch(
        "SELECT extract(day FROM now() - at)::integer AS days FROM audit_log ORDER BY id"
    )
    assert [row["days"] for row in ages] == [399, 31, 1]
    assert await auth.clean_up() == 0


@pytest.mark.parametrize(
    "statement", ["DELETE FROM audit_log", "UPDATE audit_log SET details = '{}'"]
)
async def test_nobody_else_changes_or_removes_entries(auth: AuthService, statement: str) -> None:
    await _age(auth, 500)

    with pytest.raises(Exception, match="entries of the audit log"):
        await auth.database.execute(statement)

    assert len(await auth.acts()) == 1


@pytest.mark.parametrize(
    ("reason", "age", "left"),
    [
        ("clean-up", 29, 1),
        ("clean-up", 31, 0),
        ("erasure", 500, 1),
        ("", 500, 1),
        ("another reason", 500, 1),
    ],
)
async def test_entries_are_removed_for_two_reasons_only(
    auth: AuthService, reason: str, age: int, left: int
) -> None:
    await _age(auth, age)
    outcome = contextlib.nullcontext() if left == 0 else pytest.raises(Exception, match="audit log")

    with outcome:
        async with auth.database.transaction() as transaction:
            await transaction.fetch("SELECT set_config('auth.audit_log_removal', $1, true)", reason)
            await transaction.execute("DELETE FROM audit_log")

    assert len(await auth.acts()) == left
