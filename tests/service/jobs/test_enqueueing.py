"""Queueing jobs over HTTP, and what is refused."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from tests.parts.ids import UNKNOWN_ID
from tests.service.jobs.jobs_house import Caller, JobsHouse

JOB = {"queue": "orders", "kind": "pack"}
TOO_LARGE = "x" * (256 * 1024)


def nested(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value


async def test_a_job_is_answered_as_it_is_stored(house: JobsHouse, application: Caller) -> None:
    answer = await application.call("POST", "/v1/jobs", JOB | {"payload": {"n": 1}})
    assert answer.status == 202
    job = dict(answer.body)
    assert UUID(job.pop("id")).version == 7
    assert job.pop("created_at").endswith("Z")
    assert job.pop("run_at").endswith("Z")
    assert job == {
        "queue": "orders",
        "kind": "pack",
        "payload": {"n": 1},
        "state": "queued",
        "priority": 0,
        "attempts": 0,
        "max_attempts": 3,
        "progress": None,
        "result": None,
        "errors": [],
        "started_at": None,
        "finished_at": None,
    }
    assert await house.jobs() == [("pack", "queued", 0)]
    assert await application.get(f"/v1/jobs/{answer.body['id']}") == answer.body


@pytest.mark.parametrize(
    "payload",
    [None, [], [1, 2], [[1], [2, 3]], {}, "text", "ä\u2028🙂\\u0000", 0, -1.5, True, {"": {"": 1}}],
    ids=repr,
)
@pytest.mark.parametrize("unique", [None, "key"])
async def test_any_json_value_comes_back_as_it_was(
    application: Caller, payload: Any, unique: str | None
) -> None:
    job = await application.enqueue(payload=payload, unique=unique)
    assert job["payload"] == payload
    [claimed] = await application.claim()
    assert claimed["payload"] == payload


async def test_the_order_is_priority_then_time_then_age(
    house: JobsHouse, application: Caller
) -> None:
    past = datetime.now(UTC) - timedelta(minutes=5)
    for kind, values in (
        ("third", {}),
        ("first", {"priority": -32768}),
        ("last", {"priority": 1, "run_at": past.isoformat()}),
        ("second", {"run_at": past.isoformat()}),
        ("not_yet", {"priority": -32768, "delay_seconds": 60}),
    ):
        await application.post(
            "/v1/jobs", {"queue": "orders", "kind": kind.replace(" ", "_"), **values}
        )
    claimed = await application.claim(limit=10)
    assert [job["kind"] for job in claimed] == ["first", "second", "third", "last"]
    assert (await house.jobs())[-1] == ("not_yet", "scheduled", 0)


async def test_a_unique_key_is_held_until_the_job_ends_or_its_period_does(
    house: JobsHouse, application: Caller
) -> None:
    first = await application.enqueue(unique="order-1", payload=1)
    assert await application.enqueue(unique="order-1", payload=2) == first
    other_queue = await application.enqueue("mails", unique="order-1")
    assert other_queue["id"] != first["id"]

    [job] = await application.claim()
    await application.post(f"/v1/jobs/{job['id']}/complete")
    second = await application.enqueue(unique="order-1", unique_for_seconds=3600)
    assert second["id"] != first["id"]
    [job] = await application.claim()
    await application.post(f"/v1/jobs/{job['id']}/complete")
    held = await application.enqueue(unique="order-1")
    assert (held["id"], held["state"]) == (second["id"], "completed")
    assert len(await house.jobs()) == 3


@pytest.mark.parametrize(
    ("body", "code", "fields"),
    [
        ({}, "validation_failed", ["queue", "kind"]),
        (JOB | {"queue": ""}, "validation_failed", ["queue"]),
        (JOB | {"queue": "Orders"}, "validation_failed", ["queue"]),
        (JOB | {"queue": "files.images"}, "validation_failed", ["queue"]),
        (JOB | {"queue": "q" * 64}, "validation_failed", ["queue"]),
        (JOB | {"queue": "orders\n"}, "validation_failed", ["queue"]),
        (JOB | {"kind": "a b"}, "validation_failed", ["kind"]),
        (JOB | {"kind": "\0"}, "validation_failed", ["kind"]),
        (JOB | {"priority": 32768}, "validation_failed", ["priority"]),
        (JOB | {"priority": 1.5}, "validation_failed", ["priority"]),
        (JOB | {"attempts": 0}, "validation_failed", ["attempts"]),
        (JOB | {"delay_seconds": -1}, "validation_failed", ["delay_seconds"]),
        (JOB | {"delay_seconds": 1e12}, "validation_failed", ["delay_seconds"]),
        (JOB | {"run_at": "tomorrow"}, "validation_failed", ["run_at"]),
        (JOB | {"run_at": "2030-01-01T00:00:00"}, "validation_failed", ["run_at"]),
        (JOB | {"run_at": "9999-12-31T23:59:59Z"}, "validation_failed", ["run_at"]),
        (JOB | {"run_at": "2030-01-01T00:00:00Z", "delay_seconds": 1}, "validation_failed", [""]),
        (JOB | {"unique_for_seconds": 5}, "validation_failed", [""]),
        (JOB | {"unique": "a\0b"}, "validation_failed", ["unique"]),
        (JOB | {"unique": ""}, "validation_failed", ["unique"]),
        (JOB | {"schedule": "mine"}, "validation_failed", ["schedule"]),
        (JOB | {"payload": "a\0b"}, "validation_failed", ["payload"]),
        (JOB | {"payload": {"a\0b": 1}}, "validation_failed", ["payload"]),
        (JOB | {"payload": "\ud800"}, "validation_failed", ["payload"]),
        (JOB | {"payload": {"\udfff": 1}}, "validation_failed", ["payload"]),
        (JOB | {"payload": float("nan")}, "validation_failed", ["payload"]),
        (JOB | {"payload": [float("inf")]}, "validation_failed", ["payload"]),
        (b'{"queue":"orders","kind":"pack","payload":1e999}', "validation_failed", ["payload"]),
        (JOB | {"payload": nested(65)}, "validation_failed", ["payload"]),
        (JOB | {"payload": TOO_LARGE}, "payload_too_large", ["payload"]),
        (JOB | {"payload": "x" * 1024 * 1024}, "payload_too_large", []),
        ([], "validation_failed", [""]),
        (b"[" * 100_000, "invalid_json", []),
        (b'{"queue": ', "invalid_json", []),
        (b'{"queue":"orders","kind":"pack","payload":"\xff"}', "invalid_json", []),
    ],
    ids=lambda value: repr(value)[:60],
)
async def test_what_cannot_be_a_job_is_refused(
    house: JobsHouse, application: Caller, body: Any, code: str, fields: list[str]
) -> None:
    answer = await application.call("POST", "/v1/jobs", body)
    assert (answer.code, answer.fields) == (code, fields)
    assert await house.jobs() == []


async def test_the_largest_and_deepest_payload_fits(application: Caller) -> None:
    largest = "x" * (256 * 1024 - 2)
    for payload in (largest, nested(64), "ä" * (128 * 1024 - 1)):
        job = await application.enqueue(payload=payload)
        assert job["payload"] == payload


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/v1/jobs?queue=orders&state=lost", "validation_failed"),
        ("/v1/jobs?queue=orders&sate=failed", "validation_failed"),
        ("/v1/jobs/queues?queue=orders", "validation_failed"),
        ("/v1/jobs/schedules?queue=orders", "validation_failed"),
        ("/v1/events/types?type=order.paid", "validation_failed"),
        ("/v1/dead-letters?queue=mail.events", "validation_failed"),
        ("/v1/webhooks?url=x", "validation_failed"),
        ("/v1/jobs?queue=orders&limit=0", "validation_failed"),
        ("/v1/jobs?queue=orders&limit=101", "validation_failed"),
        ("/v1/jobs?queue=orders&cursor=x", "invalid_cursor"),
        ("/v1/jobs?queue=orders&cursor=%00", "invalid_cursor"),
        ("/v1/jobs?queue=Orders", "queue_invalid"),
        ("/v1/jobs?queue=%00", "queue_invalid"),
        ("/v1/jobs?queue=nobody.images", "queue_invalid"),
        ("/v1/jobs?queue=mail.a/b", "queue_invalid"),
        ("/v1/jobs/nonsense", "job_not_found"),
        ("/v1/jobs/queues/A", "queue_invalid"),
        ("/v1/jobs/queues?cursor=__8", "invalid_cursor"),
        ("/v1/jobs/schedules/none", "schedule_not_found"),
        ("/v1/jobs/schedules/%00", "schedule_not_found"),
        ("/v1/events/types/none", "event_type_not_found"),
        ("/v1/events/types/%00", "event_type_not_found"),
        ("/v1/dead-letters/none", "dead_letter_not_found"),
        (f"/v1/dead-letters/mail.{UNKNOWN_ID}x", "dead_letter_not_found"),
        (f"/v1/dead-letters/nobody.{UNKNOWN_ID}", "dead_letter_not_found"),
        (f"/v1/dead-letters/mail.{UNKNOWN_ID}", "dead_letter_not_found"),
        ("/v1/dead-letters?cursor=x", "invalid_cursor"),
    ],
)
async def test_wrong_questions(administrator: Caller, path: str, code: str) -> None:
    assert (await administrator.call("GET", path)).code == code


async def test_pages_from_the_newest_on(application: Caller) -> None:
    ids = [(await application.enqueue())["id"] for _ in range(5)]
    await application.enqueue("mails")
    seen: list[str] = []
    cursor = ""
    while True:
        page = await application.get(f"/v1/jobs?queue=orders&state=queued&limit=2{cursor}")
        seen += [job["id"] for job in page["items"]]
        if page["next"] is None:
            break
        cursor = f"&cursor={page['next']}"
    assert seen == ids[::-1]
    assert page["unreachable"] == []
    assert "payload" not in page["items"][0]
