"""Fan-out to sockets without a network: order, bounds, closing."""

import asyncio
import time
from typing import Any
from uuid import uuid4

import pytest
from starlette.types import Message

from services.realtime import connection as connection_module
from services.realtime import hub as hub_module
from services.realtime.connection import Connection
from services.realtime.frames import CloseCode, ServerFrame
from services.realtime.history import History, Position
from services.realtime.hub import Hub
from services.realtime.limits import TokenBucket
from tests.parts.waiting import PATIENCE_SECONDS


def frame(text: str) -> ServerFrame:
    return ServerFrame(text, len(text))


class Peer:
    """A client as ASGI shows it; it takes nothing while `stalled`."""

    def __init__(self, *, queue_bytes: int = 1000, stalled: bool = False) -> None:
        self.connection = Connection(queue_bytes=queue_bytes)
        self.sent: list[Any] = []
        self.takes = asyncio.Event()
        if not stalled:
            self.takes.set()
        self.incoming: asyncio.Queue[Message] = asyncio.Queue()

    async def send(self, message: Message) -> None:
        await self.takes.wait()
        self.sent.append(message.get("text") or message["code"])

    async def handle(self, text: str) -> None:
        self.connection.enqueue(frame(f"echo {text}"))

    async def serve(self) -> None:
        await self.connection.serve(self.incoming.get, self.send, self.handle)


@pytest.fixture
def hub() -> Hub:
    history = History(seconds=60, messages=100, size=10**6)
    history.restart("e")
    return Hub(history)


def publish(hub: Hub, offset: int, channel: str, text: str) -> None:
    hub.advance(offset)
    hub.deliver(offset, channel, frame(text))


async def test_a_message_goes_to_those_on_its_channel(hub: Hub) -> None:
    on, off = Peer(), Peer()
    for peer in (on, off):
        hub.join(peer.connection)
    hub.subscribe(on.connection, "room:r", None)
    hub.subscribe(off.connection, "room:s", None)
    tasks = [asyncio.create_task(peer.serve()) for peer in (on, off)]
    publish(hub, 0, "room:r", "one")
    publish(hub, 1, "room:r", "two")
    hub.unsubscribe(on.connection, "room:r")
    publish(hub, 2, "room:r", "three")
    hub.close_all("end")
    await asyncio.gather(*tasks)
    assert on.sent == ["one", "two", 1012]
    assert off.sent == [1012]
    for peer in (on, off):
        hub.leave(peer.connection, None)
    assert (hub._connections, hub._channels, hub._sessions) == (set(), {}, {})


async def test_a_slow_client_costs_its_bound_and_then_its_connection() -> None:
    peer = Peer(queue_bytes=100, stalled=True)
    task = asyncio.create_task(peer.serve())
    await asyncio.sleep(0)
    for _ in range(20):
        peer.connection.enqueue(frame("x" * 30))
        assert peer.connection._queued_bytes <= 130
    assert peer.connection.closing
    assert not peer.connection._queue
    peer.takes.set()
    await task
    assert peer.sent[-1] == CloseCode.TOO_SLOW
    assert len(peer.sent) <= 2


async def test_a_client_that_takes_not_even_the_close_is_left(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(connection_module, "CLOSE_SECONDS", 0.05)
    peer = Peer(stalled=True)
    task = asyncio.create_task(peer.serve())
    await asyncio.sleep(0)
    peer.connection.enqueue(frame("x"))
    await asyncio.sleep(0)
    peer.connection.close(CloseCode.RESTART, "restart")
    await asyncio.wait_for(task, PATIENCE_SECONDS)
    assert peer.sent == []


async def test_what_was_queued_goes_before_the_close_unless_it_is_at_once() -> None:
    gentle, hard = Peer(), Peer()
    for peer in (gentle, hard):
        peer.connection.enqueue(frame("queued"))
    gentle.connection.close(CloseCode.RESTART, "")
    hard.connection.close(CloseCode.NOT_AUTHENTICATED, "", at_once=True)
    for peer in (gentle, hard):
        peer.connection.enqueue(frame("too late"))
        await peer.serve()
    assert gentle.sent == ["queued", 1012]
    assert hard.sent == [4401]


async def test_a_client_that_leaves_ends_the_connection() -> None:
    peer = Peer()
    task = asyncio.create_task(peer.serve())
    await peer.incoming.put({"type": "websocket.receive", "text": "hello"})
    await peer.incoming.put({"type": "websocket.disconnect", "code": 1000})
    await asyncio.wait_for(task, PATIENCE_SECONDS)
    assert peer.sent == ["echo hello"]


async def test_ending_a_session_closes_its_sockets_and_no_other(hub: Hub) -> None:
    session, other = uuid4(), uuid4()
    peers = [Peer(), Peer(), Peer()]
    for peer, session_id in zip(peers, (session, session, other), strict=True):
        hub.join(peer.connection)
        hub.log_in(peer.connection, session_id, before=None)
    hub.log_in(peers[1].connection, other, before=session)  # renewed by a token of another session
    hub.end_session(session)
    assert [peer.connection.closing for peer in peers] == [True, False, False]
    hub.end_session(uuid4())
    assert not peers[1].connection.closing


@pytest.mark.alone
async def test_draining_is_spread_over_its_time(hub: Hub) -> None:
    peers = [Peer() for _ in range(10)]
    for peer in peers:
        hub.join(peer.connection)
    started = time.monotonic()
    draining = asyncio.create_task(hub.drain(0.5))
    await asyncio.sleep(0.2)
    closed = sum(peer.connection.closing for peer in peers)
    assert 1 <= closed < 10
    await draining
    assert all(peer.connection.closing for peer in peers)
    assert 0.3 < time.monotonic() - started < 5.0


async def test_a_client_from_a_process_that_was_ahead_is_waited_for(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub_module, "CATCH_UP_SECONDS", 10 * PATIENCE_SECONDS)
    peer = Peer()
    publish(hub, 5, "room:r", "five")
    waiting = asyncio.create_task(hub.catch_up_with(Position("e", 7)))
    await asyncio.sleep(0)
    publish(hub, 6, "room:r", "six")
    await asyncio.sleep(0)
    assert not waiting.done()
    publish(hub, 7, "room:r", "seven")
    await asyncio.wait_for(waiting, PATIENCE_SECONDS)
    assert hub.subscribe(peer.connection, "room:r", Position("e", 7)) == []
    await asyncio.wait_for(hub.catch_up_with(Position("other", 100)), PATIENCE_SECONDS)


def test_the_bucket_allows_a_burst_and_then_the_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    bucket = TokenBucket(rate=2, burst=3)
    assert [bucket.take() for _ in range(5)] == [True, True, True, False, False]
    clock[0] = 0.5
    assert [bucket.take() for _ in range(2)] == [True, False]
    clock[0] = 100
    assert [bucket.take() for _ in range(4)] == [True, True, True, False]
