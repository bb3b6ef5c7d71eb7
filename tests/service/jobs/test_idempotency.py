"""`Idempotency-Key`: one effect and one answer, whoever sends how often and how close together."""

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from shared.chassis.idempotency.pruning import AnswerPruning
from shared.chassis.lifecycle import Lifecycle
from tests.service.jobs.jobs_house import Caller, JobsHouse

JOB = {"queue": "orders", "kind": "pack", "payload": {"n": 1}}
EVENT = {"type": "order.paid", "data": {"n": 1}, "subject": "A1"}
WEBHOOK = {"url": "https://receiver.example/hook", "event_types": ["order.*"]}
CREATIONS = [("/v1/jobs", JOB), ("/v1/events", EVENT), ("/v1/webhooks", WEBHOOK)]
EFFECTS = {"/v1/jobs": "jobs", "/v1/events": "outbox", "/v1/webhooks": "webhook_endpoints"}


async def effects(house: JobsHouse, path: str) -> int:
    return int(await house.value(f"SELECT count(*) FROM {EFFECTS[path]}"))


@pytest.fixture(autouse=True)
async def registered(administrator: Caller) -> None:
    await administrator.call("PUT", "/v1/events/types/order.paid", {"schema": {}})


@pytest.mark.parametrize(("path", "body"), CREATIONS)
async def test_the_same_request_has_one_effect_and_one_answer(
    house: JobsHouse, administrator: Caller, path: str, body: Mapping[str, Any]
) -> None:
    first = await administrator.call("POST", path, body, Idempotency_Key="k-1")
    reordered = dict(reversed(body.items()))
    second = await administrator.call("POST", path, reordered, Idempotency_Key="k-1")
    assert first.status == second.status
    assert first.body == second.body
    assert second.headers["idempotent-replayed"] == "true"
    assert "idempotent-replayed" not in first.headers
    assert await effects(house, path) == 1
    other = await administrator.call("POST", path, body, Idempotency_Key="k-2")
    assert other.body["id"] != first.body["id"]
    assert await effects(house, path) == 2


@pytest.mark.parametrize(("path", "body"), CREATIONS)
async def test_doubles_at_the_same_time_wait_for_the_first(
    house: JobsHouse, administrator: Caller, path: str, body: Any
) -> None:
    answers = await asyncio.gather(
        *(administrator.call("POST", path, body, Idempotency_Key="k") for _ in range(8))
    )
    assert len({str(answer.body) for answer in answers}) == 1
    assert len({answer.status for answer in answers}) == 1
    assert await effects(house, path) == 1


async def test_another_request_under_the_key_is_refused(
    house: JobsHouse, administrator: Caller
) -> None:
    await administrator.call("POST", "/v1/jobs", JOB, Idempotency_Key="k")
    for path, body in (("/v1/jobs", JOB | {"payload": {"n": 2}}), ("/v1/events", EVENT)):
        answer = await administrator.call("POST", path, body, Idempotency_Key="k")
        assert (answer.status, answer.code) == (422, "idempotency_key_reused")
    assert await effects(house, "/v1/jobs") == 1
    assert await effects(house, "/v1/events") == 0


async def test_keys_belong_to_their_callers(house: JobsHouse, administrator: Caller) -> None:
    ids = set()
    async with house.caller(house.key("jobs")) as one, house.caller(house.key("jobs")) as two:
        for caller in (one, two, administrator):
            answer = await caller.call("POST", "/v1/jobs", JOB, Idempotency_Key="k")
            ids.add(answer.body["id"])
    assert len(ids) == 3


async def test_what_failed_is_tried_anew(house: JobsHouse, administrator: Caller) -> None:
    await administrator.call("DELETE", "/v1/events/types/order.paid")
    refused = await administrator.call("POST", "/v1/events", EVENT, Idempotency_Key="k")
    assert refused.code == "event_type_unknown"
    await administrator.call("PUT", "/v1/events/types/order.paid", {"schema": {}})
    answer = await administrator.call("POST", "/v1/events", EVENT, Idempotency_Key="k")
    assert answer.status == 202
    assert await effects(house, "/v1/events") == 1


async def test_answers_are_kept_for_a_day_and_pruned(
    house: JobsHouse, administrator: Caller
) -> None:
    first = await administrator.call("POST", "/v1/jobs", JOB, Idempotency_Key="k")
    await administrator.call("POST", "/v1/jobs", JOB, Idempotency_Key="fresh")
    await house.database.execute(
        "UPDATE idempotent_answers SET answered_at = now() - interval '25 hours' WHERE key = 'k'"
    )
    again = await administrator.call("POST", "/v1/jobs", JOB, Idempotency_Key="k")
    assert again.body["id"] != first.body["id"]
    await house.database.execute(
        "UPDATE idempotent_answers SET answered_at = now() - interval '25 hours' WHERE key = 'k'"
    )
    assert await AnswerPruning(house.database, Lifecycle()).run_once() == 1
    assert await house.value("SELECT key FROM idempotent_answers") == "fresh"


async def test_secrets_in_answers_are_not_readable_in_the_database(
    house: JobsHouse, administrator: Caller
) -> None:
    answer = await administrator.call("POST", "/v1/webhooks", WEBHOOK, Idempotency_Key="k")
    kept = await house.value("SELECT answer FROM idempotent_answers")
    assert answer.body["secret"].encode() not in kept
    assert b"whsec" not in kept


@pytest.mark.parametrize("key", ["", "a b", "x" * 256])
async def test_a_strange_key_is_refused(house: JobsHouse, administrator: Caller, key: str) -> None:
    answer = await administrator.call("POST", "/v1/jobs", JOB, Idempotency_Key=key)
    assert (answer.code, answer.fields) == ("validation_failed", ["Idempotency-Key"])
    assert await effects(house, "/v1/jobs") == 0
