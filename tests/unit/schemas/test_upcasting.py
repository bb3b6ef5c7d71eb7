"""Old events are read in today's shape; what cannot be read says what is missing."""

from typing import Any

import pytest

from shared.schemas.events.registry import EVENT_TYPES
from shared.schemas.events.upcasting import UPCASTERS, NewerVersion, Upcaster, upcast

TYPE = "parcel.sent"


def _split_name(data: dict[str, Any]) -> dict[str, Any]:
    first, _, last = data["name"].partition(" ")
    return {"id": data["id"], "first": first, "last": last}


def _add_country(data: dict[str, Any]) -> dict[str, Any]:
    return {**data, "country": "unknown"}


STEPS: dict[tuple[str, int], Upcaster] = {(TYPE, 1): _split_name, (TYPE, 2): _add_country}
FIRST = {"id": 7, "name": "Ada Lovelace"}
SECOND = {"id": 7, "first": "Ada", "last": "Lovelace"}
THIRD = {**SECOND, "country": "unknown"}


@pytest.mark.parametrize(
    ("version", "current", "data", "expected"),
    [
        (1, 1, FIRST, FIRST),
        (1, 2, FIRST, SECOND),
        (2, 3, SECOND, THIRD),
        (1, 3, FIRST, THIRD),
        (3, 3, THIRD, THIRD),
    ],
)
def test_data_climb_step_by_step_to_the_current_version(
    version: int, current: int, data: dict[str, Any], expected: dict[str, Any]
) -> None:
    before = dict(data)
    assert upcast(TYPE, version, current, data, STEPS) == expected
    assert data == before


def test_data_of_a_later_release_are_refused_with_what_to_do() -> None:
    with pytest.raises(NewerVersion, match=r"parcel\.sent came in version 4.* knows 3.*upgrade"):
        upcast(TYPE, 4, 3, THIRD, STEPS)


@pytest.mark.parametrize(
    ("event_type", "version", "missing"),
    [
        (TYPE, 3, r"parcel\.sent from version 3 to 4"),
        (TYPE, 1, r"parcel\.sent from version 3 to 4"),
        (TYPE, 0, r"parcel\.sent from version 0 to 1"),
        ("parcel.lost", 1, r"parcel\.lost from version 1 to 2"),
    ],
)
def test_a_missing_step_is_named(event_type: str, version: int, missing: str) -> None:
    with pytest.raises(LookupError, match=missing):
        upcast(event_type, version, 4, THIRD if version == 3 else FIRST, STEPS)


def test_the_steps_of_this_release_are_those_of_its_types_without_a_gap() -> None:
    assert set(UPCASTERS) == {
        (event_type, version)
        for event_type, data in EVENT_TYPES.items()
        for version in range(1, data.event_version)
    }
