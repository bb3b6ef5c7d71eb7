"""The API of webhooks: who may use it, and what it does."""

import base64
import json
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from standardwebhooks import Webhook as Verifier
from standardwebhooks import WebhookVerificationError

from services.jobs.webhooks.pruning import LogPruning
from shared.chassis.lifecycle import Lifecycle
from tests.parts.ids import UNKNOWN_ID
from tests.parts.receiver import answer
from tests.parts.waiting import eventually
from tests.service.jobs.webhooks.conftest import Webhooks

SOME = str(UNKNOWN_ID)
CALLS = [
    ("POST", ""),
    ("GET", ""),
    ("GET", f"/{SOME}"),
    ("PATCH", f"/{SOME}"),
    ("DELETE", f"/{SOME}"),
    ("POST", f"/{SOME}/secret/rotate"),
    ("POST", f"/{SOME}/test"),
    ("GET", f"/{SOME}/deliveries"),
    ("POST", f"/{SOME}/deliveries/{SOME}/retry"),
]


@pytest.mark.parametrize(("method", "path"), CALLS)
async def test_only_administrators_sessions_may(webhooks: Webhooks, method: str, path: str) -> None:
    tokens = webhooks.tokens
    for token, status, code in (
        (None, 401, "authentication_required"),
        (tokens.sign(), 403, "administrator_required"),
        (tokens.sign("administrator", scope="events jobs"), 403, "administrator_required"),
    ):
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        found = await webhooks.client.request(method, f"/v1/webhooks{path}", headers=headers)
        assert (found.status_code, found.json()["code"]) == (status, code)


@pytest.mark.parametrize(("method", "path"), CALLS[2:])
async def test_what_is_not_there(webhooks: Webhooks, method: str, path: str) -> None:
    body: dict[str, Any] = {"enabled": True} if method == "PATCH" else {}
    found = await webhooks.call(method, path, status=404, **body)
    assert found["code"] == "webhook_not_found"
    assert (await webhooks.call(method, path.replace(SOME, "no-id"), status=404, **body))[
        "code"
    ] == "not_found"


async def test_a_secret_is_shown_once(webhooks: Webhooks) -> None:
    created = await webhooks.call(
        "POST",
        status=201,
        url="https://hooks.example/in",
        event_types=["order.*", "order.*", "file.ready"],
        description="the shop",
    )
    secret = created.pop("secret")
    assert len(base64.b64decode(secret.removeprefix("whsec_"), validate=True)) == 32
    assert created == {
        "id": created["id"],
        "url": "https://hooks.example/in",
        "event_types": ["order.*", "file.ready"],
        "description": "the shop",
        "enabled": True,
        "disabled_reason": None,
        "failing_since": None,
        "created_at": created["created_at"],
        "updated_at": created["created_at"],
    }
    assert await webhooks.call("GET", f"/{created['id']}", status=200) == created
    assert await webhooks.call("GET", status=200) == {"items": [created], "next": None}
    stored = await webhooks.database.fetchval("SELECT secret FROM webhook_endpoints")
    assert base64.b64decode(secret[6:]) not in stored


async def test_the_same_request_sent_again_makes_one_endpoint(webhooks: Webhooks) -> None:
    token = webhooks.tokens.sign("administrator")
    headers = {"Authorization": f"Bearer {token}", "Idempotency-Key": "k1"}
    request = {"url": "https://hooks.example/", "event_types": ["*"]}
    first, second = [
        await webhooks.call("POST", status=201, headers=headers, **request) for _ in range(2)
    ]
    assert first == second
    assert first["secret"].startswith("whsec_")
    assert len((await webhooks.call("GET", status=200))["items"]) == 1


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"event_types": ["*"]}, "url"),
        ({"url": "https://hooks.example"}, "event_types"),
        ({"url": "https://hooks.example", "event_types": []}, "event_types"),
        ({"url": "https://hooks.example", "event_types": ["order"]}, "event_types.0"),
        ({"url": "https://hooks.example", "event_types": ["*"], "secret": "x"}, "secret"),
        (
            {"url": "https://hooks.example", "event_types": ["*"], "description": "a\0b"},
            "description",
        ),
        (
            {"url": "https://hooks.example", "event_types": ["*"], "description": "\ud800"},
            "description",
        ),
        ({"url": "https://hooks.example/\ud800", "event_types": ["*"]}, "url"),
        ({"url": "https://10.0.0.1/", "event_types": ["*"]}, "url"),
        ({"url": "https://169.254.169.254/", "event_types": ["*"]}, "url"),
        ({"url": "http://1.1.1.1/", "event_types": ["*"]}, "url"),
        ({"url": "https://user:word@hooks.example/", "event_types": ["*"]}, "url"),
        ({"url": "https://hooks.example:22/", "event_types": ["*"]}, "url"),
        ({"url": "x" * 2049, "event_types": ["*"]}, "url"),
    ],
)
async def test_what_is_refused_at_once(
    webhooks: Webhooks, body: dict[str, Any], field: str
) -> None:
    problem = await webhooks.call("POST", status=422, **body)
    assert [error["field"] for error in problem["errors"]] == [field]
    assert await webhooks.database.fetchval("SELECT count(*) FROM webhook_endpoints") == 0


async def test_changing_what_is_given_and_nothing_else(webhooks: Webhooks) -> None:
    endpoint = await webhooks.subscribe("order.*")
    endpoint.pop("secret")
    path = f"/{endpoint['id']}"
    for change, expected in (
        ({"description": "shop"}, {"description": "shop"}),
        ({"event_types": ["*"]}, {"event_types": ["*"]}),
        ({"description": None}, {"description": None}),
        ({"url": "https://hooks.example/2"}, {"url": "https://hooks.example/2"}),
        (
            {"enabled": False},
            {"enabled": False, "disabled_reason": "an administrator disabled it"},
        ),
        ({"enabled": True}, {"enabled": True, "disabled_reason": None}),
    ):
        changed = await webhooks.call("PATCH", path, status=200, **change)
        endpoint |= expected
        assert changed == endpoint | {"updated_at": changed["updated_at"]}
    for wrong in ({"url": "https://10.0.0.1/"}, {"url": None}, {"enabled": None}, {"id": "x"}):
        await webhooks.call("PATCH", path, status=422, **wrong)


async def test_pages_of_endpoints(webhooks: Webhooks) -> None:
    ids = [(await webhooks.subscribe())["id"] for _ in range(3)]
    first = await webhooks.call("GET", "?limit=2", status=200)
    second = await webhooks.call("GET", f"?limit=2&cursor={first['next']}", status=200)
    assert [item["id"] for item in first["items"] + second["items"]] == ids[::-1]
    assert second["next"] is None


async def test_both_secrets_sign_for_a_day_after_rotation(webhooks: Webhooks) -> None:
    endpoint = await webhooks.subscribe()
    old = endpoint["secret"]
    path = f"/{endpoint['id']}"
    new = (await webhooks.call("POST", f"{path}/secret/rotate", status=200))["secret"]
    await webhooks.start_worker()
    await webhooks.tell()
    await eventually(webhooks.receiver.count, 1)

    await webhooks.database.execute(
        "UPDATE webhook_endpoints SET previous_secret_until = previous_secret_until - $1::interval",
        timedelta(hours=23),
    )
    await webhooks.tell()
    await eventually(webhooks.receiver.count, 2)
    await webhooks.database.execute(
        "UPDATE webhook_endpoints SET previous_secret_until = previous_secret_until - $1::interval",
        timedelta(hours=1),
    )
    await webhooks.tell()
    await eventually(webhooks.receiver.count, 3)

    *during, after = webhooks.receiver.received
    for request in during:
        assert len(request.headers["webhook-signature"].split(" ")) == 2
        for secret in (old, new):
            Verifier(secret).verify(request.body, request.headers)
    assert len(after.headers["webhook-signature"].split(" ")) == 1
    Verifier(new).verify(after.body, after.headers)
    with pytest.raises(WebhookVerificationError):
        Verifier(old).verify(after.body, after.headers)

    newest = (await webhooks.call("POST", f"{path}/secret/rotate", status=200))["secret"]
    await webhooks.tell()
    await eventually(webhooks.receiver.count, 4)
    request = webhooks.receiver.received[-1]
    for secret in (new, newest):
        Verifier(secret).verify(request.body, request.headers)


async def test_a_test_goes_the_way_of_all_messages(webhooks: Webhooks) -> None:
    endpoint = await webhooks.subscribe("order.paid")
    other = await webhooks.subscribe("*")
    await webhooks.start_worker()
    delivery = await webhooks.call("POST", f"/{endpoint['id']}/test", status=202)
    assert (delivery["event_type"], delivery["state"]) == ("webhook.test", "pending")
    await eventually(webhooks.states, [("delivered", 1)])
    [request] = webhooks.receiver.received
    body = Verifier(endpoint["secret"]).verify(request.body, request.headers)
    assert (body["type"], body["data"]["webhook_id"]) == ("webhook.test", endpoint["id"])
    assert await webhooks.deliveries(other) == []


async def test_a_delivery_is_sent_again_when_a_person_wants_it(webhooks: Webhooks) -> None:
    endpoint = await webhooks.subscribe()
    webhooks.receiver.behaviours = [answer(500)]
    await webhooks.start_worker()
    await webhooks.tell()
    await eventually(webhooks.states, [("pending", 1)])
    [delivery] = await webhooks.deliveries(endpoint)
    path = f"/{endpoint['id']}/deliveries/{delivery['id']}/retry"

    await webhooks.call("POST", path, status=202)
    await eventually(webhooks.states, [("delivered", 2)])
    await webhooks.let_time_pass()  # what waited in the first round does nothing
    await eventually(webhooks.live_jobs, 0)
    assert await webhooks.states() == [("delivered", 2)]

    await webhooks.call("POST", path, status=202)
    await eventually(webhooks.states, [("delivered", 3)])
    assert len({request.headers["webhook-id"] for request in webhooks.receiver.received}) == 1

    unknown = f"/{endpoint['id']}/deliveries/{uuid4()}/retry"
    problem = await webhooks.call("POST", unknown, status=404)
    assert problem["code"] == "webhook_delivery_not_found"
    other = await webhooks.subscribe()
    foreign = f"/{other['id']}/deliveries/{delivery['id']}/retry"
    await webhooks.call("POST", foreign, status=404)


async def test_a_disabled_endpoint_is_enabled_before_anything_is_sent(webhooks: Webhooks) -> None:
    endpoint = await webhooks.subscribe()
    await webhooks.tell()
    [delivery] = await webhooks.deliveries(endpoint)
    path = f"/{endpoint['id']}"
    await webhooks.call("PATCH", path, status=200, enabled=False)
    for call in (f"{path}/test", f"{path}/deliveries/{delivery['id']}/retry"):
        assert (await webhooks.call("POST", call, status=409))["code"] == "webhook_disabled"
    assert await webhooks.live_jobs() == 1


async def test_a_deleted_endpoint_is_gone_with_secret_and_log(webhooks: Webhooks) -> None:
    endpoint = await webhooks.subscribe()
    kept = await webhooks.subscribe()
    await webhooks.tell()
    path = f"/{endpoint['id']}"
    await webhooks.call("DELETE", path, status=204)
    for method, call in (("GET", path), ("GET", f"{path}/deliveries"), ("DELETE", path)):
        await webhooks.call(method, call, status=404)
    await webhooks.tell()
    assert len(await webhooks.deliveries(kept)) == 2
    secrets = await webhooks.database.fetch(
        "SELECT secret, previous_secret FROM webhook_endpoints WHERE deleted_at IS NOT NULL"
    )
    assert [(row["secret"], row["previous_secret"]) for row in secrets] == [(b"", None)]

    await webhooks.start_worker()
    await eventually(webhooks.live_jobs, 0)
    assert {request.headers["webhook-id"] for request in webhooks.receiver.received} == {
        delivery["id"] for delivery in await webhooks.deliveries(kept)
    }
    await prune(webhooks)
    rows = await webhooks.database.fetch("SELECT id FROM webhook_endpoints")
    assert [str(row["id"]) for row in rows] == [kept["id"]]
    assert len(await webhooks.states()) == 2


async def test_the_log_is_bounded(webhooks: Webhooks) -> None:
    await webhooks.subscribe()
    await webhooks.start_worker()
    for _ in range(5):
        await webhooks.tell()
    await eventually(webhooks.states, [("delivered", 1)] * 5)
    await webhooks.tell()
    await eventually(webhooks.states, [("delivered", 1)] * 6)
    await webhooks.database.execute(
        "UPDATE webhook_deliveries SET ended_at = now() - interval '31 days' "
        "WHERE id IN (SELECT id FROM webhook_deliveries ORDER BY id LIMIT 5)"
    )
    await webhooks.database.execute(
        "UPDATE webhook_messages SET created_at = now() - interval '33 days'"
    )
    await prune(webhooks, batch=2)
    counts = {}
    for table in ("webhook_deliveries", "webhook_attempts", "webhook_messages"):
        counts[table] = await webhooks.database.fetchval(f"SELECT count(*) FROM {table}")
    assert counts == {"webhook_deliveries": 1, "webhook_attempts": 1, "webhook_messages": 1}


async def test_old_secrets_are_forgotten(webhooks: Webhooks) -> None:
    endpoint = await webhooks.subscribe()
    await webhooks.call("POST", f"/{endpoint['id']}/secret/rotate", status=200)
    await prune(webhooks)
    kept = "SELECT count(previous_secret) FROM webhook_endpoints"
    assert await webhooks.database.fetchval(kept) == 1
    await webhooks.database.execute(
        "UPDATE webhook_endpoints SET previous_secret_until = now() - interval '1 second'"
    )
    await prune(webhooks)
    assert await webhooks.database.fetchval(kept) == 0


async def test_pages_of_the_log(webhooks: Webhooks) -> None:
    endpoint = await webhooks.subscribe()
    for _ in range(3):
        await webhooks.tell()
    everything = [delivery["id"] for delivery in await webhooks.deliveries(endpoint)]
    path = f"/{endpoint['id']}/deliveries?limit=2"
    first = await webhooks.call("GET", path, status=200)
    second = await webhooks.call("GET", f"{path}&cursor={first['next']}", status=200)
    assert [item["id"] for item in first["items"] + second["items"]] == everything
    assert json.dumps(everything) == json.dumps(sorted(everything, reverse=True))


async def prune(webhooks: Webhooks, **arguments: int) -> None:
    pruning = LogPruning(webhooks.database, Lifecycle(), keep=timedelta(days=30))
    await pruning.run_once(**arguments)
