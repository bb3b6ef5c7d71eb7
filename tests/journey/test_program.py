"""Another program at the running broker: made at once, kept over a restart, removed at once."""

import re

import aio_pika
import pytest
from aio_pika.exceptions import AMQPError
from aiormq.exceptions import ChannelAccessRefused

from tests.journey.client import Client
from tests.journey.stack import RunningStack
from tests.parts.waiting import eventually

URL = re.compile(r"amqp://program\.till:[\w-]+@127\.0\.0\.1:\d+/freehold")


async def test_a_program_emits_and_listens_until_it_is_removed(stack: RunningStack) -> None:
    stack.wait_healthy()
    shown = stack.run("program", "till", "--emits", "order,invoice")
    (url,) = set(URL.findall(shown))
    assert shown.count("(shown this once)") == 1
    assert stack.run("program") == "till                     emits order.*, invoice.*\n"

    connection = await aio_pika.connect(url)
    async with connection:
        channel = await connection.channel()
        queue = await channel.declare_queue("program.till.events", durable=True)
        for key in ("user.registered", "order.*"):
            await queue.bind("freehold.events", key)
        async with Client(stack) as ada:
            await ada.sign_up()

        async def next_key() -> str | None:
            message = await queue.get(fail=False, no_ack=True)
            return message.routing_key if message else None

        await eventually(next_key, "user.registered")
        exchange = await channel.get_exchange("freehold.program.till", ensure=False)
        await exchange.publish(aio_pika.Message(b"{}"), "order.placed")
        await eventually(next_key, "order.placed")
        with pytest.raises(ChannelAccessRefused):
            await exchange.publish(aio_pika.Message(b"{}"), "user.registered")

    changed = stack.run("program", "till", "--emits", "order")
    assert "password         the one it had" in changed
    stack.run("restart", "rabbitmq")
    stack.wait_healthy()
    connection = await aio_pika.connect(url)
    async with connection:
        channel = await connection.channel()
        exchange = await channel.get_exchange("freehold.program.till", ensure=False)
        await exchange.publish(aio_pika.Message(b"{}"), "order.placed")
        with pytest.raises(ChannelAccessRefused):
            await exchange.publish(aio_pika.Message(b"{}"), "invoice.sent")

    assert "is removed" in stack.run("program", "till", "--remove")
    with pytest.raises(AMQPError):
        await aio_pika.connect(url)
    assert "no program yet" in stack.run("program")


def test_a_noun_of_the_house_is_refused_and_nothing_is_made(stack: RunningStack) -> None:
    with pytest.raises(AssertionError, match=r"Events about user are the house's own"):
        stack.run("program", "till", "--emits", "order,user")
    assert "no program yet" in stack.run("program")
