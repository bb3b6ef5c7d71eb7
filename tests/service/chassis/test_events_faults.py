"""What goes wrong with events is seen, is put right by itself or by a person, and loses nothing."""

import asyncio
from types import SimpleNamespace
from typing import Any
from uuid import UUID, uuid4

import pytest

from shared.chassis import dead_letters
from shared.chassis.bus import DELIVERY_LIMIT, Bus, exhausted_queue
from shared.chassis.canary import CANARY_HEADER, Canary, Deaf
from shared.chassis.consumers import EventConsumer
from shared.chassis.database import Transaction
from shared.chassis.errors import PermanentFailure
from shared.chassis.payloads import PayloadTooLarge
from shared.chassis.settings import BusSettings
from shared.schemas.events.auth import SignupRequested
from shared.schemas.events.envelope import Event
from shared.schemas.events.files import FileRejected
from shared.schemas.events.subscriptions import SUBSCRIPTIONS
from tests.parts.rabbitmq import RabbitNode
from tests.parts.waiting import PATIENCE_SECONDS, eventually
from tests.service.chassis.conftest import Messaging
from tests.service.chassis.test_events import consumer, effects, emit, record, start

QUEUE = "mail.events"


def envelope(event_type: str, data: dict[str, Any], version: int = 1) -> Event[Any]:
    return Event[Any].model_validate(
        {
            "id": uuid4(),
            "type": event_type,
            "version": version,
            "source": "auth",
            "time": "2026-01-01T00:00:00Z",
            "subject": "x",
            "data": data,
        }
    )


async def deliver(messaging: Messaging, body: bytes, message_id: str = "") -> None:
    await messaging.bus.publish("", QUEUE, body, message_id=message_id, mandatory=True)


async def resting(messaging: Messaging) -> list[tuple[str, str]]:
    rows = await messaging.database.fetch("SELECT event_type, cause FROM dead_letters ORDER BY id")
    return [(row["event_type"], row["cause"]) for row in rows]


@pytest.mark.parametrize(
    ("body", "event_type", "cause"),
    [
        (b"{not json", "unreadable", "could not be read"),
        (b"[1, 2]", "unreadable", "could not be read"),
        (b'{"type": "a\\u0000b"}', "unreadable", "could not be read"),
        (
            envelope("moon.landed", {}).model_dump_json().encode(),
            "moon.landed",
            "no handler for moon.landed",
        ),
        (
            envelope("signup.requested", {"link_id": "nobody"}).model_dump_json().encode(),
            "signup.requested",
            "link_id",
        ),
    ],
    ids=["no JSON", "no object", "NUL", "a type nobody knows", "data of another shape"],
)
async def test_a_poison_message_rests_with_its_cause_and_the_next_is_handled(
    messaging: Messaging, body: bytes, event_type: str, cause: str
) -> None:
    await start(messaging)
    await deliver(messaging, body)
    link = uuid4()
    await emit(messaging, link)
    await eventually(lambda: effects(messaging), [str(link)])
    [(found_type, found_cause)] = await resting(messaging)
    assert (found_type, cause in found_cause) == (event_type, True)
    [condition] = messaging.lifecycle.conditions.listing()
    assert condition.name == f"dead_letters:{QUEUE}"
    assert "1 events could not be handled by mail.events" in condition.problem
    assert "GET /v1/dead-letters?consumer=mail.events" in condition.next_step
    assert not condition.failing


async def test_an_event_that_kills_its_consumer_takes_the_ladder(messaging: Messaging) -> None:
    # A consumer that dies leaves the message unsettled; so does this one, again and again.
    event = envelope("signup.requested", {"link_id": str(uuid4())})
    await deliver(messaging, event.model_dump_json().encode(), str(event.id))
    for _ in range(DELIVERY_LIMIT + 1):
        connection = await messaging.bus.connect("dying")
        channel = await connection.channel()
        await channel.set_qos(prefetch_count=1)
        taken: asyncio.Queue[Any] = asyncio.Queue()
        await (await channel.get_queue(QUEUE)).consume(taken.put)
        await asyncio.wait_for(taken.get(), PATIENCE_SECONDS)
        await connection.close()
    connection = await messaging.bus.connect("looking")
    async with connection:
        exhausted = await (await connection.channel()).get_queue(exhausted_queue(QUEUE))

        async def waiting() -> int | None:
            return (await exhausted.declare()).message_count

        await eventually(waiting, 1)
    await start(messaging)
    await eventually(lambda: effects(messaging), [event.data["link_id"]])
    assert await resting(messaging) == []


async def test_a_canary_that_nobody_heard_in_time_is_forgotten(messaging: Messaging) -> None:
    await messaging.bus.publish(
        "",
        exhausted_queue(QUEUE),
        b"{}",
        message_id=str(uuid4()),
        mandatory=True,
        headers={CANARY_HEADER: "1"},
    )
    await start(messaging)
    connection = await messaging.bus.connect("looking")
    async with connection:
        exhausted = await (await connection.channel()).get_queue(exhausted_queue(QUEUE))

        async def waiting() -> int | None:
            return (await exhausted.declare()).message_count

        await eventually(waiting, 0)
    link = uuid4()
    await emit(messaging, link)
    await eventually(lambda: effects(messaging), [str(link)])
    assert await resting(messaging) == []


async def test_a_retried_dead_letter_goes_to_its_consumer_alone(messaging: Messaging) -> None:
    is_broken = True

    async def refuse(transaction: Transaction, event: Event[SignupRequested]) -> None:
        if is_broken:
            raise PermanentFailure("not today")
        await record(transaction, event)

    await start(messaging, refuse)
    links = [uuid4() for _ in range(3)]
    for link in links:
        await emit(messaging, link)
    await eventually(lambda: resting(messaging), [("signup.requested", "not today")] * 3)
    is_broken = False
    letters = await dead_letters.list_dead_letters(
        messaging.database, consumer=QUEUE, event_type=None, before=None, limit=10
    )
    assert [UUID(row["body"]["data"]["link_id"]) for row in letters] == links[::-1]
    async with messaging.database.transaction() as transaction:
        assert await dead_letters.retry_dead_letter(
            transaction, messaging.outbox, letters[-1]["id"]
        )
        assert not await dead_letters.retry_dead_letter(transaction, messaging.outbox, uuid4())
    await eventually(lambda: effects(messaging), [str(links[0])])
    async with messaging.database.transaction() as transaction:
        assert await dead_letters.retry_dead_letters(transaction, messaging.outbox, QUEUE) == 2
    await eventually(lambda: effects(messaging), [str(link) for link in links])
    assert await resting(messaging) == []


async def test_what_no_consumer_can_read_is_discarded_but_not_retried(
    messaging: Messaging,
) -> None:
    await start(messaging)
    await deliver(messaging, b"\xff")

    async def count() -> int:
        return len(await resting(messaging))

    await eventually(count, 1)
    [letter] = await dead_letters.list_dead_letters(
        messaging.database, consumer=None, event_type=None, before=None, limit=10
    )
    assert (letter["body"], letter["raw"]) == (None, b"\xff")
    with pytest.raises(dead_letters.Unreadable):
        async with messaging.database.transaction() as transaction:
            await dead_letters.retry_dead_letter(transaction, messaging.outbox, letter["id"])
    assert await count() == 1
    assert await dead_letters.discard_dead_letter(messaging.database, letter["id"])
    assert await count() == 0


async def test_an_event_over_the_limit_is_refused_with_its_change(messaging: Messaging) -> None:
    with pytest.raises(PayloadTooLarge, match="262144"):
        async with messaging.database.transaction() as transaction:
            await transaction.execute("INSERT INTO effects (key) VALUES ('change')")
            await messaging.outbox.emit(
                transaction,
                FileRejected(file_id=uuid4(), owner_id=uuid4(), reason="x" * 300_000),
                subject="x",
            )
    assert await effects(messaging) == []
    assert await messaging.database.fetchval("SELECT count(*) FROM outbox") == 0


async def test_a_program_cannot_speak_for_the_house(messaging: Messaging) -> None:
    async with messaging.database.transaction() as transaction:
        with pytest.raises(ValueError, match="Freehold alone"):
            await messaging.outbox.emit_application_event(
                transaction, type="signup.forged", version=1, data={}, source="app", subject="x"
            )


async def test_every_event_reaches_the_consumer_of_all(messaging: Messaging) -> None:
    seen: list[tuple[str, Any]] = []

    async def note(_: Transaction, event: Event[Any]) -> None:
        seen.append((event.type, event.data))

    await start(messaging)
    jobs = EventConsumer(
        Bus(BusSettings(amqp_url=messaging.bus._url), "jobs"),
        messaging.database,
        messaging.lifecycle,
        queue="jobs.events",
        handlers=dict.fromkeys(SUBSCRIPTIONS["jobs.events"], note),
    )
    link = uuid4()
    connection = await messaging.bus.connect("tests")
    async with connection:
        await (await (await connection.channel()).get_queue("jobs.events")).purge()
    await messaging.lifecycle.start(jobs)
    await emit(messaging, link)
    async with messaging.database.transaction() as transaction:
        await messaging.outbox.emit_application_event(
            transaction,
            type="order.paid",
            version=1,
            data={"total": 12},
            source="api-key:shop",
            subject="order 1",
        )

    async def heard() -> list[tuple[str, Any]]:
        return seen

    await eventually(
        heard,
        [("signup.requested", SignupRequested(link_id=link)), ("order.paid", {"total": 12})],
    )


async def test_cut_connections_come_back_and_nothing_is_lost(
    messaging: Messaging, rabbitmq: RabbitNode
) -> None:
    await start(messaging)
    links = [uuid4() for _ in range(200)]
    for number, link in enumerate(links):
        await emit(messaging, link)
        if number in {50, 120}:
            await asyncio.to_thread(rabbitmq.control, "close_all_connections", "cut by a test")
    await eventually(lambda: effects(messaging), [str(link) for link in links])
    assert await resting(messaging) == []


async def test_a_broker_without_disk_space_is_told_of_and_waited_for(
    messaging: Messaging, rabbitmq: RabbitNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.chassis.bus.PUBLISH_TIMEOUT_SECONDS", 1.0)
    conditions = messaging.lifecycle.conditions
    messaging.bus._conditions = conditions
    await start(messaging)
    before, meanwhile = uuid4(), uuid4()
    await emit(messaging, before)
    await eventually(lambda: effects(messaging), [str(before)])

    async def told() -> list[str]:
        return [condition.name for condition in conditions.listing()]

    await asyncio.to_thread(rabbitmq.control, "set_disk_free_limit", "900000GB")
    try:
        await emit(messaging, meanwhile)
        await eventually(told, ["bus_blocked"])
        [condition] = conditions.listing()
        assert condition.failing
        assert "nothing is lost" in condition.problem
        assert "free disk space" in condition.next_step
        assert await effects(messaging) == [str(before)]
    finally:
        await asyncio.to_thread(rabbitmq.control, "set_disk_free_limit", "50MB")
    await eventually(lambda: effects(messaging), [str(before), str(meanwhile)])
    await eventually(told, [])


async def test_a_deaf_consumer_ends_its_process(
    messaging: Messaging, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.chassis.canary.SING_SECONDS", 0.02)
    monkeypatch.setattr("shared.chassis.canary.DEAF_SECONDS", 0.2)
    canary = Canary(messaging.bus, QUEUE)
    singing = asyncio.create_task(canary.run())
    await asyncio.sleep(0)
    canary.heard()
    with pytest.raises(Deaf, match=QUEUE):
        await asyncio.wait_for(singing, PATIENCE_SECONDS)


async def test_a_consumer_that_hears_its_canary_lives(
    messaging: Messaging, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.chassis.canary.SING_SECONDS", 0.05)
    # By this clock 50 s pass after each song that is heard, and none while the machine stalls.
    now, songs, hear = 0.0, 0, Canary.heard

    def heard(canary: Canary) -> None:
        nonlocal now, songs
        hear(canary)
        now, songs = now + 50.0, songs + 1

    monkeypatch.setattr(Canary, "heard", heard)
    monkeypatch.setattr("shared.chassis.canary.time", SimpleNamespace(monotonic=lambda: now))
    await messaging.lifecycle.start(consumer(messaging, record))
    failed = asyncio.create_task(messaging.lifecycle.failed())

    async def sang_for_long() -> bool:
        return songs >= 20 or failed.done()

    await eventually(sang_for_long, expected=True)
    assert not failed.done()
    failed.cancel()
    assert messaging.lifecycle.conditions.listing() == []


async def test_a_stopping_consumer_finishes_the_event_in_hand_and_takes_no_other(
    messaging: Messaging,
) -> None:
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def slow(transaction: Transaction, event: Event[SignupRequested]) -> None:
        begun.set()
        await go_on.wait()
        await record(transaction, event)

    await start(messaging)
    await messaging.lifecycle.stop()
    stopping = consumer(messaging, slow)
    await stopping.start()
    one, two = (envelope("signup.requested", {"link_id": str(uuid4())}) for _ in range(2))
    for event in (one, two):
        await deliver(messaging, event.model_dump_json().encode(), str(event.id))
    await asyncio.wait_for(begun.wait(), PATIENCE_SECONDS)
    stopped = asyncio.create_task(stopping.stop())
    await asyncio.sleep(0)
    go_on.set()
    await stopped
    assert await effects(messaging) == [one.data["link_id"]]
    await messaging.lifecycle.start(consumer(messaging, record))
    await eventually(lambda: effects(messaging), [one.data["link_id"], two.data["link_id"]])
