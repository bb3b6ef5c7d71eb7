"""The tables of what shows that accounts are safe leave nothing out and name tests that exist."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TABLES = (ROOT / "docs/security/verification.md").read_text(encoding="utf-8")
PAGES = ROOT / "services/auth/pages"
_ROW = re.compile(r"^\| (S?\d[\d.]*) ?(.*)\|$", re.MULTILINE)
_TEST = re.compile(r"`([\w/]+\.py)::(\w+)`")
_INPUT = re.compile(r"<input[^>]*>")

# Of levels 1 and 2; the numbers in between are of level 3.
ASVS = {
    *("6.1.1", "6.1.2", "6.1.3"),
    *(f"6.2.{number}" for number in range(1, 13)),
    *(f"6.3.{number}" for number in range(1, 5)),
    *(f"6.4.{number}" for number in range(1, 5)),
    *(f"6.5.{number}" for number in range(1, 6)),
    *(f"6.6.{number}" for number in range(1, 4)),
    *(f"6.8.{number}" for number in range(1, 5)),
    *("7.1.1", "7.1.2", "7.1.3"),
    *(f"7.2.{number}" for number in range(1, 5)),
    *("7.3.1", "7.3.2"),
    *(f"7.4.{number}" for number in range(1, 6)),
    *("7.5.1", "7.5.2", "7.6.1", "7.6.2"),
    *("9.1.1", "9.1.2", "9.1.3", "9.2.1", "9.2.2", "9.2.3", "9.2.4"),
    *("10.1.1", "10.1.2", "10.2.1", "10.2.2"),
    *(f"10.3.{number}" for number in range(1, 5)),
    *(f"10.4.{number}" for number in range(1, 12)),
    *(f"10.5.{number}" for number in range(1, 6)),
    *("10.6.1", "10.6.2", "10.7.1", "10.7.2", "10.7.3"),
}
CHECKLIST = {f"S{number}" for number in range(1, 38)}
ROWS = _ROW.findall(TABLES)


@cache
def names_in(path: Path) -> set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    return {node.name for node in tree.body if isinstance(node, functions)}


def test_every_requirement_stands_there_once() -> None:
    assert sorted(number for number, _ in ROWS) == sorted(ASVS | CHECKLIST)


@pytest.mark.parametrize(("number", "row"), ROWS, ids=[number for number, _ in ROWS])
def test_what_shows_it_exists(number: str, row: str) -> None:
    named = _TEST.findall(row)
    assert named, f"{number} names no test"
    for name, test in named:
        path = ROOT / "tests" / name
        if "/" not in name or not path.exists():
            path = ROOT / "tests/service/auth" / name
        assert path.exists(), f"{number}: there is no {name}"
        assert test in names_in(path), f"{number}: {name} has no {test}"


def test_fields_for_passwords_hide_them_and_let_programs_fill_them_in() -> None:
    fields = [
        field
        for page in sorted(PAGES.rglob("*.html"))
        for field in _INPUT.findall(page.read_text(encoding="utf-8"))
        if 'id="password"' in field
    ]
    assert len(fields) >= 2
    for field in fields:
        assert 'type="password"' in field
        assert re.search(r'autocomplete="(new|current)-password"', field), field
        assert "onpaste" not in field
