"""The tree passes every checker. What a checker says is the message of the failure."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
CHECKED = [
    name
    for name in ("services", "shared", "deploy", "freehold", "tests", "benchmarks")
    if (ROOT / name).exists()
]


def check(*arguments: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{' '.join(arguments)}:\n{done.stdout}{done.stderr}"


def test_ruff_finds_nothing() -> None:
    check("ruff", "check", *CHECKED)


def test_the_code_is_formatted() -> None:
    check("ruff", "format", "--check", *CHECKED)


def test_mypy_finds_nothing() -> None:
    check("mypy")


def test_the_house_rules_hold() -> None:
    check("tests.rules")
