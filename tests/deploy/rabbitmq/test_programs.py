"""A program's account at a real node: what it may do, and every way round that is closed."""

import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import aio_pika
import pytest
from aio_pika.abc import AbstractChannel, ExchangeType
from aio_pika.exceptions import AMQPError
from aiormq.exceptions import ChannelAccessRefused, ChannelInvalidStateError

from deploy.rabbitmq.configuration import password_hash, render_definitions
from deploy.rabbitmq.control import TEMPORARY_ACCOUNT, Node
from deploy.rabbitmq.programs import Program, program_definitions
from tests.parts.rabbitmq import PROGRAMS, RabbitNode
from tests.parts.waiting import PATIENCE_SECONDS, eventually

HOST = "freehold"
SERVICES = {"mail": "password of mail"}
PASSWORD = "password of the program"


def program(name: str, *emits: str) -> Program:
    return Program(name, emits, password_hash(f"program.{name}", PASSWORD))


SHOP = program("shop", "order", "invoice")
OTHER = program("shop2", "parcel")


@pytest.fixture(scope="module")
async def node(rabbitmq: RabbitNode) -> AsyncIterator[Node]:
    """Give a node with the house's topology and two programs."""
    tool = Node(
        PROGRAMS / "rabbitmqctl",
        {
            "PATH": os.environ["PATH"],
            "HOME": str(rabbitmq.folder),
            **rabbitmq.environment,
        },
        f"127.0.0.1:{rabbitmq.port}",
        HOST,
    )
    definitions = rabbitmq.folder / "definitions.json"
    definitions.write_text(render_definitions(HOST, SERVICES, [SHOP, OTHER]))
    definitions.chmod(0o644)
    rabbitmq.control("import_definitions", str(definitions))
    yield tool
    rabbitmq.control("delete_vhost", HOST)


Connect = Callable[[str], Awaitable[AbstractChannel]]


@pytest.fixture
async def connect(node: Node, rabbitmq: RabbitNode) -> AsyncIterator[Connect]:
    """Give what opens a channel of an account."""
    assert node
    connections = []

    async def open_channel(user: str) -> AbstractChannel:
        password = SERVICES.get(user, PASSWORD)
        connections.append(
            await aio_pika.connect(f"amqp://{user}:{password}@127.0.0.1:{rabbitmq.port}/{HOST}")
        )
        return await connections[-1].channel(on_return_raises=True)

    yield open_channel
    for connection in connections:
        await connection.close()


@asynccontextmanager
async def house_queue(connect: Connect, key: str) -> AsyncIterator[aio_pika.abc.AbstractQueue]:
    """Give a queue of the mail service, bound to the events exchange."""
    mail = await connect("mail")
    queue = await mail.declare_queue("mail.events", durable=True)
    await queue.bind("freehold.events", key)
    yield queue
    await queue.delete(if_unused=False, if_empty=False)


async def test_it_reads_the_houses_events_with_a_queue_of_its_own(connect: Connect) -> None:
    shop, mail = await connect("program.shop"), await connect("mail")
    queue = await shop.declare_queue("program.shop.events", durable=True)
    await queue.bind("freehold.events", "user.registered")
    events = await mail.get_exchange("freehold.events")
    await events.publish(aio_pika.Message(b"ada"), "user.registered")
    received = await queue.get(timeout=PATIENCE_SECONDS)
    assert received is not None
    assert (received.body, received.routing_key) == (b"ada", "user.registered")
    await received.ack()
    await queue.delete()


@pytest.mark.parametrize("key", ["order.placed", "invoice.sent_again"])
async def test_what_it_emits_reaches_every_queue_that_is_bound(connect: Connect, key: str) -> None:
    async with house_queue(connect, f"{key.partition('.')[0]}.*") as queue:
        shop = await connect("program.shop")
        exchange = await shop.get_exchange("freehold.program.shop", ensure=False)
        await exchange.publish(aio_pika.Message(b"order 1"), key)
        received = await queue.get(timeout=PATIENCE_SECONDS)
        assert received is not None
        assert (received.body, received.routing_key) == (b"order 1", key)
        await received.ack()


async def declare(channel: AbstractChannel, queue: str, **arguments: object) -> None:
    await channel.declare_queue(queue, durable=True, arguments=arguments or None)  # type: ignore[arg-type] # as AMQP has them


async def publish(channel: AbstractChannel, exchange: str, key: str) -> None:
    target = (
        await channel.get_exchange(exchange, ensure=False) if exchange else channel.default_exchange
    )
    await target.publish(aio_pika.Message(b"forged"), key)


async def read(channel: AbstractChannel, queue: str) -> None:
    await (await channel.get_queue(queue, ensure=False)).get(fail=False)


async def bind_queue(channel: AbstractChannel, queue: str, exchange: str) -> None:
    await (await channel.get_queue(queue, ensure=False)).bind(exchange, "#")


async def bind_exchange(channel: AbstractChannel, source: str, destination: str) -> None:
    own = await channel.declare_exchange(source, ExchangeType.TOPIC)
    await (await channel.get_exchange(destination, ensure=False)).bind(own, "#")


async def alternate(channel: AbstractChannel, name: str, exchange: str) -> None:
    await channel.declare_exchange(
        name, ExchangeType.TOPIC, arguments={"alternate-exchange": exchange}
    )


FORBIDDEN: dict[str, Callable[[AbstractChannel], Awaitable[None]]] = {
    "a queue of a service": lambda c: declare(c, "mail.more"),
    "a queue of another program": lambda c: declare(c, "program.shop2.events"),
    "a queue of no program": lambda c: declare(c, "program.shop"),
    "a queue named by the broker": lambda c: declare(c, ""),
    "an exchange of the house": lambda c: declare_exchange(c, "freehold.more"),
    "deleting its own way in": lambda c: c.exchange_delete("freehold.program.shop"),
    "reading a service's queue": lambda c: read(c, "mail.events"),
    "emptying a service's queue": lambda c: purge(c, "mail.events"),
    "binding a service's queue": lambda c: bind_queue(c, "mail.events", "freehold.events"),
    "reading the house's other exchanges": lambda c: bind_own(c, "freehold.realtime"),
    "a noun of the house": lambda c: publish(c, "freehold.program.shop", "user.registered"),
    "a noun of another program": lambda c: publish(c, "freehold.program.shop", "parcel.sent"),
    "a noun that begins alike": lambda c: publish(c, "freehold.program.shop", "orders.placed"),
    "more words than two": lambda c: publish(c, "freehold.program.shop", "order.placed.now"),
    "the events exchange itself": lambda c: publish(c, "freehold.events", "user.registered"),
    "another program's exchange": lambda c: publish(c, "freehold.program.shop2", "parcel.sent"),
    "the default exchange": lambda c: publish(c, "", "mail.events"),
    "dead letters to the events": lambda c: declare(
        c,
        "program.shop.trick",
        **{
            "x-dead-letter-exchange": "freehold.events",
            "x-dead-letter-routing-key": "user.registered",
        },
    ),
    "dead letters to a queue": lambda c: declare(
        c,
        "program.shop.trick",
        **{"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "mail.events"},
    ),
    "an exchange bound to the events": lambda c: bind_exchange(
        c, "program.shop.trick", "freehold.events"
    ),
    "an alternate exchange": lambda c: alternate(c, "program.shop.trick2", "freehold.events"),
}


async def declare_exchange(channel: AbstractChannel, name: str) -> None:
    await channel.declare_exchange(name, ExchangeType.TOPIC)


async def purge(channel: AbstractChannel, queue: str) -> None:
    await (await channel.get_queue(queue, ensure=False)).purge()


async def bind_own(channel: AbstractChannel, exchange: str) -> None:
    await declare(channel, "program.shop.tap")
    await bind_queue(channel, "program.shop.tap", exchange)


@pytest.mark.parametrize("what", FORBIDDEN)
async def test_everything_else_is_refused(connect: Connect, what: str) -> None:
    mail = await connect("mail")
    await mail.declare_exchange("freehold.realtime", ExchangeType.FANOUT, durable=True)
    async with house_queue(connect, "user.*") as queue:
        shop = await connect("program.shop")
        with pytest.raises(ChannelAccessRefused, match="ACCESS_REFUSED"):
            await FORBIDDEN[what](shop)
        assert await queue.get(fail=False) is None


@pytest.mark.parametrize("trick", ["binding", "dead letter", "alternate exchange"])
async def test_no_way_round_its_own_exchange_lets_a_noun_of_the_house_pass(
    connect: Connect, trick: str
) -> None:
    """The broker checks keys only of what a client publishes itself; the bindings hold always."""
    async with house_queue(connect, "#") as queue:
        shop = await connect("program.shop")
        name = f"program.shop.{trick.replace(' ', '-')}"
        way_in = "freehold.program.shop"
        if trick == "binding":
            own = await shop.declare_exchange(name, ExchangeType.TOPIC, durable=True)
            await (await shop.get_exchange(way_in, ensure=False)).bind(own, "#")
        elif trick == "alternate exchange":
            own = await shop.declare_exchange(
                name, ExchangeType.TOPIC, durable=True, arguments={"alternate-exchange": way_in}
            )
        else:
            own = await shop.declare_exchange(name, ExchangeType.TOPIC, durable=True)
            dying = await shop.declare_queue(
                f"{name}.queue",
                durable=True,
                arguments={"x-dead-letter-exchange": way_in, "x-message-ttl": 0},
            )
            await dying.bind(own, "#")
        await own.publish(aio_pika.Message(b"forged"), "user.registered", mandatory=False)
        await own.publish(aio_pika.Message(b"honest"), "order.placed", mandatory=False)

        async def arrived() -> bytes | None:
            received = await queue.get(fail=False, no_ack=True)
            return received.body if received else None

        # The honest one was published later, and nothing came before it.
        await eventually(arrived_once(arrived), b"honest")
        assert await arrived() is None


def arrived_once(
    arrived: Callable[[], Awaitable[bytes | None]],
) -> Callable[[], Awaitable[bytes | None]]:
    """Ask until something has come, and then give that for ever."""
    first: list[bytes] = []

    async def look() -> bytes | None:
        if not first and (body := await arrived()) is not None:
            first.append(body)
        return first[0] if first else None

    return look


async def test_a_queue_that_nobody_reads_cannot_grow_for_ever(
    connect: Connect, rabbitmq: RabbitNode
) -> None:
    shop = await connect("program.shop")
    queue = await shop.declare_queue("program.shop.forgotten", durable=True)
    found = f'rabbit_misc:r(<<"{HOST}">>, queue, <<"{queue.name}">>)'
    in_force = rabbitmq.control(
        "eval",
        f"{{ok, Q}} = rabbit_amqqueue:lookup({found}), rabbit_policy:effective_definition(Q).",
    )
    assert in_force.strip() == '#{<<"max-length-bytes">> => 268435456}'
    await queue.delete()


async def test_what_it_may_not_emit_any_more_goes_nowhere_at_once(
    connect: Connect, node: Node, rabbitmq: RabbitNode
) -> None:
    before, after = program("change", "letter", "note"), program("change", "note", "memo")
    node.import_definitions(program_definitions(HOST, [before]))
    node.import_definitions(program_definitions(HOST, [after]))
    await node.restrict(after, before.emits)
    bindings = rabbitmq.control(
        "list_bindings", "--vhost", HOST, "source_name", "routing_key", "destination_name"
    ).splitlines()
    keys = [line.split("\t")[1] for line in bindings if line.startswith("freehold.program.change")]
    assert sorted(keys) == ["memo.*", "note.*"]
    changed = await connect("program.change")
    with pytest.raises(ChannelAccessRefused):
        await publish(changed, "freehold.program.change", "letter.sent")
    assert TEMPORARY_ACCOUNT not in rabbitmq.control("list_users")
    await node.remove(after)


async def test_removing_it_ends_its_connections_and_leaves_nothing(
    connect: Connect, node: Node, rabbitmq: RabbitNode
) -> None:
    gone = program("gone", "relic")
    node.import_definitions(program_definitions(HOST, [gone]))
    channel = await connect("program.gone")
    exchange = await channel.declare_exchange("program.gone.own", ExchangeType.FANOUT, durable=True)
    queue = await channel.declare_queue("program.gone.events", durable=True)
    await queue.bind(exchange)
    kept = await (await connect("program.shop2")).declare_queue("program.shop2.events")
    await node.remove(gone)
    with pytest.raises((AMQPError, ChannelInvalidStateError, ConnectionError)):
        await publish(channel, "freehold.program.gone", "relic.found")
    for listing in ("list_queues", "list_exchanges"):
        names = rabbitmq.control(listing, "--vhost", HOST, "name")
        assert "program.gone" not in names
    assert kept.name in rabbitmq.control("list_queues", "--vhost", HOST, "name")
    users = rabbitmq.control("list_users")
    assert "program.gone" not in users
    assert TEMPORARY_ACCOUNT not in users
