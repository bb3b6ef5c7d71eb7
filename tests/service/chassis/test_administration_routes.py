"""The internal routes by which the jobs service steers the queues and dead letters of another."""

import base64
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx2
import pytest

from shared.chassis.administration_routes import JobRoutes
from shared.chassis.conditions import Conditions
from shared.chassis.database import Database
from shared.chassis.dead_letter_routes import DeadLetterRoutes
from shared.chassis.dead_letters import DeadLetterOffice
from shared.chassis.http import http_application
from shared.chassis.identity.service_calls import ServiceClient
from shared.chassis.jobs.commands import JobQueue, RawJob
from shared.chassis.jobs.schedules.records import put_schedule
from shared.chassis.settings import Settings
from shared.schemas.api.jobs import ScheduleCreate
from tests.parts.ids import UNKNOWN_ID

HOUR = timedelta(hours=1)


class Caller:
    """Calls the internal routes of mail as another service."""

    def __init__(self, client: httpx2.AsyncClient, settings: Settings) -> None:
        self._client = client
        self._settings = settings

    async def call(
        self, method: str, path: str, body: object = None, *, source: str = "jobs"
    ) -> httpx2.Response:
        token = ServiceClient(self._settings, source=source, target="mail")._token()
        headers = {"Authorization": f"Bearer {token}"}
        return await self._client.request(method, f"/internal{path}", json=body, headers=headers)

    async def json(self, method: str, path: str, body: object = None) -> Any:
        answer = await self.call(method, path, body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def problem(self, method: str, path: str, body: object = None) -> tuple[int, str]:
        answer = await self.call(method, path, body)
        return answer.status_code, answer.json()["code"]


@pytest.fixture
async def caller(database: Database, tmp_path: Path) -> AsyncIterator[Caller]:
    settings = Settings(run_dir=tmp_path, public_url="http://localhost:8000", internal_key="k" * 32)
    application = http_application(
        routes=[
            *JobRoutes(settings, database, service="mail").routes(),
            *DeadLetterRoutes(settings, database, service="mail").routes(),
        ]
    )
    transport = httpx2.ASGITransport(app=application)
    async with httpx2.AsyncClient(transport=transport, base_url="http://mail") as client:
        yield Caller(client, settings)


async def enqueue(database: Database, queue: str = "messages", **fields: Any) -> UUID:
    job = RawJob(**{"queue": queue, "kind": "any", "payload": {}, **fields})
    async with database.transaction() as transaction:
        return (await JobQueue(None).enqueue_raw(transaction, job)).job_id


async def park(database: Database, content: bytes, consumer: str = "mail.events") -> UUID:
    event_id = uuid4()
    office = DeadLetterOffice(database, Conditions(), consumer)
    await office.park(event_id, content, attempts=8, cause="no")
    return event_id


async def sent_again(database: Database) -> list[tuple[UUID, str]]:
    rows = await database.fetch("SELECT message_id, routing_key FROM outbox ORDER BY id")
    return [(row["message_id"], row["routing_key"]) for row in rows]


ROUTES = [
    ("GET", "/jobs"),
    ("GET", "/jobs/queues"),
    ("GET", "/jobs/queues/mail.messages"),
    ("PATCH", "/jobs/queues/mail.messages"),
    *(("POST", f"/jobs/queues/mail.messages/{verb}") for verb in ("pause", "resume", "retry")),
    ("GET", "/jobs/schedules"),
    ("GET", f"/jobs/{UNKNOWN_ID}"),
    ("DELETE", f"/jobs/{UNKNOWN_ID}"),
    *(("POST", f"/jobs/{UNKNOWN_ID}/{verb}") for verb in ("retry", "run", "cancel")),
    ("GET", "/dead-letters"),
    ("GET", f"/dead-letters/mail.{UNKNOWN_ID}"),
    ("DELETE", f"/dead-letters/mail.{UNKNOWN_ID}"),
    ("POST", f"/dead-letters/mail.{UNKNOWN_ID}/retry"),
    ("POST", "/dead-letters/retry"),
    ("POST", "/dead-letters/discard"),
]


@pytest.mark.parametrize(("method", "path"), ROUTES)
async def test_only_the_jobs_service_may_ask(
    database: Database, caller: Caller, method: str, path: str
) -> None:
    await enqueue(database)
    for source in ("gateway", "auth", "mail"):
        answer = await caller.call(method, path, {"consumer": "mail.events"}, source=source)
        assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
    plain = await caller._client.request(method, f"/internal{path}")
    assert (plain.status_code, plain.json()["code"]) == (401, "token_invalid")
    assert await database.fetchval("SELECT count(*) FROM jobs WHERE state = 'queued'") == 1


async def test_a_job_is_steered(database: Database, caller: Caller) -> None:
    path = f"/jobs/{await enqueue(database, delay=HOUR)}"
    assert (await caller.json("POST", f"{path}/run"))["state"] == "queued"
    assert await caller.problem("POST", f"{path}/run") == (409, "job_state_conflict")
    cancelled = await caller.json("POST", f"{path}/cancel")
    assert (cancelled["state"], cancelled["queue"]) == ("cancelled", "mail.messages")
    assert (await caller.json("POST", f"{path}/retry"))["state"] == "queued"
    assert (await caller.call("DELETE", path)).status_code == 204
    assert await caller.problem("GET", path) == (404, "job_not_found")
    assert await caller.problem("DELETE", path) == (404, "job_not_found")


async def test_a_key_that_is_taken(database: Database, caller: Caller) -> None:
    first = await enqueue(database, unique="key")
    await caller.json("POST", f"/jobs/{first}/cancel")
    await enqueue(database, unique="key")
    assert await caller.problem("POST", f"/jobs/{first}/retry") == (409, "unique_key_taken")


async def test_jobs_are_listed_by_queue_and_state(database: Database, caller: Caller) -> None:
    ids = [str(await enqueue(database)) for _ in range(3)]
    await enqueue(database, queue="other")
    await caller.json("POST", f"/jobs/{ids[0]}/cancel")
    path = "/jobs?queue=mail.messages"
    page = await caller.json("GET", f"{path}&limit=2")
    assert [job["id"] for job in page["items"]] == [ids[2], ids[1]]
    assert page["items"][0]["queue"] == "mail.messages"
    page = await caller.json("GET", f"{path}&limit=2&cursor={page['next']}")
    assert ([job["id"] for job in page["items"]], page["next"]) == ([ids[0]], None)
    page = await caller.json("GET", f"{path}&state=cancelled")
    assert [job["id"] for job in page["items"]] == [ids[0]]
    assert await caller.problem("GET", "/jobs?state=lost") == (422, "validation_failed")
    assert await caller.problem("GET", "/jobs?queue=files.images") == (404, "not_found")


async def test_queues_are_shown_and_steered(database: Database, caller: Caller) -> None:
    for queue in ("a", "b", "c"):
        await enqueue(database, queue=queue)
    page = await caller.json("GET", "/jobs/queues?limit=2")
    assert [queue["name"] for queue in page["items"]] == ["mail.a", "mail.b"]
    page = await caller.json("GET", f"/jobs/queues?limit=2&cursor={page['next']}")
    assert ([queue["name"] for queue in page["items"]], page["next"]) == (["mail.c"], None)
    path = "/jobs/queues/mail.a"
    assert (await caller.json("POST", f"{path}/pause"))["paused"]
    assert not (await caller.json("POST", f"{path}/resume"))["paused"]
    changed = await caller.json("PATCH", path, {"concurrency": 2})
    assert changed["settings"]["concurrency"] == 2
    assert (await caller.json("GET", path))["settings"] == changed["settings"]
    assert await caller.problem("PATCH", path, {"concurency": 2}) == (422, "validation_failed")
    assert await caller.json("POST", f"{path}/retry") == {"retried": 0, "left": 0}
    assert await caller.problem("GET", "/jobs/queues/a") == (404, "not_found")


@pytest.mark.parametrize(
    ("cursor", "names"),
    [("files.images", ["mail.a"]), ("mail.a", []), ("realtime.x", []), ("app", ["mail.a"])],
)
async def test_a_list_goes_on_behind_a_queue_of_another_service(
    database: Database, caller: Caller, cursor: str, names: list[str]
) -> None:
    await enqueue(database, queue="a")
    encoded = httpx2.QueryParams(cursor=_encoded(cursor))
    page = await caller.json("GET", f"/jobs/queues?{encoded}")
    assert [queue["name"] for queue in page["items"]] == names


def _encoded(name: str) -> str:

    return base64.urlsafe_b64encode(name.encode()).rstrip(b"=").decode()


async def test_schedules_are_listed(database: Database, caller: Caller) -> None:
    await put_schedule(
        database, ScheduleCreate(name="s", cron="0 6 * * *", queue="messages", kind="any")
    )
    [schedule] = (await caller.json("GET", "/jobs/schedules"))["items"]
    assert (schedule["name"], schedule["queue"]) == ("s", "mail.messages")


async def test_a_dead_letter_is_read_retried_and_discarded(
    database: Database, caller: Caller
) -> None:
    event_id = await park(database, b'{"type": "user.verified", "subject": "u"}')
    other = await park(database, b'{"type": "file.ready", "subject": "f"}')
    ready, verified = (await caller.json("GET", "/dead-letters"))["items"]
    assert (ready["event_id"], verified["event_id"]) == (str(other), str(event_id))
    assert (verified["service"], verified["consumer"], verified["attempts"]) == (
        "mail",
        "mail.events",
        8,
    )
    path = f"/dead-letters/{verified['id']}"
    assert await caller.json("GET", path) == verified
    assert await caller.json("POST", f"{path}/retry") == {"retried": 1}
    assert await sent_again(database) == [(event_id, "mail.events")]
    assert await caller.problem("POST", f"{path}/retry") == (404, "dead_letter_not_found")
    assert (await caller.call("DELETE", f"/dead-letters/{ready['id']}")).status_code == 204
    assert (await caller.json("GET", "/dead-letters"))["items"] == []
    assert len(await sent_again(database)) == 1


async def test_what_is_no_event_is_shown_and_cannot_be_retried(
    database: Database, caller: Caller
) -> None:
    await park(database, b"\xff no event")
    [letter] = (await caller.json("GET", "/dead-letters"))["items"]
    assert (letter["retryable"], letter["body"]) == (False, "\ufffd no event")
    path = f"/dead-letters/{letter['id']}"
    assert await caller.problem("POST", f"{path}/retry") == (409, "dead_letter_unreadable")
    assert await caller.json("GET", path) == letter


async def test_the_dead_letters_of_a_consumer_are_retried_or_discarded_together(
    database: Database, caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.chassis.dead_letters.RETRY_BATCH", 2)
    monkeypatch.setattr("shared.chassis.dead_letter_routes.RETRY_BATCH", 2)
    verified = [await park(database, b'{"type": "user.verified"}') for _ in range(5)]
    ready = [await park(database, b'{"type": "file.ready"}') for _ in range(3)]
    await park(database, b'{"type": "user.verified"}', consumer="mail.other")
    chosen = {"consumer": "mail.events", "type": "user.verified"}
    assert await caller.json("POST", "/dead-letters/retry", chosen) == {"retried": 5}
    assert await sent_again(database) == [(one, "mail.events") for one in verified]
    page = await caller.json("GET", "/dead-letters?consumer=mail.events&type=file.ready&limit=2")
    assert [one["event_id"] for one in page["items"]] == [str(ready[2]), str(ready[1])]
    chosen = {"consumer": "mail.events"}
    assert await caller.json("POST", "/dead-letters/discard", chosen) == {"discarded": 3}
    [left] = (await caller.json("GET", "/dead-letters"))["items"]
    assert left["consumer"] == "mail.other"


@pytest.mark.parametrize("letter", [f"files.{UNKNOWN_ID}", "mail.x", "mail", str(UNKNOWN_ID)])
async def test_a_dead_letter_that_is_not_there(caller: Caller, letter: str) -> None:
    expected = (404, "dead_letter_not_found")
    assert await caller.problem("GET", f"/dead-letters/{letter}") == expected
    assert await caller.problem("DELETE", f"/dead-letters/{letter}") == expected
