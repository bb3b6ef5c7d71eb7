"""Single attempts against receivers of every kind, and against those that must not be reached."""

from collections.abc import AsyncIterator
from ipaddress import ip_address, ip_network

import pytest

from services.jobs.webhooks import sending
from services.jobs.webhooks.sending import Answer, Sender
from shared.chassis.outgoing.addresses import AddressGuard, IPAddress
from shared.chassis.outgoing.requests import OutgoingRequests
from tests.parts.receiver import (
    Behaviour,
    Receiver,
    answer,
    endless_body,
    endless_headers,
    garbage,
    hang,
    hang_in_body,
    reset,
)

HEADERS = {"webhook-id": "id"}
BODY = b'{"a":1}'


class Loopback:
    """Says that every name is this machine."""

    async def resolve(self, host: str, port: int) -> list[IPAddress]:  # noqa: ARG002 - the interface's
        return [ip_address("127.0.0.1")]


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    receiver = Receiver()
    await receiver.start()
    yield receiver
    await receiver.stop()


async def send(receiver: Receiver, *allowed: str) -> Answer:
    networks = [ip_network(network) for network in allowed or ("127.0.0.1/32",)]
    guard = AddressGuard(networks, setting="FREEHOLD_WEBHOOK_ALLOWED_NETWORKS")
    sender = Sender(OutgoingRequests(guard, Loopback()))
    return await sender.send(f"http://hooks.example:{receiver.port}/in?x=1", HEADERS, BODY)


async def test_what_is_sent(receiver: Receiver) -> None:
    receiver.behaviours = [answer(204)]
    result = await send(receiver)
    assert (result.succeeded, result.status, result.text, result.error) == (True, 204, "", None)
    [request] = receiver.received
    assert request.line == "POST /in?x=1 HTTP/1.1"
    assert request.headers == {
        "Host": f"hooks.example:{receiver.port}",
        "User-Agent": "Freehold-Webhooks",
        "Content-Type": "application/json",
        "Content-Length": "7",
        "Connection": "close",
        "webhook-id": "id",
    }
    assert request.body == BODY


@pytest.mark.parametrize(
    ("behaviour", "status", "error"),
    [
        (answer(200), 200, None),
        (answer(299), 299, None),
        (answer(302, location="http://127.0.0.1:1/"), 302, "redirects are not followed"),
        (answer(308, location="http://127.0.0.1:1/"), 308, "redirects are not followed"),
        (answer(400), 400, "answered 400"),
        (answer(410), 410, "wants no more messages"),
        (answer(500), 500, "answered 500"),
        (hang, None, "no answer within"),
        (hang_in_body, 200, None),
        (endless_body, 200, None),
        (reset, None, "the connection ended"),
        (garbage, None, "the connection ended"),
        (endless_headers, None, "the connection ended"),
    ],
)
async def test_receivers(
    receiver: Receiver,
    monkeypatch: pytest.MonkeyPatch,
    behaviour: Behaviour,
    status: int | None,
    error: str | None,
) -> None:
    if behaviour is hang:
        monkeypatch.setattr(sending, "ANSWER_SECONDS", 1.0)
    monkeypatch.setattr(sending, "BODY_SECONDS", 0.3)
    receiver.behaviours = [behaviour]
    result = await send(receiver)
    assert result.status == status
    assert result.succeeded is (error is None)
    assert error is None or error in str(result.error)
    assert result.duration is not None
    assert result.duration < 12
    assert receiver.connections == 1


async def test_of_a_huge_answer_only_the_beginning_is_read(receiver: Receiver) -> None:
    receiver.behaviours = [endless_body]
    result = await send(receiver)
    assert result.text == "x" * 1024
    assert receiver.sent < 16 * 1024 * 1024  # what the kernel's buffers took


async def test_an_answer_that_is_no_text_is_made_one(receiver: Receiver) -> None:
    receiver.behaviours = [answer(500, b"a\x00b\xffc")]
    assert (await send(receiver)).text == "a\ufffdb\ufffdc"


async def test_retry_after_is_handed_on(receiver: Receiver) -> None:
    receiver.behaviours = [answer(503, Retry_After="120")]
    assert (await send(receiver)).retry_after == "120"


async def test_nobody_listens() -> None:
    result = await send(Receiver())
    assert result.status is None
    assert "no connection" in str(result.error)


async def test_what_the_guard_refuses_is_said_with_the_setting_that_allows_it(
    receiver: Receiver,
) -> None:
    result = await send(receiver, "10.0.0.0/8")
    assert result.status is None
    assert "loopback" in str(result.error)
    assert "FREEHOLD_WEBHOOK_ALLOWED_NETWORKS" in str(result.error)
    assert receiver.connections == 0
