"""After a reconnect a client has every message, once and in order, or knows that it has not."""

import asyncio
from typing import Any
from uuid import uuid4

import pytest
from aio_pika.abc import AbstractChannel

from services.realtime import store, stream, topology
from services.realtime.topology import ensure_stream, host_boot_id, stream_name
from shared.chassis.bus import close_quietly
from shared.chassis.outbox import REALTIME_EXCHANGE
from tests.parts.rabbitmq import RabbitNode
from tests.parts.waiting import PATIENCE_SECONDS
from tests.service.realtime.client import SocketClient, connect
from tests.service.realtime.conftest import RealtimeHouse, WebProcess


async def publish_numbers(
    house: RealtimeHouse, process: WebProcess, channel: str, numbers: range
) -> None:
    for number in numbers:
        await house.publish(process, channel, "n", number)


async def numbers(client: SocketClient, count: int) -> list[Any]:
    return [(await client.event())[2] for _ in range(count)]


async def test_missed_messages_are_recovered_on_another_process(house: RealtimeHouse) -> None:
    await house.start_worker()
    one, two = await house.start_web(), await house.start_web()
    async with connect(one.path) as client:
        await client.log_in(house.auth.token(uuid4()))
        await client.subscribe("room:r")
        await publish_numbers(house, one, "room:r", range(3))
        frames = [await client.receive() for _ in range(3)]
        positions = [frame["position"] for frame in frames]

    async with connect(one.path) as watcher:
        await watcher.log_in(house.auth.token(uuid4()))
        await watcher.subscribe("room:r")
        await publish_numbers(house, one, "room:r", range(3, 8))
        await publish_numbers(house, one, "room:other", range(2))
        assert await numbers(watcher, 5) == [3, 4, 5, 6, 7]

    for process in (one, two):
        async with connect(process.path) as client:
            await client.log_in(house.auth.token(uuid4()))
            answer = await client.subscribe("room:r", recover=positions[-1])
            assert answer["recovered"] is True
            assert await numbers(client, 5) == [3, 4, 5, 6, 7]
            answer = await client.subscribe("room:r", recover=positions[0])
            assert answer["recovered"] is True
            assert await numbers(client, 2) == [1, 2]  # and what came since, it has
            await client.nothing_more()

    async with connect(two.path) as client:
        await client.log_in(house.auth.token(uuid4()))
        await client.subscribe("room:r", recover=positions[-1])
        await house.publish(one, "room:r", "n", 8)
        assert await numbers(client, 6) == [3, 4, 5, 6, 7, 8]
        await client.nothing_more()


async def test_the_own_channel_is_recovered_by_auth_or_by_subscribe(house: RealtimeHouse) -> None:
    await house.start_worker()
    process, owner = await house.start_web(), uuid4()
    token = house.auth.token(owner)
    async with connect(process.path) as client, connect(process.path) as watcher:
        position = (await client.log_in(token))["position"]
        await watcher.log_in(token)
        await client.connection.close()
        missed = [str((await house.file_is_ready(owner)).id) for _ in range(2)]
        await numbers(watcher, 2)

    async with connect(process.path) as client:
        ready = await client.log_in(token, recover=position)
        assert ready["recovered"] is True
        assert [data["id"] for data in await numbers(client, 2)] == missed
        await client.nothing_more()
    async with connect(process.path) as client:
        await client.log_in(token)
        answer = await client.subscribe(f"user:{owner}", recover=position)
        assert answer["recovered"] is True
        assert [data["id"] for data in await numbers(client, 2)] == missed
        last = str((await house.file_is_ready(owner)).id)
        assert [data["id"] for data in await numbers(client, 1)] == [last]
        await client.nothing_more()


async def test_a_process_that_starts_knows_the_last_minutes(house: RealtimeHouse) -> None:
    await house.start_worker()
    one = await house.start_web()
    async with connect(one.path) as client:
        position = (await client.log_in(house.auth.token(uuid4())))["position"]
        await client.subscribe("room:r")
        await publish_numbers(house, one, "room:r", range(20))
        await numbers(client, 20)
    fresh = await house.start_web()
    async with connect(fresh.path) as client:
        await client.log_in(house.auth.token(uuid4()))
        assert (await client.subscribe("room:r", recover=position))["recovered"] is True
        assert await numbers(client, 20) == list(range(20))
        await client.nothing_more()


async def test_what_cannot_be_recovered_whole_is_not_recovered_at_all(
    house: RealtimeHouse,
) -> None:
    await house.start_worker()
    process = await house.start_web(realtime_history_messages=5)
    async with connect(process.path) as client:
        position = (await client.log_in(house.auth.token(uuid4())))["position"]
        await client.subscribe("room:r")
        await publish_numbers(house, process, "room:r", range(8))
        await numbers(client, 8)
    epoch, _, offset = position.rpartition("-")
    unknown = [
        position,  # three of the eight are forgotten
        f"{epoch}-{int(offset) + 1_000_000}",  # nobody has come so far
        f"0123456789ab-{offset}",  # another life of the stream
        "-1",
        f"{epoch}-{'9' * 30}",
        "nonsense",
    ]
    for recover in unknown:
        async with connect(process.path) as client:
            await client.log_in(house.auth.token(uuid4()))
            answer = await client.subscribe("room:r", recover=recover)
            assert answer["recovered"] is False, recover
            assert answer["position"].startswith(f"{epoch}-")
            await client.nothing_more()


async def test_the_loss_of_the_broker_is_only_a_pause(
    house: RealtimeHouse, rabbitmq: RabbitNode
) -> None:
    await house.start_worker()
    process = await house.start_web()
    async with connect(process.path) as client, connect(process.path) as sender:
        for each in (client, sender):
            await each.log_in(house.auth.token(uuid4()))
        await client.subscribe("room:r")
        await publish_numbers(house, process, "room:r", range(5))
        assert await numbers(client, 5) == [0, 1, 2, 3, 4]
        await asyncio.to_thread(rabbitmq.stop)
        try:
            await publish_numbers(house, process, "room:r", range(5, 8))  # stored all the same
            answer = await sender.ask(op="publish", channel="room:r", event="n", data=8)
            assert answer["op"] == "ok"
            await client.nothing_more()
        finally:
            await asyncio.to_thread(rabbitmq.start)
        received = [(await client.receive())["data"] for _ in range(4)]
        assert received == [5, 6, 7, 8]
        await publish_numbers(house, process, "room:r", range(9, 12))
        assert await numbers(client, 3) == [9, 10, 11]
        await client.nothing_more()


@pytest.mark.parametrize("cause", ["the host was restarted", "the stream is gone"])
async def test_a_stream_that_may_have_lost_something_gets_a_new_epoch(
    house: RealtimeHouse, cause: str
) -> None:
    await house.start_worker()
    process = await house.start_web()
    old = await store.current_epoch(house.database)
    connection = await house.bus.connect("tests")
    channel = await connection.channel()
    async with connect(process.path) as client:
        ready = await client.log_in(house.auth.token(uuid4()))
        boot_id = host_boot_id()
        if cause == "the stream is gone":
            await channel.queue_delete(stream_name(old.name))
        else:
            boot_id = "another run of the host"
        new = await ensure_stream(house.database, channel, boot_id=boot_id)
        assert (new.previous, await ensure_stream(house.database, channel, boot_id=boot_id)) == (
            old.name,
            await store.current_epoch(house.database),
        )
        await close_quietly(connection)
        assert await client.closed() == 1012
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            async with connect(process.path) as client:
                current = await client.log_in(house.auth.token(uuid4()), recover=ready["position"])
                assert current["recovered"] is False
                if current["position"].startswith(f"{new.name}-"):
                    break
            await asyncio.sleep(0.05)
    async with connect(process.path) as client:
        await client.log_in(house.auth.token(uuid4()))
        await client.subscribe("room:r")
        await house.publish(process, "room:r", "n", "after")
        assert await numbers(client, 1) == ["after"]
        await client.nothing_more()


async def test_many_channels_are_recovered_with_a_small_queue(house: RealtimeHouse) -> None:
    await house.start_worker()
    process = await house.start_web(realtime_queue_bytes=64 * 1024)
    channels = [f"room:{number}" for number in range(8)]
    async with connect(process.path) as client:
        position = (await client.log_in(house.auth.token(uuid4())))["position"]
        for channel in channels:
            await client.subscribe(channel)
            await house.publish(process, channel, "n", "x" * 25_000)
            await client.event()
        await house.publish(process, channels[0], "n", "y" * 25_000)
        await client.event()
    async with connect(process.path) as client:
        await client.log_in(house.auth.token(uuid4()))
        for channel in channels:
            await client.send(op="subscribe", channel=channel, recover=position)
        answers = [await client.receive()]
        assert answers[0]["recovered"] is False  # the two messages do not fit
        for channel in channels[1:]:
            answer = await client.receive()
            assert (answer["channel"], answer["recovered"]) == (channel, True)
            assert await client.event() == (channel, "n", "x" * 25_000)
        await client.nothing_more()


async def test_a_stream_that_begins_anew_unnoticed_gets_a_new_epoch(
    house: RealtimeHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "CATCH_UP_SECONDS", 1.0)
    monkeypatch.setattr(stream, "DEAF_SECONDS", 1.0)
    await house.start_worker()
    process = await house.start_web()
    old = await store.current_epoch(house.database)
    async with connect(process.path) as client:
        await client.log_in(house.auth.token(uuid4()))
        await client.subscribe("room:r")
        await publish_numbers(house, process, "room:r", range(5))
        await numbers(client, 5)
        connection = await house.bus.connect("tests")
        channel = await connection.channel()
        await channel.queue_delete(stream_name(old.name))
        await ensure_stream_as_it_was(channel, stream_name(old.name))
        await close_quietly(connection)
        assert await client.closed() == 1012
    assert (await store.current_epoch(house.database)).previous == old.name


async def ensure_stream_as_it_was(channel: AbstractChannel, name: str) -> None:
    queue = await channel.declare_queue(name, durable=True, arguments=topology._ARGUMENTS)
    await queue.bind(REALTIME_EXCHANGE, "message")


async def test_files_of_the_stream_have_no_gap_between_them(
    house: RealtimeHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = await house.bus.connect("tests")
    channel = await connection.channel()
    old = (await store.current_epoch(house.database)).name
    small = {**topology._ARGUMENTS, "x-stream-max-segment-size-bytes": 50_000}
    monkeypatch.setattr(topology, "_ARGUMENTS", small)
    await topology.replace_epoch(house.database, channel, old, boot_id=host_boot_id())
    await close_quietly(connection)
    await house.start_worker()
    process = await house.start_web()
    async with connect(process.path) as client:
        position = (await client.log_in(house.auth.token(uuid4())))["position"]
        await client.subscribe("room:r")
        for number in range(60):
            await house.publish(process, "room:r", "n", [number, "x" * 5_000])
        assert [data[0] for data in await numbers(client, 60)] == list(range(60))
    async with connect(process.path) as client:
        await client.log_in(house.auth.token(uuid4()))
        assert (await client.subscribe("room:r", recover=position))["recovered"] is True
        assert [data[0] for data in await numbers(client, 60)] == list(range(60))
        last = (await client.subscribe("room:r"))["position"].rpartition("-")[2]
    assert int(last) > int(position.rpartition("-")[2]) + 60  # offsets were skipped, no messages
