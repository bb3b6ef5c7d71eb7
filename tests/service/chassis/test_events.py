"""Events go from a committed transaction to their one effect, whatever happens in between."""

from typing import Any
from uuid import UUID, uuid4

import pytest

from shared.chassis.bus import RETRY_DELAYS_SECONDS
from shared.chassis.consumers import EventConsumer
from shared.chassis.database import Transaction
from shared.chassis.errors import PermanentFailure, Unavailable
from shared.chassis.relay import Relay
from shared.schemas.events.auth import SignupRequested
from shared.schemas.events.envelope import Event
from shared.schemas.events.subscriptions import SUBSCRIPTIONS
from tests.parts.rabbitmq import RabbitNode
from tests.parts.waiting import eventually
from tests.service.chassis.conftest import Messaging

INSERT = "INSERT INTO effects (key) VALUES ($1)"


async def effects(messaging: Messaging) -> list[str]:
    rows = await messaging.database.fetch("SELECT key FROM effects ORDER BY position")
    return [row["key"] for row in rows]


async def emit(messaging: Messaging, link_id: UUID) -> UUID:
    async with messaging.database.transaction() as transaction:
        return await messaging.outbox.emit(
            transaction, SignupRequested(link_id=link_id), subject=str(link_id)
        )


async def record(transaction: Transaction, event: Event[SignupRequested]) -> None:
    await transaction.execute(INSERT, str(event.data.link_id))


def consumer(messaging: Messaging, handler: Any) -> EventConsumer:
    return EventConsumer(
        messaging.bus,
        messaging.database,
        messaging.lifecycle,
        queue="mail.events",
        handlers=dict.fromkeys(SUBSCRIPTIONS["mail.events"], handler),
    )


async def start(messaging: Messaging, handler: Any = record) -> None:
    relay = Relay(messaging.database, messaging.bus, messaging.lifecycle)
    await messaging.lifecycle.start(relay)
    await messaging.lifecycle.start(consumer(messaging, handler))


async def test_each_event_has_its_effect_once_and_in_order(messaging: Messaging) -> None:
    await start(messaging)
    links = [uuid4() for _ in range(50)]
    for link in links:
        await emit(messaging, link)
    await eventually(lambda: effects(messaging), [str(link) for link in links])
    assert await messaging.database.fetchval("SELECT count(*) FROM inbox") == 50
    assert await messaging.database.fetchval("SELECT count(*) FROM dead_letters") == 0


async def test_a_rolled_back_change_emits_nothing(messaging: Messaging) -> None:
    await start(messaging)
    with pytest.raises(RuntimeError):
        async with messaging.database.transaction() as transaction:
            await messaging.outbox.emit(
                transaction, SignupRequested(link_id=uuid4()), subject="rolled back"
            )
            raise RuntimeError
    link = uuid4()
    await emit(messaging, link)
    await eventually(lambda: effects(messaging), [str(link)])


async def test_an_event_that_commits_late_is_not_lost(messaging: Messaging) -> None:
    await start(messaging)
    early, late = uuid4(), uuid4()
    async with messaging.database.transaction() as transaction:
        await messaging.outbox.emit(transaction, SignupRequested(link_id=late), subject="late")
        await emit(messaging, early)
        await eventually(lambda: effects(messaging), [str(early)])
    await eventually(lambda: effects(messaging), [str(early), str(late)])


async def test_a_second_delivery_does_nothing(messaging: Messaging) -> None:
    await start(messaging)
    link = uuid4()
    await emit(messaging, link)
    await eventually(lambda: effects(messaging), [str(link)])
    row = await messaging.database.fetchrow("SELECT message_id, body FROM outbox")
    assert row is not None
    for _ in range(3):
        await messaging.bus.publish(
            "freehold.events",
            "signup.requested",
            Event[SignupRequested].model_validate(row["body"]).model_dump_json().encode(),
            message_id=str(row["message_id"]),
            mandatory=True,
        )
    last = uuid4()
    await emit(messaging, last)
    await eventually(lambda: effects(messaging), [str(link), str(last)])


async def test_a_failed_effect_rolls_back_and_is_tried_again(
    messaging: Messaging,
) -> None:
    # The first step of the ladder takes five seconds.
    attempts: list[UUID] = []

    async def fail_once(transaction: Transaction, event: Event[SignupRequested]) -> None:
        await record(transaction, event)
        attempts.append(event.id)
        if len(attempts) == 1:
            raise RuntimeError("not yet")

    await start(messaging, fail_once)
    link = uuid4()
    event_id = await emit(messaging, link)
    await eventually(lambda: effects(messaging), [str(link)])
    assert attempts == [event_id, event_id]


@pytest.mark.parametrize(
    ("error", "attempt"),
    [(PermanentFailure("never"), 1), (RuntimeError("never"), len(RETRY_DELAYS_SECONDS) + 1)],
    ids=["given up at once", "given up after the last step of the ladder"],
)
async def test_what_cannot_be_handled_is_parked_with_its_cause(
    messaging: Messaging, error: Exception, attempt: int
) -> None:
    async def refuse(transaction: Transaction, event: Event[SignupRequested]) -> None:
        await record(transaction, event)
        raise error

    await messaging.lifecycle.start(consumer(messaging, refuse))
    event = Event[SignupRequested].model_validate(
        {
            "id": uuid4(),
            "type": "signup.requested",
            "version": 1,
            "source": "auth",
            "time": "2026-01-01T00:00:00Z",
            "subject": "x",
            "data": {"link_id": uuid4()},
        }
    )
    await messaging.bus.publish(
        "freehold.events",
        "signup.requested",
        event.model_dump_json().encode(),
        message_id=str(event.id),
        mandatory=True,
        headers={"x-attempt": attempt},
    )

    async def parked() -> list[tuple[UUID, str, int]]:
        rows = await messaging.database.fetch("SELECT * FROM dead_letters")
        return [(row["event_id"], row["event_type"], row["attempts"]) for row in rows]

    await eventually(parked, [(event.id, "signup.requested", attempt)])
    cause = await messaging.database.fetchval("SELECT cause FROM dead_letters")
    assert "never" in cause
    assert await effects(messaging) == []


async def test_an_unreadable_message_is_parked_and_the_next_is_handled(
    messaging: Messaging,
) -> None:
    await start(messaging)
    await messaging.bus.publish(
        "freehold.events", "signup.requested", b"{not json", message_id="", mandatory=True
    )
    link = uuid4()
    await emit(messaging, link)
    await eventually(lambda: effects(messaging), [str(link)])
    assert await messaging.database.fetchval("SELECT count(*) FROM dead_letters") == 1


async def test_a_standby_relay_takes_over(messaging: Messaging) -> None:
    first = Relay(messaging.database, messaging.bus, messaging.lifecycle)
    await messaging.lifecycle.start(consumer(messaging, record))
    await first.start()
    one, two = uuid4(), uuid4()
    await emit(messaging, one)
    await eventually(lambda: effects(messaging), [str(one)])
    await messaging.lifecycle.start(Relay(messaging.database, messaging.bus, messaging.lifecycle))
    await first.stop()
    await emit(messaging, two)
    await eventually(lambda: effects(messaging), [str(one), str(two)])


async def test_a_stopped_broker_delays_and_loses_nothing(
    messaging: Messaging, rabbitmq: RabbitNode
) -> None:
    await start(messaging)
    before, meanwhile, after = uuid4(), uuid4(), uuid4()
    await emit(messaging, before)
    await eventually(lambda: effects(messaging), [str(before)])
    rabbitmq.stop()
    await emit(messaging, meanwhile)
    with pytest.raises(Unavailable):
        await messaging.bus.connect("tests")
    rabbitmq.start()
    await emit(messaging, after)
    await eventually(lambda: effects(messaging), [str(before), str(meanwhile), str(after)])
