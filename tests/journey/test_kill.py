"""`kill -9` of any one of our processes delays the journey and loses nothing."""

import asyncio

import pytest
from websockets.exceptions import ConnectionClosed

from tests.journey.client import LONG_SECONDS, Client, Socket
from tests.journey.stack import RunningStack

PARTS = [
    "auth",
    "files",
    "mail",
    "realtime",
    "jobs",
    "gateway",
    "auth-worker",
    "files-worker",
    "mail-worker",
    "realtime-worker",
    "jobs-worker",
    "nginx",
    "inbox",
    "seaweedfs",
    "rabbitmq",
    "postgres",
]


@pytest.mark.parametrize("part", PARTS)
async def test_the_journey_goes_on(stack: RunningStack, photo: bytes, part: str) -> None:
    stack.wait_healthy()
    async with Client(stack) as ada, Client(stack) as bob:
        stack.kill(part)
        await ada.sign_up()
        await bob.sign_up()
        socket = await ada.reconnect()
        await socket.send(id="1", op="subscribe", channel="room:kill")
        position = (await socket.frame("ok", id="1"))["position"]
        upload = {"file": ("photo.jpg", photo, "image/jpeg")}
        file = (await ada.persist("POST", "/v1/files", 201, files=upload)).json()
        if part != "seaweedfs":
            stack.wait_healthy()
            stack.kill(part)
        message = {"channel": "room:kill", "event": "still.there", "data": part}
        await bob.persist("POST", "/v1/realtime/publish", 202, json=message)
        seen = await recovered_events(ada, socket, position)
        assert seen["still.there"]["data"] == part
        assert seen["file.ready"]["data"]["id"] == file["id"]
        content = await ada.persist("GET", f"/v1/files/{file['id']}/content", 200)
        assert content.content == photo
    assert len(stack.inbox(ada.email)) >= 1


async def recovered_events(
    client: Client, socket: Socket, position: str
) -> dict[str, dict[str, object]]:
    """Read both events, over as many connections as it takes."""
    seen: dict[str, dict[str, object]] = {}
    async with asyncio.timeout(2 * LONG_SECONDS):
        while len(seen) < 2:
            try:
                frame = await socket.frame("event", seconds=60)
                seen[str(frame["event"])] = frame
            except (ConnectionClosed, TimeoutError):
                socket = await client.reconnect()
                for channel in ("room:kill", f"user:{client.user_id}"):
                    await socket.send(id=channel, op="subscribe", channel=channel, recover=position)
    await socket.close()
    return seen
