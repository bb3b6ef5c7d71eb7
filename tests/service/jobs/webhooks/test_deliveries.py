"""What becomes of events on their way to receivers."""

import base64
import json
from typing import Any

import pytest
from standardwebhooks import Webhook as Verifier
from uuid_utils.compat import uuid7

from services.jobs.webhooks import sending
from services.jobs.webhooks.deliveries import Deliverer
from services.jobs.webhooks.sending import Sender
from shared.schemas.events.jobs import JobFailed
from tests.parts.receiver import Receiver, answer, hang, reset
from tests.parts.waiting import PATIENCE_SECONDS, eventually
from tests.service.jobs.webhooks.conftest import Webhooks


async def test_an_event_reaches_its_endpoint_signed(webhooks: Webhooks) -> None:
    endpoint = await webhooks.subscribe("order.*")
    await webhooks.start_worker()
    event_id = await webhooks.tell()
    await eventually(webhooks.states, [("delivered", 1)])

    [request] = webhooks.receiver.received
    body = Verifier(endpoint["secret"]).verify(request.body, request.headers)
    time = body.pop("time")
    assert body == {
        "id": str(event_id),
        "type": "order.paid",
        "version": 1,
        "source": "shop",
        "subject": "order/1",
        "traceparent": None,
        "data": {"order": "grün"},
    }
    [delivery] = await webhooks.deliveries(endpoint)
    assert request.headers["webhook-id"] == delivery["id"]
    assert (delivery["event_id"], delivery["event_type"]) == (str(event_id), "order.paid")
    assert time.endswith("Z")
    assert await webhooks.live_jobs() == 0
    assert await webhooks.emitted() == []


@pytest.mark.parametrize(
    ("event_types", "matches"),
    [
        (["*"], True),
        (["order.*"], True),
        (["order.paid"], True),
        (["file.ready", "order.paid"], True),
        (["order.sent"], False),
        (["orders.*"], False),
        (["file.*"], False),
    ],
)
async def test_endpoints_get_what_they_asked_for(
    webhooks: Webhooks,
    event_types: list[str],
    matches: bool,  # noqa: FBT001 - of the table
) -> None:
    await webhooks.subscribe(*event_types)
    await webhooks.tell()
    assert await webhooks.states() == [("pending", 0)] * matches
    assert await webhooks.live_jobs() == int(matches)
    kept = await webhooks.database.fetchval("SELECT count(*) FROM webhook_messages")
    assert kept == int(matches)


async def test_an_event_told_twice_is_delivered_once_to_each(webhooks: Webhooks) -> None:
    endpoints = [await webhooks.subscribe() for _ in range(3)]
    event_id = uuid7()
    await webhooks.tell(event_id=event_id)
    await webhooks.tell(event_id=event_id)
    await webhooks.start_worker()
    await eventually(webhooks.states, [("delivered", 1)] * 3)
    await webhooks.tell(event_id=event_id)

    assert await webhooks.live_jobs() == 0
    assert await webhooks.receiver.count() == 3
    ids = {request.headers["webhook-id"] for request in webhooks.receiver.received}
    assert len(ids) == 3
    assert {len(await webhooks.deliveries(endpoint)) for endpoint in endpoints} == {1}


async def test_failures_are_retried_with_the_same_bytes_until_one_succeeds(
    webhooks: Webhooks,
) -> None:
    endpoint = await webhooks.subscribe()
    webhooks.receiver.behaviours = [answer(500, b"no"), reset, answer(302, Location="/x")]
    await webhooks.start_worker()
    await webhooks.tell()
    for attempts in range(1, 4):
        await eventually(webhooks.states, [("pending", attempts)])
        [delivery] = await webhooks.deliveries(endpoint)
        assert delivery["next_attempt_at"] > delivery["attempts"][-1]["at"]
        failing_since = (await webhooks.call("GET", f"/{endpoint['id']}", status=200))[
            "failing_since"
        ]
        assert failing_since is not None
        await webhooks.let_time_pass()
    await eventually(webhooks.states, [("delivered", 4)])

    received = webhooks.receiver.received
    assert len({request.body for request in received}) == 1
    assert len({request.headers["webhook-id"] for request in received}) == 1
    for request in received:
        Verifier(endpoint["secret"]).verify(request.body, request.headers)
    [delivery] = await webhooks.deliveries(endpoint)
    assert [
        (attempt["number"], attempt["status"], attempt["answer"])
        for attempt in delivery["attempts"]
    ] == [(1, 500, "no"), (2, None, None), (3, 302, ""), (4, 200, "")]
    errors = [attempt["error"] for attempt in delivery["attempts"]]
    assert errors[0] == "the receiver answered 500"
    assert "the connection ended" in errors[1]
    assert "redirects are not followed" in errors[2]
    assert errors[3] is None
    assert delivery["next_attempt_at"] is None
    assert delivery["ended_at"] is not None
    assert (await webhooks.call("GET", f"/{endpoint['id']}", status=200))["failing_since"] is None
    assert webhooks.receiver.connections == 4


async def test_the_ladder_ends(webhooks: Webhooks) -> None:
    await webhooks.subscribe()
    await webhooks.tell()
    await webhooks.database.execute("UPDATE webhook_deliveries SET attempts = 16, failures = 16")
    webhooks.receiver.behaviours = [answer(500)]
    await webhooks.start_worker()
    await eventually(webhooks.states, [("failed", 17)])
    assert await webhooks.live_jobs() == 0
    assert await webhooks.emitted() == []


async def test_a_busy_receiver_says_when(webhooks: Webhooks) -> None:
    await webhooks.subscribe()
    webhooks.receiver.behaviours = [answer(429, Retry_After="3000")]
    await webhooks.start_worker()
    await webhooks.tell()
    await eventually(webhooks.states, [("pending", 1)])
    seconds = await webhooks.database.fetchval(
        "SELECT extract(epoch FROM next_attempt_at - now())::float8 FROM webhook_deliveries"
    )
    job_seconds = await webhooks.database.fetchval(
        "SELECT extract(epoch FROM run_at - now())::float8 FROM jobs WHERE state = 'scheduled'"
    )
    assert 2900 < seconds <= 3000
    assert 2900 < job_seconds <= 3000


async def test_410_disables_at_once(webhooks: Webhooks) -> None:
    endpoint = await webhooks.subscribe()
    other = await webhooks.subscribe("file.*")
    webhooks.receiver.behaviours = [answer(410)]
    await webhooks.start_worker()
    await webhooks.tell()
    await eventually(webhooks.states, [("failed", 1)])
    reason = "the receiver answered 410: it wants no more messages"
    read = await webhooks.call("GET", f"/{endpoint['id']}", status=200)
    assert (read["enabled"], read["disabled_reason"]) == (False, reason)
    assert await webhooks.emitted() == [
        ("webhook.disabled", {"webhook_id": endpoint["id"], "reason": reason})
    ]
    assert (await webhooks.call("GET", f"/{other['id']}", status=200))["enabled"]
    await webhooks.tell()
    assert await webhooks.states() == [("failed", 1)]
    assert await webhooks.live_jobs() == 0


@pytest.mark.parametrize(("hours", "enabled"), [(71, True), (73, False)])
async def test_three_days_of_failures_disable(
    webhooks: Webhooks,
    hours: int,
    enabled: bool,  # noqa: FBT001 - of the table
) -> None:
    endpoint = await webhooks.subscribe()
    await webhooks.tell()
    await webhooks.database.execute(
        "UPDATE webhook_endpoints SET failing_since = now() - $1 * interval '1 hour'", hours
    )
    webhooks.receiver.behaviours = [answer(500)]
    await webhooks.start_worker()
    await eventually(webhooks.states, [("pending" if enabled else "failed", 1)])
    read = await webhooks.call("GET", f"/{endpoint['id']}", status=200)
    reason = None if enabled else "every attempt of three days has failed"
    assert (read["enabled"], read["disabled_reason"]) == (enabled, reason)
    assert [name for name, _ in await webhooks.emitted()] == ["webhook.disabled"] * (not enabled)

    again = await webhooks.call("PATCH", f"/{endpoint['id']}", status=200, enabled=True)
    assert (again["enabled"], again["disabled_reason"], again["failing_since"]) == (
        True,
        None,
        None,
    )


async def test_what_waits_for_a_disabled_endpoint_is_cancelled(webhooks: Webhooks) -> None:
    endpoint = await webhooks.subscribe()
    await webhooks.tell()
    await webhooks.call("PATCH", f"/{endpoint['id']}", status=200, enabled=False)
    await webhooks.start_worker()
    await eventually(webhooks.states, [("cancelled", 0)])
    assert await webhooks.receiver.count() == 0
    assert await webhooks.live_jobs() == 0


async def test_a_crash_after_sending_sends_the_same_message_again(
    webhooks: Webhooks, monkeypatch: pytest.MonkeyPatch
) -> None:
    endpoint = await webhooks.subscribe()
    record = Deliverer._record
    crashes = 0

    async def crash_once(*args: Any) -> Any:
        nonlocal crashes
        crashes += 1
        outcome = await record(*args)
        if crashes == 1:
            raise RuntimeError("the process dies before the commit")
        return outcome

    monkeypatch.setattr(Deliverer, "_record", crash_once)
    await webhooks.start_worker()
    await webhooks.tell()
    await eventually(webhooks.receiver.count, 1)
    await eventually(webhooks.live_jobs, 1)
    await webhooks.let_time_pass()
    await eventually(webhooks.states, [("delivered", 1)])
    first, second = webhooks.receiver.received
    assert first.body == second.body
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    [delivery] = await webhooks.deliveries(endpoint)
    assert len(delivery["attempts"]) == 1


async def test_a_slow_endpoint_takes_no_other_ones_place(
    webhooks: Webhooks, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sending, "ANSWER_SECONDS", 10 * PATIENCE_SECONDS)
    slow = await webhooks.subscribe("order.paid")
    quick_receiver = Receiver()
    await quick_receiver.start()
    await webhooks.subscribe("order.paid", url=quick_receiver.url)
    webhooks.receiver.behaviours = [hang] * 1000
    for _ in range(20):
        await webhooks.tell()
    await webhooks.start_worker(webhook_concurrency=6, webhook_endpoint_concurrency=2)

    await eventually(quick_receiver.count, 20)

    async def connections() -> int:
        return webhooks.receiver.connections

    await eventually(connections, 2)
    assert webhooks.receiver.most_at_once == 2
    attempts = [delivery["attempts"] for delivery in await webhooks.deliveries(slow)]
    assert attempts == [[]] * 20
    webhooks.receiver.behaviours.clear()
    webhooks.receiver.released.set()

    async def delivered() -> int:
        await webhooks.let_time_pass()
        return [state for state, _ in await webhooks.states()].count("delivered")

    await eventually(delivered, 40)
    assert webhooks.receiver.connections == 22
    assert webhooks.receiver.most_at_once == 2
    await quick_receiver.stop()


async def test_an_address_refused_by_the_guard_is_a_failed_attempt(webhooks: Webhooks) -> None:
    endpoint = await webhooks.subscribe()
    await webhooks.tell()
    await webhooks.start_worker(webhook_allowed_networks="")
    await eventually(webhooks.states, [("pending", 1)])
    [delivery] = await webhooks.deliveries(endpoint)
    assert "the address 127.0.0.1 is loopback" in delivery["attempts"][0]["error"]
    assert "FREEHOLD_WEBHOOK_ALLOWED_NETWORKS" in delivery["attempts"][0]["error"]
    assert webhooks.receiver.connections == 0


async def test_another_master_key_sends_nothing_and_says_why(webhooks: Webhooks) -> None:
    endpoint = await webhooks.subscribe()
    await webhooks.tell()
    await webhooks.start_worker(master_key="another key, and long enough for it too")
    await eventually(webhooks.states, [("pending", 1)])
    [delivery] = await webhooks.deliveries(endpoint)
    assert "FREEHOLD_MASTER_KEY" in delivery["attempts"][0]["error"]
    assert webhooks.receiver.connections == 0


async def test_a_job_that_failed_for_good_ends_its_delivery_and_is_no_news(
    webhooks: Webhooks, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: Any) -> Any:
        raise RuntimeError("a fault of ours")

    monkeypatch.setattr(Sender, "send", broken)
    endpoint = await webhooks.subscribe()
    await webhooks.tell()
    await webhooks.database.execute("UPDATE jobs SET max_attempts = 1")
    await webhooks.start_worker()
    await eventually(webhooks.live_jobs, 0)
    [(name, data)] = await webhooks.emitted()
    assert name == "job.failed"

    failed = JobFailed(**data)
    await webhooks.tell(failed, source="jobs")
    assert await webhooks.states() == [("failed", 1)]
    [delivery] = await webhooks.deliveries(endpoint)
    assert "a fault of ours" in delivery["attempts"][0]["error"]
    await webhooks.tell(failed, source="jobs")
    assert await webhooks.states() == [("failed", 1)]
    assert await webhooks.live_jobs() == 0

    # Jobs of others are news, also those that only look like a delivery.
    await webhooks.tell(failed.model_copy(update={"queue": "webhooks"}), source="jobs")
    await webhooks.tell(failed, source="files")
    assert await webhooks.states() == [("failed", 1), ("pending", 0), ("pending", 0)]


async def test_the_log_holds_neither_secret_nor_signature(webhooks: Webhooks) -> None:
    endpoint = await webhooks.subscribe()
    webhooks.receiver.behaviours = [answer(500, b"no")]
    await webhooks.start_worker()
    await webhooks.tell()
    await eventually(webhooks.states, [("pending", 1)])
    tables = [
        row["name"]
        for row in await webhooks.database.fetch(
            "SELECT tablename AS name FROM pg_tables WHERE schemaname = 'jobs'"
        )
    ]
    [request] = webhooks.receiver.received
    signature = request.headers["webhook-signature"].removeprefix("v1,")
    secret = base64.b64decode(endpoint["secret"].removeprefix("whsec_"))
    for table in tables:
        rows = await webhooks.database.fetch(f"SELECT to_jsonb(t) AS row FROM {table} AS t")
        text = json.dumps([row["row"] for row in rows])
        for needle in (signature, endpoint["secret"][6:], secret.hex()):
            assert needle not in text, table
    log = json.dumps(await webhooks.deliveries(endpoint))
    assert "whsec_" not in log
    assert signature not in log
