"""docs/asyncapi.json describes every event that there is, as the code has it today."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest
from jsonschema import Draft7Validator

from shared.chassis.outbox import EVENTS_EXCHANGE
from shared.schemas.asyncapi import asyncapi_document, render
from shared.schemas.events.envelope import EventData
from shared.schemas.events.registry import EVENT_TYPES
from shared.schemas.events.subscriptions import SUBSCRIPTIONS

CHECKOUT = Path(__file__).parents[3]
COMMITTED = CHECKOUT / "docs" / "asyncapi.json"
RENEW = "python -m shared.schemas.asyncapi > docs/asyncapi.json"


class ParcelSent(EventData):
    """A parcel left."""

    event_type: ClassVar[str] = "parcel.sent"
    event_version: ClassVar[int] = 3
    weight: int


class ParcelLost(EventData):
    """A parcel will not come."""

    event_type: ClassVar[str] = "parcel.lost"


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return asyncapi_document()


def references(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        for member in value.values():
            yield from references(member)
    elif isinstance(value, list):
        for member in value:
            yield from references(member)


def resolve(document: dict[str, Any], reference: str) -> Any:
    assert reference.startswith("#/")
    found: Any = document
    for step in reference.removeprefix("#/").split("/"):
        found = found[step]
    return found


def test_the_committed_document_is_current(document: dict[str, Any]) -> None:
    assert COMMITTED.is_file(), f"there is no docs/asyncapi.json; make it: {RENEW}"
    committed = COMMITTED.read_text(encoding="utf-8")
    assert committed == render(document), f"docs/asyncapi.json is out of date; renew it: {RENEW}"


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    found = list(references(document))
    assert found
    for reference in found:
        resolve(document, reference)


@pytest.mark.parametrize("name", EVENT_TYPES)
def test_every_type_is_a_routing_key_of_the_exchange(document: dict[str, Any], name: str) -> None:
    channel = document["channels"][name]
    assert channel["address"] == name
    assert channel["bindings"]["amqp"]["is"] == "routingKey"
    assert channel["bindings"]["amqp"]["exchange"]["name"] == EVENTS_EXCHANGE
    assert channel["bindings"]["amqp"]["exchange"]["type"] == "topic"
    operation = document["operations"][f"send.{name}"]
    assert operation["action"] == "send"
    assert resolve(document, operation["channel"]["$ref"]) == channel
    [message] = operation["messages"]
    assert resolve(document, message["$ref"]) == {"$ref": f"#/components/messages/{name}"}


def test_every_queue_receives_what_the_subscriptions_say(document: dict[str, Any]) -> None:
    for queue, taken in SUBSCRIPTIONS.items():
        expected = set(EVENT_TYPES)
        if EventData not in taken:
            expected = {data.event_type for data in taken}
        channel = document["channels"][queue]
        assert channel["bindings"]["amqp"]["queue"]["name"] == queue
        assert set(channel["messages"]) == expected
        operation = document["operations"][f"receive.{queue}"]
        assert operation["action"] == "receive"
        assert {message["$ref"].rpartition("/")[2] for message in operation["messages"]} == expected


def test_there_is_nothing_else_in_it(document: dict[str, Any]) -> None:
    assert set(document["channels"]) == {*EVENT_TYPES, *SUBSCRIPTIONS}
    assert len(document["operations"]) == len(document["channels"])
    assert set(document["components"]["messages"]) == set(EVENT_TYPES)


def test_a_queue_of_all_types_takes_each_and_a_type_without_a_queue_says_so() -> None:
    types: dict[str, type[EventData]] = {"parcel.sent": ParcelSent, "parcel.lost": ParcelLost}
    everything = asyncapi_document(types, {"post.events": (EventData,)})
    assert set(everything["channels"]["post.events"]["messages"]) == set(types)
    assert "`#`" in everything["channels"]["post.events"]["description"]
    one = asyncapi_document(types, {"post.events": (ParcelSent,)})
    assert set(one["channels"]["post.events"]["messages"]) == {"parcel.sent"}
    assert "Taken by post.events." in one["channels"]["parcel.sent"]["description"]
    assert "Taken by no queue." in one["channels"]["parcel.lost"]["description"]


ENVELOPE = {
    "id": "0190b0a0-0000-7000-8000-000000000001",
    "type": "parcel.sent",
    "version": 3,
    "time": "2026-01-02T00:00:00Z",
    "source": "post",
    "subject": "one",
    "traceparent": None,
    "data": {"weight": 5},
}


@pytest.mark.parametrize(
    ("change", "valid"),
    [
        ({}, True),
        ({"later": 1}, True),
        ({"type": "parcel.lost"}, False),
        ({"version": 2}, False),
        ({"data": {}}, False),
        ({"data": {"weight": "heavy"}}, False),
        ({"subject": 5}, False),
    ],
)
def test_a_message_is_its_envelope_with_its_data(change: dict[str, Any], *, valid: bool) -> None:
    document = asyncapi_document({"parcel.sent": ParcelSent}, {})
    schema = {**document["components"]["messages"]["parcel.sent"]["payload"], **document}
    assert Draft7Validator(schema).is_valid({**ENVELOPE, **change}) is valid
