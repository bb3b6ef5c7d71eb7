"""Who may do what: guests, users, administrators, and keys of every width."""

from typing import Any

import pytest

from tests.parts.ids import UNKNOWN_ID
from tests.service.jobs.jobs_house import JobsHouse

ENQUEUE = ("POST", "/v1/jobs", {"queue": "orders", "kind": "pack"})
CLAIM = ("POST", "/v1/jobs/claim", {"queue": "orders"})
LIST = ("GET", "/v1/jobs?queue=orders", None)
EMIT = ("POST", "/v1/events", {"type": "order.paid", "data": {}})
HEARTBEAT = ("POST", f"/v1/jobs/{UNKNOWN_ID}/heartbeat", {})


def scenario(who: tuple[str, ...] | str, request: Any, outcome: int | str) -> Any:
    name = who if isinstance(who, str) else "key " + " ".join(who)
    return pytest.param(who, request, outcome, id=f"{name}: {request[0]} {request[1][:30]}")


@pytest.mark.parametrize(
    ("who", "request_", "outcome"),
    [
        *(
            scenario("guest", request, "authentication_required")
            for request in (ENQUEUE, CLAIM, LIST, EMIT, HEARTBEAT)
        ),
        *(
            scenario("user", request, "administrator_required")
            for request in (ENQUEUE, CLAIM, LIST, EMIT, HEARTBEAT)
        ),
        scenario("administrator", ENQUEUE, 202),
        scenario("administrator", CLAIM, 200),
        scenario("administrator", LIST, 200),
        scenario("administrator", EMIT, 202),
        scenario("administrator", HEARTBEAT, "lease_lost"),
        scenario(("jobs",), ENQUEUE, 202),
        scenario(("jobs",), CLAIM, 200),
        scenario(("jobs",), LIST, 200),
        scenario(("jobs",), HEARTBEAT, "lease_lost"),
        scenario(("jobs",), EMIT, "scope_missing"),
        scenario(("jobs:orders",), ENQUEUE, 202),
        scenario(("jobs:orders",), CLAIM, 200),
        scenario(("jobs:orders",), LIST, 200),
        scenario(("jobs:orders:enqueue",), ENQUEUE, 202),
        scenario(("jobs:orders:enqueue",), CLAIM, "scope_missing"),
        scenario(("jobs:orders:enqueue",), HEARTBEAT, "scope_missing"),
        scenario(("jobs:orders:enqueue",), LIST, 200),
        scenario(("jobs:orders:work",), ENQUEUE, "scope_missing"),
        scenario(("jobs:orders:work",), CLAIM, 200),
        scenario(("jobs:orders:work",), HEARTBEAT, "lease_lost"),
        scenario(("jobs:orders:work",), LIST, 200),
        scenario(("jobs:order",), ENQUEUE, "scope_missing"),
        scenario(("jobs:orders-2",), CLAIM, "scope_missing"),
        scenario(("files:read", "events"), LIST, "scope_missing"),
        scenario(("files:read", "events"), HEARTBEAT, "scope_missing"),
        scenario(("events",), EMIT, 202),
        scenario(("events:order",), EMIT, 202),
        scenario(("events:orders",), EMIT, "scope_missing"),
        scenario(("events:order.paid",), EMIT, "scope_missing"),
    ],
)
async def test_who_may_use_queues_and_events(
    house: JobsHouse, who: tuple[str, ...] | str, request_: Any, outcome: int | str
) -> None:
    async with house.caller(house.administrator()) as administrator:
        await administrator.call("PUT", "/v1/events/types/order.paid", {"schema": {}})
    async with house.caller(token_of(house, who)) as caller:
        answer = await caller.call(*request_)
    if isinstance(outcome, int):
        assert answer.status == outcome, answer.body
        return
    assert answer.code == outcome
    assert await house.jobs() == []
    assert await house.emitted() == []


JOB = UNKNOWN_ID
FOR_ADMINISTRATORS = [
    ("DELETE", f"/v1/jobs/{JOB}", None),
    ("POST", f"/v1/jobs/{JOB}/retry", None),
    ("POST", f"/v1/jobs/{JOB}/run", None),
    ("GET", "/v1/jobs/queues", None),
    ("GET", "/v1/jobs/queues/orders", None),
    ("PATCH", "/v1/jobs/queues/orders", {"concurrency": 1}),
    ("POST", "/v1/jobs/queues/orders/pause", None),
    ("POST", "/v1/jobs/queues/orders/resume", None),
    ("POST", "/v1/jobs/queues/orders/retry", None),
    ("GET", "/v1/jobs/schedules", None),
    ("GET", "/v1/jobs/schedules/nightly", None),
    ("PUT", "/v1/jobs/schedules/nightly", {"cron": "0 6 * * *", "queue": "orders", "kind": "x"}),
    ("DELETE", "/v1/jobs/schedules/nightly", None),
    ("GET", "/v1/events/types", None),
    ("GET", "/v1/events/types/order.paid", None),
    ("PUT", "/v1/events/types/order.paid", {"schema": {}}),
    ("DELETE", "/v1/events/types/order.paid", None),
    ("GET", "/v1/dead-letters", None),
    ("GET", f"/v1/dead-letters/mail.{JOB}", None),
    ("DELETE", f"/v1/dead-letters/mail.{JOB}", None),
    ("POST", f"/v1/dead-letters/mail.{JOB}/retry", None),
    ("POST", "/v1/dead-letters/retry", {"service": "mail", "consumer": "mail.events"}),
    ("POST", "/v1/dead-letters/discard", {"service": "mail", "consumer": "mail.events"}),
    ("GET", "/v1/jobs?queue=mail.outgoing", None),
]


@pytest.mark.parametrize("request_", FOR_ADMINISTRATORS, ids=lambda r: f"{r[0]} {r[1][:40]}")
async def test_what_only_administrators_may_do_in_their_sessions(
    house: JobsHouse, request_: Any
) -> None:
    everything = ("jobs", "events", "jobs:mail.outgoing", "jobs:orders")
    for who, code in (
        ("guest", "authentication_required"),
        ("user", "administrator_required"),
        (everything, "administrator_required"),
    ):
        async with house.caller(token_of(house, who)) as caller:
            assert (await caller.call(*request_)).code == code
    assert await house.value("SELECT count(*) FROM job_queues") == 0
    assert await house.value("SELECT count(*) FROM job_schedules") == 0
    assert await house.value("SELECT count(*) FROM event_types") == 0


async def test_a_key_sees_and_takes_back_jobs_of_its_own_queues_only(house: JobsHouse) -> None:
    async with house.caller(house.key("jobs:orders")) as orders:
        job = await orders.enqueue(delay_seconds=60)
    path = f"/v1/jobs/{job['id']}"
    for who, read, cancel in (
        (("jobs:mails",), "job_not_found", "job_not_found"),
        (("events",), "job_not_found", "job_not_found"),
        ("user", "administrator_required", "administrator_required"),
        (("jobs:orders:work",), 200, "scope_missing"),
        (("jobs:orders:enqueue",), 200, 200),
    ):
        async with house.caller(token_of(house, who)) as caller:
            for method, address, outcome in (
                ("GET", path, read),
                ("POST", f"{path}/cancel", cancel),
            ):
                answer = await caller.call(method, address)
                told = answer.status if isinstance(outcome, int) else answer.code
                assert told == outcome, (who, method)
    assert await house.jobs() == [("pack", "cancelled", 0)]


async def test_a_key_neither_reads_nor_cancels_jobs_of_the_house(house: JobsHouse) -> None:
    async with house.caller(house.administrator()) as administrator:
        job = await administrator.enqueue()
    await house.database.execute("UPDATE jobs SET queue = 'jobs.webhooks'")
    async with house.caller(house.key("jobs", "jobs:jobs.webhooks")) as caller:
        for method, path in (("GET", ""), ("POST", "/cancel")):
            answer = await caller.call(method, f"/v1/jobs/{job['id']}{path}")
            assert answer.code == "job_not_found"
    assert await house.jobs() == [("pack", "queued", 0)]


async def test_a_key_lists_one_queue_at_a_time(house: JobsHouse) -> None:
    async with house.caller(house.key("jobs")) as caller:
        answer = await caller.call("GET", "/v1/jobs")
    assert (answer.code, answer.fields) == ("validation_failed", ["queue"])


async def test_nobody_completes_a_successor_into_a_queue_without_a_right(house: JobsHouse) -> None:
    async with house.caller(house.administrator()) as administrator:
        await administrator.enqueue()
    async with house.caller(house.key("jobs:orders:work")) as worker:
        [job] = await worker.claim()
        successor = {"queue": "orders", "kind": "send"}
        answer = await worker.call("POST", f"/v1/jobs/{job['id']}/complete", {"then": [successor]})
    assert answer.code == "scope_missing"
    assert await house.jobs() == [("pack", "running", 1)]


def token_of(house: JobsHouse, who: tuple[str, ...] | str) -> str | None:
    if isinstance(who, tuple):
        return house.key(*who)
    tokens = {"guest": None, "user": house.user(), "administrator": house.administrator()}
    return tokens[who]
