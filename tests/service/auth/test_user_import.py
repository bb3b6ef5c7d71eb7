"""Accounts of another system come with their hashes, which are renewed at the first log-in."""

import json
import unicodedata
from pathlib import Path
from typing import Any

import argon2
import bcrypt
import pytest

from services.auth.import_command import import_users
from services.auth.passwords import hash_password
from tests.service.auth.auth_service import PASSWORD, AuthService, assert_problem

EMAIL = "ada@example.com"
PLAIN_BCRYPT = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)).decode()
ARGON2 = argon2.PasswordHasher(time_cost=1, memory_cost=1024).hash(PASSWORD)
LONG = "x" * 72


def write(path: Path, *lines: dict[str, Any] | str) -> str:
    texts = [line if isinstance(line, str) else json.dumps(line) for line in lines]
    file = path / "users.jsonl"
    file.write_text("\n".join(texts), encoding="utf-8")
    return str(file)


def account(**changes: Any) -> dict[str, Any]:
    return {"email": EMAIL, "email_verified": True, "password_hash": PLAIN_BCRYPT, **changes}


async def stored(auth: AuthService) -> str:
    found: str = await auth.database.fetchval("SELECT password_hash FROM users")
    return found


@pytest.mark.parametrize(
    "imported",
    [
        pytest.param(PLAIN_BCRYPT, id="$2b$"),
        pytest.param(PLAIN_BCRYPT.replace("$2b$", "$2y$"), id="$2y$"),
        pytest.param(PLAIN_BCRYPT.replace("$2b$", "$2a$"), id="$2a$"),
        pytest.param(ARGON2, id="argon2id"),
    ],
)
async def test_a_hash_of_another_system_is_good_once_and_then_ours(
    auth: AuthService, tmp_path: Path, imported: str
) -> None:
    assert (
        await import_users(auth.settings, [write(tmp_path, account(password_hash=imported))]) == 0
    )

    assert_problem(await auth.log_in(EMAIL, "a wrong one"), 401, "invalid_credentials")
    assert await stored(auth) == imported
    assert (await auth.log_in(EMAIL)).status_code == 200
    renewed = await stored(auth)
    assert renewed.startswith("bcrypt-sha384:")
    assert (await auth.log_in(EMAIL)).status_code == 200
    assert await stored(auth) == renewed, "once is enough"


@pytest.mark.parametrize("typed", [f"{LONG}y", f"{LONG}x", "\0" + "x" * 20])
async def test_what_bcrypt_would_cut_off_matches_nothing(
    auth: AuthService, tmp_path: Path, typed: str
) -> None:
    hashed = bcrypt.hashpw(LONG.encode(), bcrypt.gensalt(4)).decode()
    await import_users(auth.settings, [write(tmp_path, account(password_hash=hashed))])
    assert_problem(await auth.log_in(EMAIL, typed), 401, "invalid_credentials")
    assert (await auth.log_in(EMAIL, LONG)).status_code == 200


@pytest.mark.parametrize("typed", ["a prix de 5½ €", "ﬁve ﬂying ﬁsh", "m² m² m² m²"])
async def test_a_password_is_checked_as_the_other_system_did_and_then_as_we_do(
    auth: AuthService, tmp_path: Path, typed: str
) -> None:
    hashed = bcrypt.hashpw(typed.encode(), bcrypt.gensalt(4)).decode()
    await import_users(auth.settings, [write(tmp_path, account(password_hash=hashed))])

    assert_problem(await auth.log_in(EMAIL, "another one"), 401, "invalid_credentials")
    assert (await auth.log_in(EMAIL, typed)).status_code == 200
    assert (await auth.log_in(EMAIL, unicodedata.normalize("NFKC", typed))).status_code == 200


async def test_importing_twice_adds_nothing(
    auth: AuthService, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = account(email="Grace@Example.com", password_hash=None, name="Grace")
    file = write(tmp_path, account(created_at="2020-01-31T12:00:00Z"), other)
    assert await import_users(auth.settings, [file]) == 0
    assert await import_users(auth.settings, [file]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "2 accounts added, 0 were there already",
        "0 accounts added, 2 were there already",
    ]
    assert await auth.counts() == {"users": 2}
    assert await auth.events() == []
    assert_problem(await auth.log_in("grace@example.com", ""), 422, "validation_failed")
    assert_problem(await auth.log_in("grace@example.com"), 401, "invalid_credentials")


@pytest.mark.parametrize(
    ("line", "told"),
    [
        pytest.param("nonsense", "Invalid JSON", id="no JSON"),
        pytest.param(account(email="nobody"), "email: ", id="no address"),
        pytest.param(account(email_verified=False), "email_verified: ", id="not confirmed"),
        pytest.param(account(password_hash="5f4dcc3b5aa765d61d83"), "password_hash: ", id="MD5"),
        pytest.param(
            account(password_hash=ARGON2.replace("m=1024", "m=99999999")),
            "password_hash: ",
            id="a hash that would take the memory",
        ),
        pytest.param(account(password="x"), "password: ", id="unknown field"),
        pytest.param(account(created_at="yesterday"), "created_at: ", id="no time"),
    ],
)
async def test_a_bad_line_is_named_and_nothing_is_imported(
    auth: AuthService,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    line: dict[str, Any] | str,
    told: str,
) -> None:
    assert await import_users(auth.settings, [write(tmp_path, account(), line)]) == 1
    said = capsys.readouterr().err
    assert f"line 2: {told}" in said
    assert "1 lines are wrong; nothing was imported" in said
    assert await auth.counts() == {}


async def test_another_cost_renews_the_hash(auth: AuthService) -> None:
    await auth.register(EMAIL)
    await auth.database.execute(
        "UPDATE users SET password_hash = $1", hash_password(PASSWORD.encode(), 5)
    )
    assert (await auth.log_in(EMAIL)).status_code == 200
    assert (await stored(auth)).startswith("bcrypt-sha384:$2b$04$")
