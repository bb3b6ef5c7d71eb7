"""Events of applications: types are registered, and data is checked by them."""

from typing import Any
from uuid import UUID, uuid4

import pytest

from tests.service.jobs.jobs_house import Caller, JobsHouse

TYPES = "/v1/events/types"
ORDER = {
    "type": "object",
    "required": ["order_id", "lines"],
    "additionalProperties": False,
    "properties": {
        "order_id": {"type": "string", "maxLength": 5},
        "lines": {"type": "array", "items": {"$ref": "#/$defs/line"}},
        "note": {"type": ["string", "null"]},
    },
    "$defs": {
        "line": {
            "type": "object",
            "required": ["price"],
            "properties": {"price": {"type": "number", "minimum": 0}},
        }
    },
}
PAID = {"order_id": "A1", "lines": [{"price": 1.5}]}


async def register(administrator: Caller, schema: Any = None, name: str = "order.paid") -> Any:
    body = {"schema": ORDER if schema is None else schema}
    return await administrator.call("PUT", f"{TYPES}/{name}", body)


async def test_an_event_is_stored_as_the_house_stores_its_own(
    house: JobsHouse, administrator: Caller
) -> None:
    await register(administrator)
    key_id = uuid4()
    async with house.caller(house.key("events:order", key_id=key_id)) as shop:
        answer = await shop.call(
            "POST", "/v1/events", {"type": "order.paid", "data": PAID, "subject": "A1"}
        )
    assert answer.status == 202
    [event] = await house.emitted()
    assert answer.body == {"id": event["id"], "type": "order.paid", "version": 1}
    assert UUID(event["id"]).version == 7
    del event["time"], event["traceparent"]
    assert event == {
        "id": event["id"],
        "type": "order.paid",
        "version": 1,
        "source": f"key:{key_id}",
        "subject": "A1",
        "data": PAID,
    }
    [row] = await house.database.fetch("SELECT exchange, routing_key, subject FROM outbox")
    assert tuple(row) == ("freehold.events", "order.paid", "A1")


async def test_a_changed_schema_is_a_new_version_and_versions_never_come_again(
    house: JobsHouse, administrator: Caller
) -> None:
    looser = {"type": "object"}
    for schema, version in ((ORDER, 1), (ORDER, 1), (looser, 2), (ORDER, 3)):
        assert (await register(administrator, schema)).body["version"] == version
    assert (await administrator.call("DELETE", f"{TYPES}/order.paid")).status == 204
    for method in ("GET", "DELETE"):
        gone = await administrator.call(method, f"{TYPES}/order.paid")
        assert gone.code == "event_type_not_found"
    assert (await administrator.get(TYPES))["items"] == []
    body = {"type": "order.paid", "data": PAID}
    assert (await administrator.call("POST", "/v1/events", body)).code == "event_type_unknown"
    assert (await register(administrator, looser)).body["version"] == 4
    assert (await administrator.post("/v1/events", body))["version"] == 4
    assert [event["version"] for event in await house.emitted()] == [4]


async def test_types_are_listed_by_name(administrator: Caller) -> None:
    names = ["a.made", "b.made", "c.made"]
    for name in names[::-1]:
        await register(administrator, {}, name)
    first = await administrator.get(f"{TYPES}?limit=2")
    second = await administrator.get(f"{TYPES}?limit=2&cursor={first['next']}")
    assert [item["type"] for item in first["items"] + second["items"]] == names
    assert second["next"] is None
    assert await administrator.get(f"{TYPES}/b.made") == first["items"][1]


@pytest.mark.parametrize(
    ("data", "fields"),
    [
        ({}, ["data.order_id", "data.lines"]),
        (PAID | {"order_id": 5}, ["data.order_id"]),
        (PAID | {"order_id": "123456"}, ["data.order_id"]),
        (
            PAID | {"lines": [{"price": 1}, {"price": -1}, {}]},
            ["data.lines.1.price", "data.lines.2.price"],
        ),
        (PAID | {"secret": 1}, ["data"]),
        (PAID | {"note": 1}, ["data.note"]),
        (PAID | {"note": "\0"}, ["data"]),
        (PAID | {"note": "\ud800"}, ["data"]),
        (PAID | {"lines": [{"price": float("nan")}]}, ["data"]),
        ([PAID], ["data"]),
        (None, ["data"]),
    ],
    ids=lambda value: repr(value)[:60],
)
async def test_data_that_the_schema_forbids_is_named_field_by_field(
    house: JobsHouse, administrator: Caller, data: Any, fields: list[str]
) -> None:
    await register(administrator)
    answer = await administrator.call("POST", "/v1/events", {"type": "order.paid", "data": data})
    assert (answer.status, answer.code) == (422, "validation_failed")
    assert answer.fields == fields
    assert await house.emitted() == []


@pytest.mark.parametrize(
    ("event", "code", "fields"),
    [
        ({"type": "order.lost", "data": {}}, "event_type_unknown", []),
        ({"type": "file.ready", "data": {}}, "event_type_unknown", []),
        ({"type": "Order.paid", "data": {}}, "validation_failed", ["type"]),
        ({"type": "order", "data": {}}, "validation_failed", ["type"]),
        ({"type": "order.paid.twice", "data": {}}, "validation_failed", ["type"]),
        ({"type": "order.*", "data": {}}, "validation_failed", ["type"]),
        ({"type": "order.paid", "data": {}, "source": "me"}, "validation_failed", ["source"]),
        ({"type": "order.paid", "data": {}, "subject": ""}, "validation_failed", ["subject"]),
        ({"type": "order.paid", "data": {}, "subject": "\0"}, "validation_failed", ["subject"]),
        ({"type": "order.paid", "data": {"x": "y" * 262144}}, "payload_too_large", ["data"]),
        # The data alone would fit; with the envelope around it, it does not.
        ({"type": "order.paid", "data": {"x": "y" * 262100}}, "payload_too_large", ["data"]),
    ],
    ids=lambda value: repr(value)[:60],
)
async def test_what_is_no_event_is_refused(
    house: JobsHouse, administrator: Caller, event: Any, code: str, fields: list[str]
) -> None:
    await register(administrator, {})
    answer = await administrator.call("POST", "/v1/events", event)
    assert (answer.code, answer.fields) == (code, fields)
    assert await house.emitted() == []


@pytest.mark.parametrize(
    ("name", "schema", "code", "fields"),
    [
        ("file.ready", {}, "event_type_reserved", []),
        ("user.married", {}, "event_type_reserved", []),
        ("job.failed", {}, "event_type_reserved", []),
        ("webhook.test", {}, "event_type_reserved", []),
        ("freehold.burned", {}, "event_type_reserved", []),
        ("Order.paid", {}, "validation_failed", ["type"]),
        ("order", {}, "validation_failed", ["type"]),
        ("order.paid.twice", {}, "validation_failed", ["type"]),
        ("order.paid", [], "validation_failed", ["schema"]),
        ("order.paid", {"type": "objekt"}, "validation_failed", ["schema.type"]),
        ("order.paid", {"properties": {"a": 5}}, "validation_failed", ["schema.properties.a"]),
        ("order.paid", {"pattern": "("}, "validation_failed", ["schema.pattern"]),
        ("order.paid", {"$ref": "https://example.com/x"}, "validation_failed", ["schema"]),
        ("order.paid", {"$ref": "file:///etc/passwd"}, "validation_failed", ["schema"]),
        ("order.paid", {"$ref": "#/$defs/none"}, "validation_failed", ["schema"]),
        (
            "order.paid",
            {"$ref": "https://json-schema.org/draft/2020-12/schema"},
            "validation_failed",
            ["schema"],
        ),
        ("order.paid", {"$id": "https://example.com/x"}, "validation_failed", ["schema"]),
        (
            "order.paid",
            {"$schema": "http://json-schema.org/draft-07/schema#"},
            "validation_failed",
            ["schema.$schema"],
        ),
        ("order.paid", {"description": "x" * 65536}, "payload_too_large", ["schema"]),
        ("order.paid", {"description": "\0"}, "validation_failed", ["schema"]),
    ],
    ids=lambda value: repr(value)[:60],
)
async def test_a_type_that_cannot_be_is_refused(  # noqa: PLR0917 - a table of cases
    house: JobsHouse,
    administrator: Caller,
    name: str,
    schema: Any,
    code: str,
    fields: list[str],
) -> None:
    answer = await register(administrator, schema, name)
    assert (answer.code, answer.fields) == (code, fields)
    assert await house.value("SELECT count(*) FROM event_types") == 0


async def test_a_schema_that_never_ends_fails_the_event_and_not_the_service(
    administrator: Caller,
) -> None:
    assert (await register(administrator, {"$ref": "#"})).status == 200
    answer = await administrator.call("POST", "/v1/events", {"type": "order.paid", "data": {}})
    assert (answer.code, answer.fields) == ("validation_failed", ["data"])
