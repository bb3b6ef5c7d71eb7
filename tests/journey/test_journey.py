"""The main journey through the services: exactly these events, mails, rows and objects."""

import asyncio
import hashlib
import time
from collections import Counter

import jwt
import pytest
import pyvips

from tests.journey.client import LONG_SECONDS, PASSWORD, Client, Socket
from tests.journey.stack import RunningStack


async def test_the_main_journey_and_nothing_else(stack: RunningStack, photo: bytes) -> None:
    before = Counter(await stack.events())
    async with Client(stack) as ada, Client(stack) as bob:
        # 1. Sign-up: the mail with the link lies in the inbox.
        accepted = await ada.call(
            "POST", "/v1/auth/signup", json={"email": ada.email, "password": PASSWORD}
        )
        assert (accepted.status_code, accepted.json()) == (202, {"status": "verification_sent"})
        (mail,) = await stack.mails(ada.email)
        assert mail["to"] == ada.email
        assert mail["headers"]["Auto-Submitted"] == "auto-generated"
        await ada.verify()

        # 2. Sessions.
        header = jwt.get_unverified_header(ada.session["access_token"])
        assert (header["alg"], header["typ"]) == ("ES256", "at+jwt")
        keys = (await ada.http.get("/.well-known/jwks.json")).json()["keys"]
        assert header["kid"] in {key["kid"] for key in keys}
        claims = jwt.decode(
            ada.session["access_token"],
            jwt.PyJWK(next(key for key in keys if key["kid"] == header["kid"])).key,
            ["ES256"],
            audience="freehold",
        )
        assert claims["exp"] - claims["iat"] == 900
        first = await ada.log_in()
        refreshed = await ada.call(
            "POST", "/v1/auth/refresh", json={"refresh_token": first["refresh_token"]}
        )
        assert refreshed.status_code == 200
        assert refreshed.json()["refresh_token"] != first["refresh_token"]
        ada.session = refreshed.json()

        # 3. A socket on the user's own channel; 4. a file whose thumbnail is announced there.
        socket = await ada.connect()
        uploaded = await ada.call(
            "POST", "/v1/files", files={"file": ("photo.jpg", photo, "image/jpeg")}
        )
        assert uploaded.status_code == 201
        file = uploaded.json()
        assert file["sha256"] == hashlib.sha256(photo).hexdigest()
        assert (file["name"], file["size"], file["owner_id"]) == (
            "photo.jpg",
            len(photo),
            ada.user_id,
        )
        ready = await socket.frame("event", event="file.ready")
        assert ready["channel"] == f"user:{ada.user_id}"
        assert (ready["data"]["id"], ready["data"]["state"]) == (file["id"], "ready")
        assert list(ready["data"]["variants"]) == ["thumb"]
        await bytes_are_served(ada, file["id"], photo)
        await bob.sign_up()
        for path in ("", "/content", "/variants/thumb"):
            foreign = await bob.call("GET", f"/v1/files/{file['id']}{path}")
            assert (foreign.status_code, foreign.json()["code"]) == (404, "file_not_found")

        # 5. A message from Bob reaches Ada on whichever of the two processes she is.
        await socket.send(id="2", op="subscribe", channel="room:lobby")
        await socket.frame("ok", id="2")
        published = await bob.call(
            "POST",
            "/v1/realtime/publish",
            json={"channel": "room:lobby", "event": "greeting", "data": {"text": "hello"}},
        )
        assert published.status_code == 202
        event = await socket.frame("event", event="greeting")
        assert (event["channel"], event["data"]) == ("room:lobby", {"text": "hello"})

        # Log-out ends the token and the socket.
        await log_out(ada, socket)
        assert socket.rest() == []

        await settled(stack)
        assert Counter(await stack.events()) - before == Counter(
            {
                ("auth", "signup.requested"): 2,
                ("auth", "user.registered"): 2,
                ("auth", "session.revoked"): 1,
                ("files", "file.uploaded"): 1,
                ("files", "file.ready"): 1,
                ("mail", "mail.delivered"): 2,
                ("realtime", "message"): 2,
            }
        )
        assert (len(stack.inbox(ada.email)), len(stack.inbox(bob.email))) == (1, 1)
        await nothing_is_left_over(stack)


async def log_out(client: Client, socket: Socket) -> float:
    """Return after how many seconds neither the token nor the socket was good any more."""
    assert (await client.call("POST", "/v1/auth/logout", json={})).status_code == 204
    started = time.monotonic()
    async with asyncio.timeout(LONG_SECONDS):
        await socket.connection.wait_closed()
        while (gone := await client.call("GET", "/v1/auth/me")).status_code == 200:
            await asyncio.sleep(0.05)
    taken = time.monotonic() - started
    assert socket.connection.close_code == 4401
    assert (gone.status_code, gone.json()["code"]) == (401, "token_revoked")
    return taken


@pytest.mark.alone
async def test_a_log_out_is_known_everywhere_within_a_second(stack: RunningStack) -> None:
    stack.wait_healthy()
    taken = []
    async with Client(stack) as ada:
        await ada.sign_up()
        for _ in range(3):
            taken.append(await log_out(ada, await ada.connect()))
            await ada.log_in()
    # The median: one of them may meet what else the machine does.
    assert sorted(taken)[1] < 1, taken


async def bytes_are_served(client: Client, file_id: str, photo: bytes) -> None:
    """Content with ranges and conditions, and the thumbnail."""
    path = f"/v1/files/{file_id}/content"
    whole = await client.call("GET", path)
    assert (whole.status_code, whole.content) == (200, photo)
    assert whole.headers["content-type"] == "image/jpeg"
    assert whole.headers["x-content-type-options"] == "nosniff"
    part = await client.call("GET", path, headers={"Range": "bytes=100-199"})
    assert (part.status_code, part.content) == (206, photo[100:200])
    assert part.headers["content-range"] == f"bytes 100-199/{len(photo)}"
    same = await client.call("GET", path, headers={"If-None-Match": whole.headers["etag"]})
    assert (same.status_code, same.content) == (304, b"")
    beyond = await client.call("GET", path, headers={"Range": f"bytes={len(photo)}-"})
    assert beyond.status_code == 416
    thumb = await client.call("GET", f"/v1/files/{file_id}/variants/thumb")
    assert (thumb.status_code, thumb.headers["content-type"]) == (200, "image/webp")
    image = pyvips.Image.new_from_buffer(thumb.content, "")
    assert max(image.width, image.height) == 400


async def settled(stack: RunningStack) -> None:
    """Wait until no outbox and no due job waits."""
    async with asyncio.timeout(LONG_SECONDS):
        while any(
            [
                await stack.query(
                    schema,
                    "SELECT 1 FROM jobs WHERE run_at <= now()"
                    " AND state IN ('scheduled', 'queued', 'running')",
                )
                for schema in ("auth", "files", "mail", "realtime", "jobs")
            ]
        ):
            await asyncio.sleep(0.1)


async def nothing_is_left_over(stack: RunningStack) -> None:
    """No dead letter, no failed job, no upload half done."""
    for schema in ("auth", "files", "mail", "realtime", "jobs"):
        assert await stack.query(schema, "SELECT * FROM dead_letters") == []
        assert await stack.query(schema, "SELECT * FROM jobs WHERE state = 'failed'") == []
    assert await stack.query("files", "SELECT * FROM files WHERE state = 'uploading'") == []
