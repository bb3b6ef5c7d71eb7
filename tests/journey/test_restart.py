"""A rolling restart of every service under load: no request fails, no message is missed."""

import asyncio
from collections import Counter

from websockets.exceptions import ConnectionClosed

from tests.journey.client import LONG_SECONDS, Client, Socket
from tests.journey.stack import RunningStack

CHANNEL = "room:restart"


async def test_a_rolling_restart_loses_nothing(stack: RunningStack) -> None:
    stack.wait_healthy()
    async with Client(stack) as ada:
        await ada.sign_up()
        socket = await ada.connect()
        await socket.send(id="1", op="subscribe", channel=CHANNEL)
        position = (await socket.frame("ok", id="1"))["position"]
        answers: Counter[tuple[str, int]] = Counter()
        done = asyncio.Event()

        async def read() -> None:
            while not done.is_set():
                answers["GET", (await ada.call("GET", "/v1/auth/me")).status_code] += 1

        async def publish() -> None:
            sent, event = 0, "count"
            while event == "count":
                event = "end" if done.is_set() else "count"
                message = {"channel": CHANNEL, "event": event, "data": sent}
                answer = await ada.call("POST", "/v1/realtime/publish", json=message)
                answers["POST", answer.status_code] += 1
                sent += 1
                await asyncio.sleep(0.02)

        load = [asyncio.create_task(read()) for _ in range(4)]
        load.append(asyncio.create_task(publish()))
        listening = asyncio.create_task(_listen_to_the_end(ada, socket, position))
        await asyncio.to_thread(stack.run, "restart")
        done.set()
        await asyncio.gather(*load)
        assert set(answers) == {("GET", 200), ("POST", 202)}, answers
        received, closes = await asyncio.wait_for(listening, LONG_SECONDS)
        assert received == list(range(answers["POST", 202]))
        assert set(closes) == {1012}


async def _listen_to_the_end(
    client: Client, socket: Socket, position: str
) -> tuple[list[int], list[int]]:
    """Return the data of all messages up to the event `end`, and the close codes on the way."""
    received: list[int] = []
    closes: list[int] = []
    while True:
        try:
            event = await socket.frame("event", channel=CHANNEL)
        except ConnectionClosed as error:
            closes.append(error.rcvd.code if error.rcvd else 0)
            socket = await client.reconnect()
            await socket.send(id="2", op="subscribe", channel=CHANNEL, recover=position)
            assert (await socket.frame("ok", id="2"))["recovered"] is True
            continue
        received.append(event["data"])
        position = event["position"]
        if event["event"] == "end":
            await socket.close()
            return received, closes
