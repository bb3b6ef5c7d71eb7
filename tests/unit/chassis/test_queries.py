"""Named statements are found beside their module, each once."""

from pathlib import Path
from typing import Any

import pytest

from shared.chassis.queries import load_queries

GOOD = """-- What comes before the first name belongs to nobody.

-- name: find_user
-- One account by its id.
SELECT * FROM users
 WHERE id = $1

-- name: count_users
-- How many there are.
SELECT count(*) FROM users
"""


def load(folder: Path, text: str) -> Any:
    (folder / "queries.sql").write_text(text, encoding="utf-8")
    return load_queries(str(folder / "store.py"))


def test_a_statement_is_known_by_its_name_and_ends_at_the_next(tmp_path: Path) -> None:
    queries = load(tmp_path, GOOD)
    assert dict(queries) == {
        "find_user": "-- One account by its id.\nSELECT * FROM users\n WHERE id = $1",
        "count_users": "-- How many there are.\nSELECT count(*) FROM users",
    }


def test_statements_cannot_be_replaced(tmp_path: Path) -> None:
    queries = load(tmp_path, GOOD)
    with pytest.raises(TypeError):
        queries["find_user"] = "SELECT 1"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("SELECT 1", "names no statement"),
        ("", "names no statement"),
        (GOOD + GOOD, "names find_user twice"),
    ],
)
def test_a_file_that_cannot_be_meant_is_refused(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        load(tmp_path, text)
