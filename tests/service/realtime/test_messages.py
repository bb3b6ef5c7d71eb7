"""A message reaches everybody on its channel once, on every process, and nobody else."""

import asyncio
from uuid import uuid4

from uuid_utils.compat import uuid7

from shared.chassis.outbox import REALTIME_EXCHANGE
from tests.parts.waiting import PATIENCE_SECONDS
from tests.service.realtime.client import connect
from tests.service.realtime.conftest import RealtimeHouse


async def test_file_ready_reaches_its_owner_on_every_process_and_nobody_else(
    house: RealtimeHouse,
) -> None:
    await house.start_worker()
    one, two = await house.start_web(), await house.start_web()
    owner, other = uuid4(), uuid4()
    async with connect(one.path) as phone, connect(two.path) as laptop, connect(one.path) as eve:
        ready = await phone.log_in(house.auth.token(owner), id=7)
        await laptop.log_in(house.auth.token(owner))
        await eve.log_in(house.auth.token(other))
        assert ready.keys() == {
            *("op", "id", "connection_id", "user_id", "expires_in", "recovered", "position")
        }
        assert (ready["id"], ready["user_id"], ready["recovered"]) == (7, str(owner), False)
        assert 800 <= ready["expires_in"] <= 900

        event_id = uuid7()
        file = await house.file_is_ready(owner, event_id=event_id)
        await house.file_is_ready(owner, event_id=event_id)  # the same event, delivered again
        last = await house.file_is_ready(owner)

        for client in (phone, laptop):
            frames = [await client.receive(), await client.receive()]
            assert [frame["data"]["id"] for frame in frames] == [str(file.id), str(last.id)]
            assert frames[0].keys() == {"op", "channel", "event", "data", "position", "at"}
            assert frames[0]["channel"] == f"user:{owner}"
            assert frames[0]["event"] == "file.ready"
            assert frames[0]["data"] == file.model_dump(mode="json")
            await client.nothing_more()
        await eve.nothing_more()
    assert await house.count("inbox") == 2
    assert await house.count("outbox") == 2
    assert await house.count("dead_letters") == 0


async def test_what_one_user_publishes_reaches_another_on_another_process(
    house: RealtimeHouse,
) -> None:
    await house.start_worker()
    one, two = await house.start_web(), await house.start_web()
    async with connect(one.path) as ada, connect(two.path) as grace, connect(two.path) as eve:
        for client in (ada, grace, eve):
            await client.log_in(house.auth.token(uuid4()))
        answer = await ada.subscribe("room:kitchen", id="s")
        assert answer.keys() == {"op", "id", "channel", "recovered", "position"}
        await grace.subscribe("room:kitchen")
        await eve.subscribe("room:cellar")

        await house.publish(two, "room:kitchen", "said", {"text": "Grüße 😀"})
        for client in (ada, grace):
            assert await client.event() == ("room:kitchen", "said", {"text": "Grüße 😀"})

        answer = await grace.ask(op="publish", channel="room:kitchen", event="said", data=[1, None])
        assert answer.keys() == {"op", "id", "message_id"}
        for client in (ada, grace):
            assert await client.event() == ("room:kitchen", "said", [1, None])

        await ada.ask(op="unsubscribe", channel="room:kitchen")
        await house.publish(one, "room:kitchen", "said", "later")
        assert await grace.event() == ("room:kitchen", "said", "later")
        for client in (ada, grace, eve):
            await client.nothing_more()
    assert await house.count("outbox") == 3


async def test_messages_of_a_room_keep_their_order(house: RealtimeHouse) -> None:
    await house.start_worker()
    process = await house.start_web()
    async with connect(process.path) as client, connect(process.path) as sender:
        await client.log_in(house.auth.token(uuid4()))
        await sender.log_in(house.auth.token(uuid4()))
        await client.subscribe("room:order")
        for number in range(90):
            await sender.ask(op="publish", channel="room:order", event="n", data=number)
        events = [await client.event() for _ in range(90)]
    assert [data for _, _, data in events] == list(range(90))


async def test_what_the_relay_published_twice_arrives_once(house: RealtimeHouse) -> None:
    process = await house.start_web()
    async with connect(process.path) as client:
        await client.log_in(house.auth.token(uuid4()))
        await client.subscribe("room:r")
        for data in ("first", "second"):
            body = (
                f'{{"id": "{uuid7()}", "channel": "room:r", "event": "e", "data": "{data}", '
                '"at": "2026-11-23T12:00:00+00:00"}'
            ).encode()
            for _ in range(3):
                await house.bus.publish(
                    REALTIME_EXCHANGE, "message", body, message_id="x", mandatory=True
                )
        assert await client.event() == ("room:r", "e", "first")
        assert await client.event() == ("room:r", "e", "second")
        await client.nothing_more()


async def test_a_message_that_nobody_can_read_stops_nothing(house: RealtimeHouse) -> None:
    process = await house.start_web()
    async with connect(process.path) as client:
        await client.log_in(house.auth.token(uuid4()))
        await client.subscribe("room:r")
        readable = (
            f'{{"id": "{uuid7()}", "channel": "room:r", "event": "e", "data": 1, "at": "now"}}'
        )
        for body in ("no json", "[]", "1", "{}", '{"id": 5}', '{"heartbeat": 1}', readable):
            await house.bus.publish(
                REALTIME_EXCHANGE, "message", body.encode(), message_id="x", mandatory=True
            )
        assert await client.event() == ("room:r", "e", 1)
        await client.nothing_more()


async def test_a_slow_client_is_closed_and_holds_up_nobody(house: RealtimeHouse) -> None:
    await house.start_worker()
    process = await house.start_web(realtime_queue_bytes=256 * 1024)
    big = "x" * 60_000
    async with connect(process.path) as slow, connect(process.path) as quick:
        for client in (slow, quick):
            await client.log_in(house.auth.token(uuid4()))
            await client.subscribe("room:big")
        slow.connection.transport.pause_reading()
        for number in range(40):
            await house.publish(process, "room:big", "n", {"number": number, "filling": big})
            channel, _, data = await quick.event()
            assert (channel, data["number"]) == ("room:big", number)
        slow.connection.transport.resume_reading()
        assert await slow.closed() == 4408
        await quick.nothing_more()


async def test_a_client_that_vanishes_leaves_nothing_behind(house: RealtimeHouse) -> None:
    process = await house.start_web()
    async with connect(process.path) as client:
        await client.log_in(house.auth.token(uuid4()))
        await client.subscribe("room:r")
        client.connection.transport.abort()

    async def settled() -> None:
        while tasks := [t for t in asyncio.all_tasks() if t.get_name().startswith("socket ")]:
            await asyncio.wait(tasks)

    await asyncio.wait_for(settled(), PATIENCE_SECONDS)
