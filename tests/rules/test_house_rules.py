"""Each house rule finds what it forbids, at its line, and nothing else.

Samples of what may not stand in any file are put together here, so that this file keeps the rules.
"""

from pathlib import Path

import pytest

from tests.rules.house_rules import MAXIMUM_LINES, RULES, findings
from tests.rules.source_tree import SourceFile, SourceTree

QUERIES = "-- name: find_user\n-- One account by its id.\nSELECT * FROM users WHERE id = $1\n"
LONELY = "-- name: lonely_query\n-- Nothing asks for it.\nSELECT 1\n"
STORE = 'SQL["find_user"]\n'
REGISTRY = "pypi" + "." + "org"
UNFINISHED = "TO" + "DO"
UNWRITTEN = "NotImplemented" + "Error"
HOME = "/ho" + "me/ada/"
ROOT = "/ro" + "ot/"


def lines_found(rule: str, files: dict[str, str]) -> list[str]:
    tree = SourceTree(SourceFile(path, text) for path, text in files.items())
    return [f"{each.path}:{each.line}" for each in findings(tree) if each.rule == rule]


FORBIDDEN: list[tuple[str, str, str, int]] = [
    ("services-apart", "services/auth/app.py", "import services.mail.store", 1),
    ("services-apart", "services/auth/app.py", "import os\nfrom services.mail import store", 2),
    ("services-apart", "services/auth/app.py", "from services import mail", 1),
    ("services-apart", "services/auth/app.py", "from ..mail import store", 1),
    ("services-apart", "services/auth/routes/me.py", "from ...files.store import Store", 1),
    ("services-apart", "services/auth/app.py", "def late():\n    import services.mail", 2),
    ("services-apart", "services/auth/app.py", "from deploy.nginx import syntax", 1),
    ("schemas-alone", "shared/schemas/api/auth.py", "import httpx2", 1),
    ("schemas-alone", "shared/schemas/api/auth.py", "from shared.chassis import errors", 1),
    ("schemas-alone", "shared/schemas/api/auth.py", "from services.auth import emails", 1),
    ("chassis-below-services", "shared/chassis/bus.py", "from services.auth import app", 1),
    ("chassis-below-services", "shared/chassis/bus.py", "import deploy.rabbitmq", 1),
    ("sql-in-files", "services/auth/store.py", 'x = "SELECT 1"', 1),
    ("sql-in-files", "services/auth/store.py", 'x = """\n  select id, name from users\n"""', 1),
    ("sql-in-files", "services/auth/store.py", 'f(f"DELETE FROM {table} WHERE id = $1")', 1),
    ("sql-in-files", "services/auth/store.py", 'x = "insert into users values ($1)"', 1),
    ("sql-in-files", "services/auth/store.py", 'x = "UPDATE users " "SET name = $1"', 1),
    ("sql-in-files", "services/auth/store.py", 'x = "WITH due AS (" + rest', 1),
    ("sql-in-files", "services/auth/store.py", 'x = "create unique index on users"', 1),
    ("sql-in-files", "services/auth/store.py", 'x = "ALTER TABLE users ADD name text"', 1),
    ("sql-in-files", "services/auth/store.py", 'x = "DROP TABLE users"', 1),
    ("sql-in-files", "freehold", 'x = "DROP TABLE users"', 1),
    ("sql-in-files", "services/auth/more.sql", "-- name: x\n", 1),
    ("environment-in-settings", "services/auth/app.py", 'import os\nos.environ["X"]', 2),
    ("environment-in-settings", "services/auth/app.py", 'import os\nos.getenv("X")', 2),
    ("environment-in-settings", "shared/chassis/bus.py", "from os import environ", 1),
    ("pure-middleware", "shared/chassis/http.py", "from starlette.x import BaseHTTPMiddleware", 1),
    ("pure-middleware", "services/auth/app.py", "class A(base.BaseHTTPMiddleware): ...", 1),
    ("no-registry-address", "requirements/x.lock", f"--index-url https://{REGISTRY}/simple", 1),
    ("no-registry-address", "docs/a.md", f"one\nfiles.{REGISTRY}\n", 2),
    ("no-machine-path", "docs/a.md", f"see {HOME}freehold", 1),
    ("no-machine-path", "tests/unit/test_a.py", f'x = "{ROOT}freehold"', 1),
    ("short-files", "services/auth/app.py", "x = 1\n" * (MAXIMUM_LINES + 1), MAXIMUM_LINES + 1),
    ("telling-names", "services/auth/utils.py", "", 1),
    ("telling-names", "services/helpers/names.py", "", 1),
    ("explained-suppressions", "services/auth/app.py", "x = 1  # noqa", 1),
    ("explained-suppressions", "services/auth/app.py", "x = 1  # noqa: S101", 1),
    ("explained-suppressions", "services/auth/app.py", "x = 1  # noqa - because I may", 1),
    ("explained-suppressions", "services/auth/app.py", "x = 1  # type: ignore", 1),
    ("explained-suppressions", "services/auth/app.py", "x = 1  # type: ignore[misc]", 1),
    ("explained-suppressions", "services/auth/app.py", "x = 1  # type: ignore[a]  # noqa: B1", 1),
    ("explained-suppressions", "deploy/a.py", "\n# ruff: noqa: S101 - all of it is like that", 2),
    ("queries-described-and-used", "services/auth/queries.sql", f"{QUERIES}{LONELY}", 4),
    ("queries-described-and-used", "services/auth/store.py", 'SQL["missing"]', 1),
    ("finished", "services/auth/app.py", f"x = 1\n# {UNFINISHED} more", 2),
    ("finished", "docs/a.md", "fix" + f"me\n{'FIX' + 'ME'}", 2),
    ("finished", "shared/chassis/a.py", f"raise {UNWRITTEN}", 1),
]

ALLOWED: list[tuple[str, str, str]] = [
    ("services-apart", "services/auth/app.py", "from services.auth import x\nfrom . import store"),
    ("services-apart", "services/auth/app.py", "import shared.chassis.bus\nimport servicesx"),
    ("services-apart", "deploy/local/settings.py", "from services.auth import settings"),
    ("services-apart", "tests/unit/test_a.py", "import services.auth\nimport services.mail"),
    ("schemas-alone", "shared/schemas/api/auth.py", "import uuid\nfrom pydantic import Field"),
    ("schemas-alone", "shared/schemas/api/auth.py", "from shared.schemas.roles import X"),
    ("schemas-alone", "shared/chassis/bus.py", "import aio_pika"),
    ("chassis-below-services", "shared/chassis/bus.py", "from shared.schemas import roles"),
    ("sql-in-files", "services/auth/app.py", 'x = "Select a file from the list"'),
    ("sql-in-files", "services/auth/app.py", 'x = "Update the set of keys"'),
    ("sql-in-files", "services/auth/app.py", 'x = "create the account"; y = "drop it"'),
    ("sql-in-files", "services/auth/app.py", '"""SELECT 1 is what this module never says."""'),
    ("sql-in-files", "services/auth/app.py", 'methods = ["DELETE", "UPDATE", "with"]'),
    ("sql-in-files", "services/auth/migrations/0001_a.sql", "DROP TABLE users"),
    ("sql-in-files", "tests/service/test_a.py", 'x = "SELECT 1"'),
    ("environment-in-settings", "services/auth/settings.py", "import os\nos.environ"),
    ("environment-in-settings", "shared/chassis/process.py", "import os\nos.environ"),
    ("environment-in-settings", "deploy/local/a.py", "import os\nos.environ"),
    ("environment-in-settings", "services/auth/app.py", "def f(environ): return environ"),
    ("pure-middleware", "services/auth/app.py", '"""No BaseHTTPMiddleware here."""'),
    ("no-registry-address", "docs/a.md", "the registry of your distribution"),
    ("no-machine-path", "docs/a.md", f"https://example.com{ROOT} and {HOME[:6]} and .{ROOT}"),
    ("short-files", "requirements/a.lock", "x\n" * (MAXIMUM_LINES + 1)),
    ("short-files", "services/auth/app.py", "x = 1\n" * MAXIMUM_LINES),
    ("telling-names", "services/auth/managers_of_keys.py", ""),
    ("explained-suppressions", "services/auth/app.py", "x = 1  # noqa: S101, B017 - why it is so"),
    ("explained-suppressions", "services/auth/app.py", "x = 1  # type: ignore[misc] # no types"),
    (
        "explained-suppressions",
        "services/auth/app.py",
        "x = 1  # type: ignore[a]  # noqa: B1 - why",
    ),
    ("explained-suppressions", "services/auth/app.py", 'x = "# noqa"'),
    ("explained-suppressions", "tests/unit/test_a.py", "x = 1  # noqa: S101"),
    ("finished", "services/auth/app.py", f'x = "{"X" * 6}"'),
]


@pytest.mark.parametrize(("rule", "path", "text", "line"), FORBIDDEN)
def test_what_a_rule_forbids_is_found_at_its_line(
    rule: str, path: str, text: str, line: int
) -> None:
    files = {"services/auth/queries.sql": QUERIES, "services/auth/reader.py": STORE, path: text}
    assert lines_found(rule, files) == [f"{path}:{line}"]


@pytest.mark.parametrize(("rule", "path", "text"), ALLOWED)
def test_what_a_rule_allows_is_not_found(rule: str, path: str, text: str) -> None:
    assert lines_found(rule, {path: text}) == []


def test_every_rule_is_tested_on_something_that_breaks_it() -> None:
    assert {rule.name for rule in RULES} == {rule for rule, *_ in FORBIDDEN}


def test_a_query_is_to_be_described_and_used_by_the_service_it_belongs_to() -> None:
    rule = "queries-described-and-used"
    files = {"services/auth/queries.sql": QUERIES, "services/auth/store.py": STORE}
    assert lines_found(rule, files) == []
    undescribed = files | {"services/auth/queries.sql": "-- name: find_user\nSELECT 1\n"}
    assert lines_found(rule, undescribed) == ["services/auth/queries.sql:1"]
    used_elsewhere = {
        "services/auth/queries.sql": QUERIES,
        "services/mail/queries.sql": "",
        "services/mail/store.py": STORE,
    }
    assert lines_found(rule, used_elsewhere) == [
        "services/auth/queries.sql:1",
        "services/mail/store.py:1",
    ]


def test_a_finding_says_where_what_and_what_to_do() -> None:
    file = SourceFile("services/auth/app.py", "import services.mail")
    (finding,) = findings(SourceTree([file]))
    assert str(finding) == (
        "services/auth/app.py:1: services-apart: the service auth imports services.mail; "
        "emit an event, call the service by ServiceClient, or move what both need to shared"
    )


def test_the_tree_is_read_without_what_git_ignores_and_without_what_is_no_text(
    tmp_path: Path,
) -> None:
    files = {
        ".gitignore": b".venv/\n*.pyc\n# a remark\n",
        ".venv/lib/a.py": b"",
        ".git/config": b"",
        "services/auth/app.py": b"x = 1",
        "services/auth/app.pyc": b"",
        "docs/picture.png": b"\x89PNG\xff",
    }
    for path, content in files.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(content)
    tree = SourceTree.read(tmp_path)
    assert [file.path for file in tree.files] == [".gitignore", "services/auth/app.py"]
