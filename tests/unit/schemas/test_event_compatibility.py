"""A published event may gain a field that need not be there; whatever breaks a reader fails."""

import json
import re
from datetime import date, datetime
from enum import StrEnum
from typing import Any, ClassVar, Literal
from uuid import UUID

import pytest
from pydantic import BaseModel, ConfigDict, Field, create_model

from shared.schemas.events.envelope import EventData
from shared.schemas.events.registry import EVENT_TYPES
from shared.schemas.events.upcasting import UPCASTERS
from tests.unit.schemas.compatibility import (
    PUBLISH,
    PUBLISHED,
    Baseline,
    breaking_changes,
    broken,
    read_baseline,
    schema_of,
    unpublished,
)

TYPE = "parcel.sent"


def test_no_published_event_breaks_its_readers() -> None:
    faults = broken(read_baseline(PUBLISHED), EVENT_TYPES, UPCASTERS.keys())
    assert not faults, "\n".join(faults)


def test_every_event_is_published_as_it_is_today() -> None:
    late = sorted(unpublished(read_baseline(PUBLISHED), EVENT_TYPES))
    assert not late, f"these are new or have gained something: {late}; publish them: {PUBLISH}"


class Speed(StrEnum):
    """How fast a parcel goes."""

    SLOW = "slow"
    FAST = "fast"


class FasterSpeed(StrEnum):
    """The same, with one more."""

    SLOW = "slow"
    FAST = "fast"
    INSTANT = "instant"


class SlowSpeed(StrEnum):
    """The same, with one less."""

    SLOW = "slow"


class Address(BaseModel):
    """Where a parcel goes."""

    street: str
    floor: int = 0


class AddressWithoutFloor(BaseModel):
    """The same, with one field less."""

    street: str


class AddressWithDoor(Address):
    """The same, with an optional field."""

    door: str | None = None


class AddressWithTown(Address):
    """The same, with a required field."""

    town: str


class Node(BaseModel):
    """A model that contains itself."""

    name: str
    children: list["Node"]


class OtherNode(BaseModel):
    """The same, but for the name's type."""

    name: int
    children: list["OtherNode"]


FIELDS: dict[str, Any] = {
    "parcel_id": (UUID, ...),
    "sender": (str, ...),
    "weight": (int, ...),
    "at": (datetime, ...),
    "note": (str | None, None),
    "speed": (Speed, ...),
    "urgency": (Speed | None, None),
    "size": (Literal["small", "large"], ...),
    "address": (Address, ...),
    "stops": (list[Address], ...),
    "labels": (dict[str, str], ...),
    "span": (tuple[int, str], ...),
    "code": (str, Field(max_length=10)),
    "tree": (Node, ...),
    "extra": (dict[str, Any], ...),
}


def event(version: int = 1, *, without: str = "", **fields: Any) -> type[EventData]:
    members = {name: kind for name, kind in {**FIELDS, **fields}.items() if name != without}
    model = create_model("ParcelSent", __base__=EventData, **members)
    model.event_type = TYPE
    model.event_version = version
    return model


def baseline(*versions: int) -> Baseline:
    return {(TYPE, version): schema_of(event()) for version in versions or (1,)}


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"colour": (str | None, None)},
        {"colour": (str, "brown")},
        {"weight": (int, Field(description="Grams"))},
        {"address": (AddressWithDoor, ...)},
        {"stops": (list[AddressWithDoor], ...)},
        {"urgency": (None | Speed, None)},
    ],
)
def test_what_no_reader_notices_is_allowed(fields: dict[str, Any]) -> None:
    assert broken(baseline(), {TYPE: event(**fields)}, set()) == []


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"without": "sender"}, "`sender` was removed or renamed"),
        ({"without": "note"}, "`note` was removed or renamed"),
        (
            {"without": "sender", "from_whom": (str, ...)},
            "`sender` was removed or renamed; `from_whom` is now required",
        ),
        ({"weight": (str, ...)}, "`weight` was integer and is string"),
        ({"weight": (float, ...)}, "`weight` was integer and is number"),
        ({"weight": (int | None, ...)}, "`weight` was integer and is integer | null"),
        ({"note": (str, "")}, "`note` was null | string and is string"),
        ({"parcel_id": (str, ...)}, '`parcel_id` had format "uuid" and has "none"'),
        ({"at": (date, ...)}, '`at` had format "date-time" and has "date"'),
        ({"colour": (str, ...)}, "`colour` is now required, and older events lack it"),
        ({"note": (str | None, ...)}, "`note` is now required, and older events lack it"),
        ({"sender": (str, "")}, "`sender` was always there and now may be absent"),
        ({"speed": (SlowSpeed, ...)}, '`speed` no longer allows "fast", and older events have it'),
        ({"speed": (FasterSpeed, ...)}, '`speed` also allows "instant", which readers do not know'),
        ({"speed": (str, ...)}, "`speed` lost its list of values"),
        ({"sender": (Speed, ...)}, "`sender` got its list of values"),
        ({"size": (Literal["small"], ...)}, '`size` no longer allows "large"'),
        ({"urgency": (FasterSpeed | None, None)}, "`urgency` changed what is one of its altern"),
        ({"address": (AddressWithoutFloor, ...)}, "`address.floor` was removed or renamed"),
        ({"address": (AddressWithTown, ...)}, "`address.town` is now required"),
        ({"address": (str, ...)}, "`address` was object and is string"),
        ({"stops": (list[AddressWithoutFloor], ...)}, "`stops[].floor` was removed or renamed"),
        ({"stops": (list[str], ...)}, "`stops[]` was object and is string"),
        ({"labels": (dict[str, int], ...)}, "`labels[]` was string and is integer"),
        ({"labels": (dict[str, Any], ...)}, "`labels` allows other additionalProperties"),
        ({"span": (tuple[int, int], ...)}, "`span[1]` was string and is integer"),
        ({"span": (tuple[int], ...)}, "`span` had 2 members and has 1"),
        ({"code": (str, Field(max_length=20))}, "`code` had maxLength 10 and has 20"),
        ({"code": (str, ...)}, '`code` had maxLength 10 and has "none"'),
        ({"tree": (OtherNode, ...)}, "`tree.name` was string and is integer"),
    ],
)
def test_what_breaks_a_reader_is_told_with_what_to_do(change: dict[str, Any], told: str) -> None:
    [fault] = broken(baseline(), {TYPE: event(**change)}, set())
    assert told in fault
    assert "Make it version 2 instead: set event_version = 2" in fault
    assert f'UPCASTERS["{TYPE}", 1] in shared/schemas/events/upcasting.py' in fault
    assert PUBLISH in fault


def test_readers_that_refuse_unknown_fields_are_not_given_any() -> None:
    class Strict(BaseModel):
        model_config = ConfigDict(extra="forbid")
        street: str

    class StrictWithDoor(Strict):
        door: str | None = None

    before, after = (schema_of(event(address=(model, ...))) for model in (Strict, StrictWithDoor))
    assert list(breaking_changes(before, after)) == [
        "`address.door` is new where readers refuse unknown fields"
    ]


@pytest.mark.parametrize(
    ("published", "now", "steps", "told"),
    [
        ((1,), None, set(), "no longer registered. Keep its class"),
        ((1,), 2, set(), r'Add its upcaster to version 2 as UPCASTERS["parcel.sent", 1]'),
        ((1, 2), 3, {(TYPE, 1)}, r'Add its upcaster to version 3 as UPCASTERS["parcel.sent", 2]'),
        ((1, 2), 1, {(TYPE, 1)}, "Versions only grow: go on with version 3"),
        ((2,), 2, {(TYPE, 1)}, "restore parcel.sent.v1.json"),
    ],
)
def test_a_lost_type_or_version_is_told(
    published: tuple[int, ...], now: int | None, steps: set[tuple[str, int]], told: str
) -> None:
    types = {TYPE: event(now)} if now else {}
    [fault] = broken(baseline(*published), types, steps)
    assert told in fault


def test_a_new_version_with_its_upcaster_may_change_everything() -> None:
    class ParcelSent(EventData):
        event_type: ClassVar[str] = TYPE
        event_version: ClassVar[int] = 2
        wholly_new: int

    types: dict[str, type[EventData]] = {TYPE: ParcelSent}
    assert broken(baseline(), types, {(TYPE, 1)}) == []
    assert set(unpublished(baseline(), types)) == {(TYPE, 2)}


def test_what_is_new_is_not_yet_published() -> None:
    gained = event(colour=(str | None, None))
    assert set(unpublished({}, {TYPE: event()})) == {(TYPE, 1)}
    assert set(unpublished(baseline(), {TYPE: event()})) == set()
    assert set(unpublished(baseline(), {TYPE: gained})) == {(TYPE, 1)}


def test_the_files_are_read_by_their_names() -> None:
    found = read_baseline(PUBLISHED)
    assert {key for key in found if key[1] == 1} >= {("job.failed", 1), ("webhook.disabled", 1)}
    assert len(found) == len(list(PUBLISHED.iterdir()))
    for (event_type, version), schema in found.items():
        assert re.fullmatch(r"[a-z]+\.[a-z]+", event_type)
        assert version >= 1
        assert json.loads(json.dumps(schema))["type"] == "object"
