"""What is left in the jobs service of somebody whose account is deleted."""

from uuid import uuid4

from uuid_utils.compat import uuid7

from shared.chassis.outbox import EVENTS_EXCHANGE
from shared.schemas.events.auth import UserDeleted
from shared.schemas.events.envelope import Event
from shared.schemas.roles import ADMINISTRATOR
from tests.parts.waiting import eventually
from tests.service.jobs.jobs_house import JobsHouse

JOB = {"queue": "orders", "kind": "pack", "payload": {}}


async def test_answers_to_them_are_forgotten_and_webhooks_are_told_as_of_any_event(
    house: JobsHouse,
) -> None:
    ada, bob = uuid4(), uuid4()
    for user_id in (ada, bob):
        token = house.auth.token(user_id, roles=(ADMINISTRATOR,))
        async with house.caller(token) as caller:
            await caller.post("/v1/jobs", JOB, Idempotency_Key="k-1")
            if user_id == ada:
                endpoint = {"url": "https://receiver.example", "event_types": ["user.deleted"]}
                await caller.call("POST", "/v1/webhooks", endpoint)
    event = Event[UserDeleted](
        id=uuid7(),
        type="user.deleted",
        version=1,
        time="2026-11-24T12:00:00Z",
        source="auth",
        subject=str(ada),
        data=UserDeleted(user_id=ada),
    )

    async def erased() -> list[object]:
        return [e["data"] for e in await house.emitted() if e["type"] == "user.erased"]

    async with house.worker():
        await house.bus.publish(
            EVENTS_EXCHANGE,
            event.type,
            event.model_dump_json().encode(),
            message_id=str(event.id),
            mandatory=True,
        )
        await eventually(erased, [{"user_id": str(ada), "service": "jobs"}])

    assert await house.value("SELECT array_agg(caller) FROM idempotent_answers") == [f"user:{bob}"]
    told = "SELECT count(*) FROM webhook_messages WHERE type = 'user.deleted'"
    assert await house.value(told) == 1
