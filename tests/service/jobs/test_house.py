"""Queues, jobs, schedules and dead letters of the whole house, as administrators see them."""

from typing import Any
from uuid import UUID, uuid4

import pytest
from uuid_utils.compat import uuid7

from shared.chassis.database import Database
from shared.chassis.jobs.commands import JobQueue, RawJob
from tests.service.jobs.jobs_house import Caller, JobsHouse

AWAY = ["auth", "files", "realtime"]
"""No process of theirs runs here, or one that knows nothing of jobs."""


async def enqueue(database: Database, queue: str, **values: Any) -> str:
    async with database.transaction() as transaction:
        job = RawJob(queue=queue, kind="send", payload={}, **values)
        return str((await JobQueue(None).enqueue_raw(transaction, job)).job_id)


async def fail(database: Database) -> None:
    await database.execute("UPDATE jobs SET state = 'failed', finished_at = now()")


async def park(database: Database, *, consumer: str, event_type: str = "file.ready") -> str:
    letter_id, event_id = uuid7(), uuid4()
    await database.execute(
        "INSERT INTO dead_letters (id, event_id, consumer, event_type, attempts, cause, body) "
        "VALUES ($1, $2, $3, $4, 5, 'it burns', $5)",
        letter_id,
        event_id,
        consumer,
        event_type,
        {"id": str(event_id), "type": event_type, "subject": "s", "data": {}},
    )
    return f"{consumer.partition('.')[0]}.{letter_id}"


async def pages(caller: Caller, path: str) -> list[Any]:
    """Return everything of a list that is read two by two."""
    items: list[Any] = []
    cursor = ""
    while True:
        page = await caller.get(f"{path}{'&' if '?' in path else '?'}limit=2{cursor}")
        items += page["items"]
        assert len(page["items"]) <= 2
        if page["next"] is None:
            return items
        cursor = f"&cursor={page['next']}"


async def test_jobs_of_all_services_are_one_list(house: JobsHouse, administrator: Caller) -> None:
    ids = []
    for number in range(7):
        database, queue = ((house.database, "orders"), (house.mail, "outgoing"))[number % 2]
        ids.append(await enqueue(database, queue))
    page = await administrator.get("/v1/jobs?limit=3")
    assert [job["id"] for job in page["items"]] == ids[:3:-1]
    assert page["items"][1]["queue"] == "mail.outgoing"
    assert page["unreachable"] == AWAY
    assert [job["id"] for job in await pages(administrator, "/v1/jobs")] == ids[::-1]
    of_mail = await administrator.get("/v1/jobs?queue=mail.outgoing&state=queued")
    assert [job["id"] for job in of_mail["items"]] == ids[5::-2]
    assert of_mail["unreachable"] == []
    assert (await administrator.get("/v1/jobs?queue=files.images"))["unreachable"] == ["files"]


async def test_queues_are_one_list_by_name(house: JobsHouse, administrator: Caller) -> None:
    for database, queue in (
        (house.database, "a"),
        (house.database, "mail"),
        (house.database, "mail-x"),
        (house.database, "z"),
        (house.mail, "images"),
        (house.mail, "outgoing"),
        (house.mail, "sweeps"),
    ):
        await enqueue(database, queue)
    expected = ["a", "mail", "mail-x", "mail.images", "mail.outgoing", "mail.sweeps", "z"]
    assert [queue["name"] for queue in await pages(administrator, "/v1/jobs/queues")] == expected
    whole = await administrator.get("/v1/jobs/queues")
    assert [queue["name"] for queue in whole["items"]] == expected
    assert whole["unreachable"] == AWAY
    assert whole["items"][3]["depths"]["queued"] == 1


@pytest.mark.parametrize("name", ["orders", "mail.outgoing"])
async def test_a_queue_is_set_paused_and_resumed(
    house: JobsHouse, administrator: Caller, name: str
) -> None:
    database = house.mail if "." in name else house.database
    path = f"/v1/jobs/queues/{name}"
    assert (await administrator.get(path))["settings"] == {
        "concurrency": None,
        "rate_limit": None,
        "rate_period_seconds": 1,
        "keep_completed": 100,
        "keep_failed": 50,
    }
    change = {"concurrency": 3, "keep_completed": 7}
    changed = await administrator.call("PATCH", path, change)
    assert changed.status == 200
    assert changed.body["settings"] | change == changed.body["settings"]
    lifted = await administrator.call("PATCH", path, {"concurrency": None})
    assert lifted.body["settings"]["concurrency"] is None
    assert lifted.body["settings"]["keep_completed"] == 7
    assert (await administrator.post(f"{path}/pause"))["paused"] is True
    assert await database.fetchval("SELECT paused FROM job_queues") is True
    assert (await administrator.post(f"{path}/resume"))["paused"] is False
    wrong = await administrator.call("PATCH", path, {"rate_limit": 0})
    assert (wrong.code, wrong.fields) == ("validation_failed", ["rate_limit"])


@pytest.mark.parametrize("queue", ["orders", "mail.outgoing"])
async def test_failed_jobs_are_retried_one_or_all(
    house: JobsHouse, administrator: Caller, queue: str
) -> None:
    database = house.mail if "." in queue else house.database
    ids = [await enqueue(database, queue.rpartition(".")[2]) for _ in range(3)]
    await fail(database)
    one = await administrator.post(f"/v1/jobs/{ids[0]}/retry")
    assert (one["id"], one["queue"], one["state"]) == (ids[0], queue, "queued")
    again = await administrator.call("POST", f"/v1/jobs/{ids[0]}/retry")
    assert again.code == "job_state_conflict"
    assert await administrator.post(f"/v1/jobs/queues/{queue}/retry") == {"retried": 2, "left": 0}
    assert await database.fetchval("SELECT count(*) FROM jobs WHERE state = 'queued'") == 3


@pytest.mark.parametrize("where", ["here", "mail"])
async def test_one_job_is_read_run_cancelled_and_deleted(
    house: JobsHouse, administrator: Caller, where: str
) -> None:
    database = house.mail if where == "mail" else house.database
    job_id = await enqueue(database, "later")
    await database.execute("UPDATE jobs SET state = 'scheduled', run_at = now() + '1 hour'")
    path = f"/v1/jobs/{job_id}"
    assert (await administrator.get(path))["state"] == "scheduled"
    assert (await administrator.post(f"{path}/run"))["state"] == "queued"
    assert (await administrator.post(f"{path}/cancel"))["state"] == "cancelled"
    assert (await administrator.call("POST", f"{path}/cancel")).code == "job_state_conflict"
    assert (await administrator.call("DELETE", path)).status == 204
    assert await database.fetchval("SELECT count(*) FROM jobs") == 0


async def test_a_job_is_not_called_missing_while_its_owner_may_be_away(
    administrator: Caller,
) -> None:
    for method, verb in (("GET", ""), ("DELETE", ""), ("POST", "/retry"), ("POST", "/cancel")):
        answer = await administrator.call(method, f"/v1/jobs/{uuid4()}{verb}")
        assert answer.code == "dependency_unavailable"
        assert answer.headers["retry-after"] == "5"


async def test_dead_letters_of_all_services_are_one_list(
    house: JobsHouse, administrator: Caller
) -> None:
    letters = []
    for number in range(5):
        if number % 2:
            letters.append(await park(house.mail, consumer="mail.events"))
        else:
            letters.append(
                await park(house.database, consumer="jobs.events", event_type="user.registered")
            )
    page = await administrator.get("/v1/dead-letters")
    assert [letter["id"] for letter in page["items"]] == letters[::-1]
    assert page["unreachable"] == AWAY
    first = page["items"][0]
    assert (first["service"], first["cause"], first["retryable"]) == ("jobs", "it burns", True)
    two_by_two = await pages(administrator, "/v1/dead-letters")
    assert [letter["id"] for letter in two_by_two] == letters[::-1]
    for query, expected in (
        ("service=mail", letters[3::-2]),
        ("consumer=jobs.events", letters[::-2]),
        ("type=file.ready", letters[3::-2]),
        ("service=mail&type=user.registered", []),
        ("service=nobody", []),
    ):
        page = await administrator.get(f"/v1/dead-letters?{query}")
        assert [letter["id"] for letter in page["items"]] == expected, query


async def test_a_dead_letter_is_retried_or_discarded(
    house: JobsHouse, administrator: Caller
) -> None:
    retried = await park(house.mail, consumer="mail.events")
    discarded = await park(house.database, consumer="jobs.events")
    event_id = (await administrator.get(f"/v1/dead-letters/{retried}"))["event_id"]
    assert await administrator.post(f"/v1/dead-letters/{retried}/retry") == {"retried": 1}
    sent = await house.mail.fetch("SELECT message_id, exchange, routing_key FROM outbox")
    assert [tuple(row) for row in sent] == [(UUID(event_id), "", "mail.events")]
    assert (await administrator.call("DELETE", f"/v1/dead-letters/{discarded}")).status == 204
    assert await house.emitted() == []
    for letter in (retried, discarded):
        for method, verb in (("GET", ""), ("DELETE", ""), ("POST", "/retry")):
            answer = await administrator.call(method, f"/v1/dead-letters/{letter}{verb}")
            assert answer.code == "dead_letter_not_found"


async def test_all_dead_letters_of_a_consumer_are_retried_or_discarded(
    house: JobsHouse, administrator: Caller
) -> None:
    for event_type in ("file.ready", "file.ready", "user.registered"):
        await park(house.mail, consumer="mail.events", event_type=event_type)
    await park(house.database, consumer="jobs.events")
    mail = {"service": "mail", "consumer": "mail.events"}
    some = mail | {"type": "user.registered"}
    assert await administrator.post("/v1/dead-letters/discard", some) == {"discarded": 1}
    assert await administrator.post("/v1/dead-letters/retry", mail) == {"retried": 2}
    assert await house.mail.fetchval("SELECT count(*) FROM outbox") == 2
    assert await house.mail.fetchval("SELECT count(*) FROM dead_letters") == 0
    assert await house.value("SELECT count(*) FROM dead_letters") == 1
    nobody = await administrator.call("POST", "/v1/dead-letters/retry", mail | {"service": "bank"})
    assert nobody.code == "dead_letter_not_found"
    away = await administrator.call("POST", "/v1/dead-letters/retry", mail | {"service": "files"})
    assert away.code == "dependency_unavailable"


async def test_a_schedule_is_made_changed_and_dropped(
    house: JobsHouse, administrator: Caller
) -> None:
    path = "/v1/jobs/schedules/nightly"
    definition = {
        "cron": "30 2 * * *",
        "timezone": "Europe/Berlin",
        "queue": "reports",
        "kind": "totals",
        "payload": [1],
    }
    made = await administrator.call("PUT", path, definition)
    assert made.status == 200
    assert {name: made.body[name] for name in definition} == definition
    assert (made.body["name"], made.body["declared"]) == ("nightly", False)
    changed = await administrator.call("PUT", path, definition | {"payload": None})
    assert changed.body["next_run_at"] == made.body["next_run_at"]
    assert await administrator.get(path) == changed.body
    listed = await administrator.get("/v1/jobs/schedules")
    assert listed == {"items": [changed.body], "next": None, "unreachable": AWAY}
    assert (await administrator.call("DELETE", path)).status == 204
    assert (await administrator.call("DELETE", path)).code == "schedule_not_found"
    assert await house.value("SELECT count(*) FROM job_schedules") == 0


@pytest.mark.parametrize(
    ("name", "change", "fields"),
    [
        ("nightly", {"cron": "61 2 * * *"}, ["cron"]),
        ("nightly", {"cron": "0 0 31 2 *"}, ["cron"]),
        ("nightly", {"timezone": "Mars/Olympus"}, ["timezone"]),
        ("nightly", {"queue": "files.images"}, ["queue"]),
        ("nightly", {"payload": "\0"}, ["payload"]),
        ("nightly", {"name": "other"}, ["name"]),
        ("Nightly", {}, ["name"]),
        ("a.b", {}, ["name"]),
    ],
)
async def test_a_wrong_schedule_is_refused(
    house: JobsHouse, administrator: Caller, name: str, change: Any, fields: list[str]
) -> None:
    definition = {"cron": "30 2 * * *", "queue": "reports", "kind": "totals"} | change
    answer = await administrator.call("PUT", f"/v1/jobs/schedules/{name}", definition)
    assert (answer.code, answer.fields) == ("validation_failed", fields)
    assert await house.value("SELECT count(*) FROM job_schedules") == 0


async def test_schedules_declared_in_code_are_shown_and_left_alone(
    house: JobsHouse, administrator: Caller
) -> None:
    for database in (house.database, house.mail):
        await database.execute(
            "INSERT INTO job_schedules (name, queue, kind, payload, max_attempts, cron, timezone, "
            "declared, next_run_at) "
            "VALUES ('tidy', 'sweeps', 'tidy', '{}', 3, '0 4 * * *', 'UTC', true, now())"
        )
    listed = await pages(administrator, "/v1/jobs/schedules")
    assert [(item["name"], item["queue"]) for item in listed] == [
        ("mail.tidy", "mail.sweeps"),
        ("tidy", "sweeps"),
    ]
    definition = {"cron": "30 2 * * *", "queue": "reports", "kind": "totals"}
    for method, body in (("PUT", definition), ("DELETE", None)):
        answer = await administrator.call(method, "/v1/jobs/schedules/tidy", body)
        assert answer.code == "schedule_declared"
