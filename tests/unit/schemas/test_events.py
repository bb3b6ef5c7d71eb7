"""Every event is registered once, reaches queues that exist, and stays readable as it grows."""

import importlib
import json
import pkgutil
import re
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from pydantic import ValidationError

import shared.schemas.events
from shared.schemas.events.auth import SessionRevoked
from shared.schemas.events.envelope import Event, EventData
from shared.schemas.events.registry import EVENT_TYPES
from shared.schemas.events.subscriptions import SUBSCRIPTIONS

SERVICES = {"auth", "files", "mail", "realtime", "jobs", "gateway"}
SECRETS = {"token", "link", "url", "email", "to", "address", "password", "secret", "key"}
ID = UUID("0190b0a0-0000-7000-8000-000000000001")


def declared() -> list[type[EventData]]:
    package = shared.schemas.events
    modules = [
        f"{package.__name__}.{module.name}" for module in pkgutil.iter_modules(package.__path__)
    ]
    for module in modules:
        importlib.import_module(module)
    return [data for data in EventData.__subclasses__() if data.__module__ in modules]


def test_every_event_is_registered_under_its_own_type() -> None:
    assert {data.event_type: data for data in declared()} == EVENT_TYPES
    assert len(declared()) == len(EVENT_TYPES), "two events share one type"


@pytest.mark.parametrize("data", EVENT_TYPES.values())
def test_an_event_is_named_noun_verbed_and_carries_no_secret(data: type[EventData]) -> None:
    assert re.fullmatch(r"[a-z]+\.[a-z]+ed|file\.ready", data.event_type)
    assert data.event_version >= 1
    assert not SECRETS & set(data.model_fields)


def test_only_registered_events_are_subscribed_to_each_once_a_queue() -> None:
    for queue, types in SUBSCRIPTIONS.items():
        service, _, kind = queue.partition(".")
        assert service in SERVICES
        assert kind == "events"
        assert set(types) <= {EventData, *EVENT_TYPES.values()}
        assert len(set(types)) == len(types)


def revoked() -> Event[SessionRevoked]:
    return Event(
        id=ID,
        type=SessionRevoked.event_type,
        version=SessionRevoked.event_version,
        time=datetime(2026, 1, 2, tzinfo=UTC),
        source="auth",
        subject=str(ID),
        data=SessionRevoked(session_id=ID, user_id=ID),
    )


def test_an_event_survives_the_bus() -> None:
    assert Event[SessionRevoked].model_validate_json(revoked().model_dump_json()) == revoked()


def test_fields_of_a_later_version_are_ignored() -> None:
    document = json.loads(revoked().model_dump_json())
    document["later"] = 1
    document["data"]["later"] = {"a": 1}
    assert Event[SessionRevoked].model_validate(document) == revoked()


@pytest.mark.parametrize("missing", ["id", "type", "version", "time", "source", "subject", "data"])
def test_an_envelope_without_a_member_is_refused(missing: str) -> None:
    document = json.loads(revoked().model_dump_json())
    del document[missing]
    with pytest.raises(ValidationError):
        Event[SessionRevoked].model_validate(document)


def test_what_happened_cannot_be_changed() -> None:
    data: Any = revoked().data
    with pytest.raises(ValidationError):
        data.user_id = UUID(int=0)
