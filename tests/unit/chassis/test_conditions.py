"""What a process tells of itself: raised once, said in other words, taken back."""

import json
from collections.abc import Iterator

import httpx2
import pytest
from prometheus_client import REGISTRY

from shared.chassis.conditions import Conditions
from shared.chassis.serve import MetricsEndpoint


@pytest.fixture
def conditions() -> Iterator[Conditions]:
    """Give conditions whose clock goes on by a minute at each look."""
    minutes = iter(range(100))
    made = Conditions(wall=lambda: 60.0 * next(minutes))
    yield made
    for condition in made.listing():
        made.clear(condition.name)


def metric(name: str, failing: str) -> float | None:
    return REGISTRY.get_sample_value("conditions", {"condition": name, "failing": failing})


def test_what_is_raised_is_listed_until_it_is_cleared(conditions: Conditions) -> None:
    conditions.raise_condition("bus_blocked", "It is full.", "Free space.", failing=True)
    (listed,) = conditions.listing()
    assert (listed.name, listed.problem, listed.next_step, listed.failing) == (
        "bus_blocked",
        "It is full.",
        "Free space.",
        True,
    )
    assert metric("bus_blocked", "true") == 1
    conditions.clear("bus_blocked")
    assert conditions.listing() == []
    assert metric("bus_blocked", "true") is None
    conditions.clear("bus_blocked")


def test_other_words_keep_the_time_and_the_failing_ones_come_first(conditions: Conditions) -> None:
    conditions.raise_condition("dead_letters", "1 rests.", "Look.", failing=False)
    conditions.raise_condition("dead_letters", "2 rest.", "Look.", failing=False)
    conditions.raise_condition("bus_blocked", "It is full.", "Free space.", failing=True)
    blocked, letters = conditions.listing()
    assert (blocked.name, letters.name) == ("bus_blocked", "dead_letters")
    assert letters.problem == "2 rest."
    assert letters.since.timestamp() == 0


def test_one_that_becomes_failing_is_counted_once(conditions: Conditions) -> None:
    conditions.raise_condition("dead_letters", "1 rests.", "Look.", failing=False)
    conditions.raise_condition("dead_letters", "900 rest.", "Look.", failing=True)
    assert len(conditions.listing()) == 1
    assert (metric("dead_letters", "false"), metric("dead_letters", "true")) == (None, 1)


async def test_they_are_served_beside_the_metrics(conditions: Conditions) -> None:
    conditions.raise_condition("bus_blocked", "It is full.", "Free space.", failing=True)
    transport = httpx2.ASGITransport(MetricsEndpoint(conditions))
    async with httpx2.AsyncClient(transport=transport, base_url="http://process") as client:
        assert json.loads((await client.get("/conditions")).content) == [
            {
                "name": "bus_blocked",
                "problem": "It is full.",
                "next_step": "Free space.",
                "failing": True,
                "since": "1970-01-01T00:00:00Z",
            }
        ]
        metrics = (await client.get("/metrics")).text
        assert 'conditions{condition="bus_blocked",failing="true"} 1.0' in metrics
        assert (await client.get("/healthz")).text == "ok\n"
