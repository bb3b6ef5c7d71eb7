"""docs/metrics.md names every metric that a process registers, with its labels, and no other."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[3]
LIST_REGISTERED = """
import importlib, json, pkgutil
import services, shared
from prometheus_client import REGISTRY
for package in (services, shared):
    for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        if not module.name.endswith(".__main__"):
            importlib.import_module(module.name)
found = {}
for collector in list(REGISTRY._collector_to_names):
    for metric in collector.collect():
        labels = getattr(collector, "_labelnames", None)
        if labels is None:
            labels = sorted({name for sample in metric.samples for name in sample.labels})
        suffix = "_total" if metric.type == "counter" else ""
        found[metric.name + suffix] = [metric.type, sorted(labels)]
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def registered() -> dict[str, list[object]]:
    """Give what all modules together register, in a process where nothing else does."""
    done = subprocess.run(
        [sys.executable, "-c", LIST_REGISTERED],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, list[object]] = json.loads(done.stdout)
    return found


def documented() -> list[tuple[str, str, list[str], str, str]]:
    """Return name, type, labels, meaning and advice of each row of the page."""
    rows = []
    for line in (CHECKOUT / "docs" / "metrics.md").read_text(encoding="utf-8").splitlines():
        if not line.startswith("| `"):
            continue
        name, kind, labels, meaning, advice = (cell.strip() for cell in line.strip("|").split("|"))
        # What a label may be follows it in brackets.
        bare = [part.partition("`")[2].partition("`")[0] for part in _outside_brackets(labels)]
        rows.append((name.strip("`"), kind, sorted(filter(None, bare)), meaning, advice))
    return rows


def _outside_brackets(text: str) -> list[str]:
    depth, kept = 0, []
    for character in text:
        depth += {"(": 1, ")": -1}.get(character, 0)
        if depth == 0 and character != ")":
            kept.append(character)
    return "".join(kept).split(",")


def test_every_metric_is_documented_with_its_labels_and_nothing_else_is(
    registered: dict[str, list[object]],
) -> None:
    page = {name: [kind, labels] for name, kind, labels, _, _ in documented()}
    assert page == registered


def test_each_stands_there_once_with_a_meaning_and_advice() -> None:
    rows = documented()
    assert len({name for name, *_ in rows}) == len(rows)
    assert all(meaning and advice for *_, meaning, advice in rows)
