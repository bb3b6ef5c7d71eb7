"""Who gets in, who stays, and what a client is answered."""

import asyncio
import json
import time
from typing import Any
from uuid import uuid4

import pytest

from tests.service.realtime.client import connect
from tests.service.realtime.conftest import RealtimeHouse


async def test_the_first_frame_is_auth(house: RealtimeHouse) -> None:
    process = await house.start_web()
    for frame in ({"op": "ping"}, {"op": "subscribe", "channel": "room:r"}, {"op": "dance"}, []):
        async with connect(process.path) as client:
            await client.connection.send(json.dumps(frame))
            assert (await client.receive())["op"] == "error"
            assert await client.closed() == 4401


@pytest.mark.parametrize(
    ("claims", "code", "close_code"),
    [
        ({"seconds": -1}, "token_expired", 4401),
        ({"aud": "somebody else"}, "token_invalid", 4401),
        ({"iss": "https://else.example"}, "token_invalid", 4401),
        ({"scope": "files:read"}, "scope_missing", 4403),
    ],
)
async def test_a_token_that_does_not_let_in(
    house: RealtimeHouse, claims: dict[str, Any], code: str, close_code: int
) -> None:
    process = await house.start_web()
    async with connect(process.path) as client:
        frame = await client.ask(op="auth", id="a", token=house.auth.token(uuid4(), **claims))
        assert (frame["op"], frame["id"], frame["code"]) == ("error", "a", code)
        assert await client.closed() == close_code


async def test_a_forged_token_does_not_let_in(house: RealtimeHouse) -> None:
    process = await house.start_web()
    head, claims, signature = house.auth.token(uuid4()).split(".")
    flipped = ("B" if signature[0] == "A" else "A") + signature[1:]
    for token in ("x", "a.b.c", f"{head}.{claims}.", f"{head}.{claims}.{flipped}"):
        async with connect(process.path) as client:
            assert (await client.ask(op="auth", token=token))["code"] == "token_invalid"
            assert await client.closed() == 4401


async def test_who_says_nothing_is_closed(house: RealtimeHouse) -> None:
    process = await house.start_web(realtime_auth_seconds=1)
    async with connect(process.path) as client:
        started = time.monotonic()
        assert await client.closed() == 4401
        assert 0.9 < time.monotonic() - started < 30


@pytest.mark.alone
async def test_a_revoked_session_is_closed_within_a_second_and_no_other(
    house: RealtimeHouse,
) -> None:
    process, user_id = await house.start_web(), uuid4()
    taken = []
    for _ in range(3):
        session_id = uuid4()
        token = house.auth.token(user_id, session_id=session_id)
        async with (
            connect(process.path) as one,
            connect(process.path) as two,
            connect(process.path) as other,
        ):
            for client in (one, two):
                await client.log_in(token)
            await other.log_in(house.auth.token(user_id))
            house.auth.revoked.append(session_id)
            started = time.monotonic()
            assert await one.closed() == 4401
            assert await two.closed() == 4401
            taken.append(time.monotonic() - started)
            await other.nothing_more()
        async with connect(process.path) as again:
            assert (await again.ask(op="auth", token=token))["code"] == "token_revoked"
            assert await again.closed() == 4401
    # The median: one of them may meet what else the machine does.
    assert sorted(taken)[1] < 1.0, taken


async def test_revocations_from_before_the_start_are_known(house: RealtimeHouse) -> None:
    session_id = uuid4()
    house.auth.revoked.append(session_id)
    process = await house.start_web()
    async with connect(process.path) as client:
        token = house.auth.token(uuid4(), session_id=session_id)
        assert (await client.ask(op="auth", token=token))["code"] == "token_revoked"


async def test_an_expired_token_ends_the_connection_unless_it_is_renewed(
    house: RealtimeHouse,
) -> None:
    process, user_id, renewed_session = await house.start_web(), uuid4(), uuid4()
    async with connect(process.path) as stays, connect(process.path) as ends:
        # Short, because it is waited for, and time enough to renew it on a machine that stalls.
        await stays.log_in(house.auth.token(user_id, seconds=8))
        await ends.log_in(house.auth.token(user_id, seconds=8))
        new = house.auth.token(user_id, session_id=renewed_session)
        answer = await stays.ask(op="auth", id=2, token=new)
        assert (answer["op"], answer["id"]) == ("ok", 2)
        assert 800 <= answer["expires_in"] <= 900
        assert await ends.closed() == 4401
        await stays.nothing_more()
        house.auth.revoked.append(renewed_session)  # it now belongs to the session of the new token
        assert await stays.closed() == 4401


async def test_a_renewal_that_fails_changes_nothing(house: RealtimeHouse) -> None:
    process, user_id = await house.start_web(), uuid4()
    async with connect(process.path) as client:
        await client.log_in(house.auth.token(user_id))
        expired = house.auth.token(user_id, seconds=-5)
        assert (await client.ask(op="auth", token=expired))["code"] == "token_expired"
        await client.nothing_more()


async def test_a_connection_does_not_change_hands(house: RealtimeHouse) -> None:
    process = await house.start_web()
    async with connect(process.path) as client:
        await client.log_in(house.auth.token(uuid4()))
        await client.send(op="auth", token=house.auth.token(uuid4()))
        assert await client.closed() == 4403


OTHERS = "user:01940000-0000-7000-8000-000000000001"


@pytest.mark.parametrize(
    ("text", "expected_id", "code"),
    [
        ("no json", None, "invalid_json"),
        ("[" * 5000, None, "invalid_json"),
        ('"op"', None, "invalid_json"),
        ("{}", None, "unknown_op"),
        ('{"id": "p", "op": "presence", "channel": "room:r"}', "p", "unknown_op"),
        ('{"id": 0, "op": "subscribe"}', 0, "validation_failed"),
        ('{"id": 1, "op": "subscribe", "channel": 5}', 1, "validation_failed"),
        ('{"id": 1, "op": "subscribe", "channel": "room:r", "x": 1}', 1, "validation_failed"),
        ('{"id": {}, "op": "ping"}', None, "validation_failed"),
        ('{"id": 1, "op": "subscribe", "channel": "lobby"}', 1, "channel_invalid"),
        ('{"id": 1, "op": "subscribe", "channel": "room:"}', 1, "channel_invalid"),
        ('{"id": 1, "op": "subscribe", "channel": "room:a b"}', 1, "channel_invalid"),
        ('{"id": 1, "op": "subscribe", "channel": "user:me"}', 1, "channel_invalid"),
        (f'{{"id": 1, "op": "subscribe", "channel": "{OTHERS}"}}', 1, "channel_forbidden"),
        (
            f'{{"id": 1, "op": "publish", "channel": "{OTHERS}", "event": "e"}}',
            1,
            "channel_forbidden",
        ),
        (
            '{"id": 1, "op": "publish", "channel": "room:r", "event": "a b"}',
            1,
            "validation_failed",
        ),
        (
            '{"id": 1, "op": "publish", "channel": "room:r", "event": "e", "data": "\\u0000"}',
            1,
            "validation_failed",
        ),
        (
            '{"id": 1, "op": "publish", "channel": "room:r", "event": "e", "data": ["\\ud800"]}',
            1,
            "validation_failed",
        ),
        (
            '{"id": 1, "op": "publish", "channel": "room:r", "event": "e", "data": NaN}',
            1,
            "validation_failed",
        ),
        ('{"id": "\\ud800", "op": "ping", "\\udfff": 1}', "\ud800", "validation_failed"),
    ],
)
async def test_a_frame_in_error_is_answered_and_the_connection_goes_on(
    house: RealtimeHouse, text: str, expected_id: object, code: str
) -> None:
    process = await house.start_web()
    async with connect(process.path) as client:
        await client.log_in(house.auth.token(uuid4()))
        await client.connection.send(text)
        frame = await client.receive()
        assert (frame["op"], frame.get("id"), frame["code"]) == ("error", expected_id, code)
        assert frame["detail"]
        await client.nothing_more()
    assert await house.count("outbox") == 0


async def test_limits(house: RealtimeHouse) -> None:
    process = await house.start_web(
        realtime_channels=3, realtime_frame_burst=8, realtime_frames_per_second=0.01
    )
    async with connect(process.path) as client:
        await client.log_in(house.auth.token(uuid4()))
        for name in ("a", "b"):
            await client.subscribe(f"room:{name}")
        await client.subscribe("room:a")  # again: no further channel
        frame = await client.ask(op="subscribe", channel="room:c", id=1)
        assert (frame["code"], frame["id"]) == ("too_many_channels", 1)
        await client.ask(op="unsubscribe", channel="room:a")
        await client.subscribe("room:c")
        answers = [await client.ask(op="ping") for _ in range(4)]
        assert answers[-1]["code"] == "rate_limited"


async def test_frames_that_are_too_large_or_binary_end_the_connection(
    house: RealtimeHouse,
) -> None:
    process = await house.start_web()
    for frame, code in (("x" * 70_000, 1009), (b"{}", 1003)):
        async with connect(process.path) as client:
            await client.log_in(house.auth.token(uuid4()))
            await client.connection.send(frame)
            assert await client.closed() == code


async def test_draining_closes_every_socket_with_1012(house: RealtimeHouse) -> None:
    process = await house.start_web()
    async with connect(process.path) as one, connect(process.path) as two:
        for client in (one, two):
            await client.log_in(house.auth.token(uuid4()))
        stopping = asyncio.create_task(process.lifecycle.stop())
        assert await one.closed() == 1012
        assert await two.closed() == 1012
        await stopping


async def test_a_plain_get_is_asked_to_upgrade(house: RealtimeHouse) -> None:
    process = await house.start_web()
    async with process.http() as client:
        answer = await client.get("/v1/realtime")
    assert (answer.status_code, answer.json()["code"]) == (426, "upgrade_required")


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"channel": "room:r", "event": "e"}, 202, None),
        ({"channel": "room:r", "event": "e", "data": "x" * 70_000}, 413, "payload_too_large"),
        ({"channel": "room:r", "event": "e", "data": "about \\u0000"}, 202, None),
        ({"channel": "room:r", "event": "e", "data": {"\0": 1}}, 422, "validation_failed"),
        ({"channel": "room:r"}, 422, "validation_failed"),
        ({"channel": "room:r", "event": "e\n"}, 422, "validation_failed"),
        ({"channel": "room:r", "event": "e", "more": 1}, 422, "validation_failed"),
        ({"channel": "rooms", "event": "e"}, 422, "channel_invalid"),
        ({"channel": OTHERS, "event": "e"}, 403, "channel_forbidden"),
    ],
)
async def test_publishing_over_http(
    house: RealtimeHouse, body: dict[str, Any], status: int, code: str | None
) -> None:
    process = await house.start_web()
    async with process.http() as client:
        guest = await client.post("/v1/realtime/publish", json=body)
        assert (guest.status_code, guest.json()["code"]) == (401, "authentication_required")
        key = {"Authorization": f"Bearer {house.auth.token(uuid4(), scope='files:read')}"}
        if status == 202:
            refused = await client.post("/v1/realtime/publish", json=body, headers=key)
            assert (refused.status_code, refused.json()["code"]) == (403, "scope_missing")
        user = {"Authorization": f"Bearer {house.auth.token(uuid4())}"}
        answer = await client.post("/v1/realtime/publish", json=body, headers=user)
    assert answer.status_code == status
    assert answer.json().get("code") == code
    assert await house.count("outbox") == (1 if status == 202 else 0)
