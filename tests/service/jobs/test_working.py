"""Working jobs over HTTP: leases, results, chains and failures."""

import asyncio
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from tests.parts.ids import UNKNOWN_ID
from tests.parts.waiting import eventually
from tests.service.jobs.jobs_house import Caller, JobsHouse


async def complete(worker: Caller, job: Any, **values: Any) -> Any:
    return await worker.call("POST", f"/v1/jobs/{job['id']}/complete", values)


async def test_a_job_is_claimed_kept_and_completed(house: JobsHouse, application: Caller) -> None:
    queued = await application.enqueue(payload={"n": 1})
    [job] = await application.claim(lease_seconds=10)
    assert {name: job[name] for name in ("id", "state", "attempts", "payload")} == {
        "id": queued["id"],
        "state": "running",
        "attempts": 1,
        "payload": {"n": 1},
    }
    assert await application.claim() == []

    path = f"/v1/jobs/{job['id']}"
    kept = await application.post(
        f"{path}/heartbeat",
        {"lease_token": job["lease_token"], "lease_seconds": 60, "progress": {"percent": 50}},
    )
    assert kept["lease_until"] > job["lease_until"]
    assert (await application.get(path))["progress"] == {"percent": 50}
    answer = await complete(application, job, lease_token=job["lease_token"], result=[1, None])
    assert (answer.status, answer.body) == (200, {"then": []})
    ended = await application.get(path)
    assert (ended["state"], ended["result"], ended["errors"]) == ("completed", [1, None], [])
    assert await house.emitted() == []


async def test_claimers_at_the_same_time_never_get_the_same_job(
    house: JobsHouse, application: Caller
) -> None:
    for _ in range(40):
        await application.enqueue()
    async with (
        house.another_process() as other,
        house.caller(house.key("jobs"), other) as elsewhere,
    ):
        claims = await asyncio.gather(
            *(caller.claim(limit=3) for caller in (application, elsewhere) * 10)
        )
    ids = [job["id"] for jobs in claims for job in jobs]
    assert len(ids) == len(set(ids)) == 40


@pytest.mark.parametrize("verb", ["heartbeat", "complete", "fail"])
@pytest.mark.parametrize(
    "stranger", ["another key", "another worker of the key", "a guess of the token"]
)
async def test_only_the_holder_changes_a_job(house: JobsHouse, verb: str, stranger: str) -> None:
    key_id = uuid4()
    async with (
        house.caller(house.key("jobs", key_id=key_id)) as holder,
        house.caller(house.key("jobs")) as other,
    ):
        await holder.enqueue()
        [job] = await holder.claim()
        token, caller = {
            "another key": (job["lease_token"], other),
            "another worker of the key": ("token-of-another-claim", holder),
            "a guess of the token": ("%", holder),
        }[stranger]
        body = {"lease_token": token} | ({"error": "x"} if verb == "fail" else {})
        answer = await caller.call("POST", f"/v1/jobs/{job['id']}/{verb}", body)
        assert answer.code == "lease_lost"
        if caller is other:
            del body["lease_token"]
            answer = await caller.call("POST", f"/v1/jobs/{job['id']}/{verb}", body)
            assert answer.code == "lease_lost"
    assert await house.jobs() == [("pack", "running", 1)]


async def test_without_a_token_the_own_claim_is_meant(house: JobsHouse) -> None:
    key_id = uuid4()
    async with (
        house.caller(house.key("jobs", key_id=key_id)) as first,
        house.caller(house.key("jobs", key_id=key_id)) as second,
    ):
        await first.enqueue()
        [job] = await first.claim()
        await second.post(f"/v1/jobs/{job['id']}/heartbeat")
        assert (await complete(second, job)).status == 200
    assert await house.jobs() == [("pack", "completed", 1)]


@pytest.mark.parametrize("lost_by", ["cancel", "delete", "death", "completion"])
async def test_a_stale_worker_keeps_nothing(
    house: JobsHouse, application: Caller, administrator: Caller, lost_by: str
) -> None:
    await application.enqueue()
    [job] = await application.claim()
    path = f"/v1/jobs/{job['id']}"
    if lost_by == "cancel":
        await administrator.post(f"{path}/cancel")
    elif lost_by == "delete":
        assert (await administrator.call("DELETE", path)).status == 204
    elif lost_by == "death":
        await house.database.execute(
            "UPDATE jobs SET state = 'queued', worker = NULL, lease_until = NULL"
        )
        [again] = await application.claim()
        assert again["id"] == job["id"]
    else:
        assert (await complete(application, job)).status == 200
    before = await house.jobs()
    token = {"lease_token": job["lease_token"]}
    successor = {"queue": "orders", "kind": "send"}
    for verb, body in (
        ("heartbeat", token),
        ("complete", token | {"then": [successor]}),
        ("fail", token | {"error": "late", "permanent": True}),
    ):
        assert (await application.call("POST", f"{path}/{verb}", body)).code == "lease_lost"
    assert await house.jobs() == before
    assert await house.emitted() == []


async def test_what_follows_is_queued_with_the_completion_or_not_at_all(
    house: JobsHouse, application: Caller
) -> None:
    await application.enqueue()
    [job] = await application.claim()
    then = [
        {"queue": "orders", "kind": "send", "payload": {"a": 1}},
        {"queue": "mails", "kind": "tell", "unique": "one"},
        {"queue": "mails", "kind": "tell", "unique": "one"},
    ]
    broken = [*then, {"queue": "mails", "kind": "tell", "payload": "\0"}]
    answer = await complete(application, job, then=broken)
    assert (answer.code, answer.fields) == ("validation_failed", ["then.3.payload"])
    assert await house.jobs() == [("pack", "running", 1)]

    answer = await complete(application, job, then=then)
    assert [item["inserted"] for item in answer.body["then"]] == [True, True, False]
    assert answer.body["then"][1]["id"] == answer.body["then"][2]["id"]
    assert await house.jobs() == [
        ("pack", "completed", 1),
        ("send", "queued", 0),
        ("tell", "queued", 0),
    ]


async def test_a_failure_is_tried_again_with_growing_pauses_until_the_last(
    house: JobsHouse, application: Caller
) -> None:
    job_id = (await application.enqueue(attempts=3))["id"]
    for attempt, shortest, longest in ((1, 4.0, 6.0), (2, 8.0, 12.0)):
        [job] = await application.claim()
        before = await house.value("SELECT clock_timestamp()")
        answer = await application.post(f"/v1/jobs/{job_id}/fail", {"error": f"no {attempt}\0"})
        assert answer == {"state": "scheduled"}
        after = await house.value("SELECT clock_timestamp()")
        run_at = await house.value("SELECT run_at FROM jobs")
        assert before + timedelta(seconds=shortest) <= run_at <= after + timedelta(seconds=longest)
        assert await application.claim() == []
        await house.database.execute("UPDATE jobs SET state = 'queued', run_at = now()")
    assert await house.emitted() == []
    [job] = await application.claim()
    assert job["attempts"] == 3
    assert await application.post(f"/v1/jobs/{job_id}/fail", {"error": "the end"}) == {
        "state": "failed"
    }
    errors = (await application.get(f"/v1/jobs/{job_id}"))["errors"]
    assert [error["error"] for error in errors] == ["no 1\ufffd", "no 2\ufffd", "the end"]
    [event] = await house.emitted()
    assert (event["type"], event["data"]) == (
        "job.failed",
        {"job_id": job_id, "queue": "orders", "kind": "pack", "attempts": 3, "cause": "the end"},
    )


async def test_a_worker_chooses_the_pause_or_the_end(house: JobsHouse, application: Caller) -> None:
    await application.enqueue()
    [job] = await application.claim()
    path = f"/v1/jobs/{job['id']}/fail"
    await application.post(path, {"error": "busy", "retry_in_seconds": 0})
    assert (await house.jobs())[0][1] == "scheduled"
    await house.database.execute("UPDATE jobs SET state = 'queued'")
    await application.claim()
    assert await application.post(path, {"error": "never", "permanent": True}) == {
        "state": "failed"
    }
    assert await house.jobs() == [("pack", "failed", 2)]


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({"limit": 0}, ["limit"]),
        ({"limit": 101}, ["limit"]),
        ({"wait_seconds": 31}, ["wait_seconds"]),
        ({"wait_seconds": float("nan")}, ["wait_seconds"]),
        ({"lease_seconds": 1}, ["lease_seconds"]),
        ({"queue": "mail.outgoing"}, ["queue"]),
        ({"worker": "me"}, ["worker"]),
    ],
    ids=repr,
)
async def test_wrong_wishes_claim_nothing(
    house: JobsHouse, application: Caller, body: Any, fields: list[str]
) -> None:
    await application.enqueue()
    answer = await application.call("POST", "/v1/jobs/claim", {"queue": "orders", **body})
    assert (answer.code, answer.fields) == ("validation_failed", fields)
    assert await house.jobs() == [("pack", "queued", 0)]


@pytest.mark.parametrize(
    ("verb", "body", "field"),
    [
        ("heartbeat", {"progress": "x" * 65536}, "progress"),
        ("heartbeat", {"progress": "\0"}, "progress"),
        ("heartbeat", {"lease_token": ""}, "lease_token"),
        ("heartbeat", {"lease_token": "a b"}, "lease_token"),
        ("complete", {"result": "x" * 65536}, "result"),
        ("complete", {"result": float("nan")}, "result"),
        ("complete", {"then": [{"queue": "a", "kind": "b"}] * 11}, "then"),
        ("complete", {"then": [{"queue": "a.b", "kind": "x"}]}, "then.0.queue"),
        ("fail", {}, "error"),
        ("fail", {"error": ""}, "error"),
        ("fail", {"error": "x", "retry_in_seconds": -1}, "retry_in_seconds"),
    ],
    ids=lambda value: repr(value)[:50],
)
async def test_wrong_words_of_a_worker_change_nothing(
    house: JobsHouse, application: Caller, verb: str, body: Any, field: str
) -> None:
    await application.enqueue()
    [job] = await application.claim()
    answer = await application.call("POST", f"/v1/jobs/{job['id']}/{verb}", body)
    is_large = len(str(body)) > 65536
    assert answer.code == ("payload_too_large" if is_large else "validation_failed")
    assert answer.fields == [field]
    assert await house.jobs() == [("pack", "running", 1)]


@pytest.mark.parametrize("job_id", ["nonsense", str(UNKNOWN_ID)])
async def test_nobody_holds_a_job_that_is_none(application: Caller, job_id: str) -> None:
    for verb, body in (("heartbeat", {}), ("complete", {}), ("fail", {"error": "x"})):
        answer = await application.call("POST", f"/v1/jobs/{job_id}/{verb}", body)
        assert answer.code == "lease_lost"


async def test_the_worker_process_gives_back_what_a_dead_worker_held(
    house: JobsHouse, application: Caller
) -> None:
    await application.enqueue()
    [job] = await application.claim(lease_seconds=5)
    async with house.worker():
        await house.database.execute(
            "UPDATE jobs SET lease_until = clock_timestamp() - interval '1 second'"
        )
        [again] = await application.claim(wait_seconds=20)
    assert (again["id"], again["attempts"]) == (job["id"], 1)
    assert (await complete(application, job, lease_token=job["lease_token"])).code == "lease_lost"


async def test_a_scheduled_job_is_claimed_when_its_time_comes(
    house: JobsHouse, application: Caller
) -> None:
    job = await application.enqueue(delay_seconds=0.3)
    assert job["state"] == "scheduled"
    async with house.worker():
        [claimed] = await application.claim(wait_seconds=20)
    assert claimed["id"] == job["id"]
    assert claimed["started_at"] >= job["run_at"]


async def test_job_failed_reaches_the_bus(house: JobsHouse, application: Caller) -> None:
    await application.enqueue()
    [job] = await application.claim()
    await application.post(f"/v1/jobs/{job['id']}/fail", {"error": "x", "permanent": True})

    async def seen() -> int:
        return int(await house.value("SELECT count(*) FROM inbox WHERE consumer = 'jobs.events'"))

    async with house.worker():
        await eventually(seen, 1)
