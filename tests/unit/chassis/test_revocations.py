"""The doors know every ended session within a poll, and say so when they no longer can."""

import asyncio
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest

from shared.chassis.errors import Unavailable
from shared.chassis.identity import revocations
from shared.chassis.identity.revocations import RevocationList
from shared.chassis.identity.tokens import Identity
from shared.chassis.lifecycle import Lifecycle
from tests.parts.waiting import PATIENCE_SECONDS


class Auth:
    """Answers polls as auth does: everything first, then what is new."""

    def __init__(self) -> None:
        self.revoked: list[tuple[UUID, float]] = []
        self.cursors: list[str] = []
        self.reachable = True
        self.polled = asyncio.Event()
        self.repeats = False

    async def get(self, path: str, *, since: str) -> dict[str, Any]:
        assert path == "/internal/revocations"
        self.cursors.append(since)
        self.polled.set()
        if not self.reachable:
            raise Unavailable("auth")
        start = 0 if self.repeats else int(since or 0)
        items = [
            {
                "session_id": str(session),
                "expires_at": datetime.fromtimestamp(expires_at, UTC).isoformat(),
            }
            for session, expires_at in self.revoked[start:]
        ]
        return {"items": items, "cursor": str(len(self.revoked))}

    def revoke(self, lifetime: float = 900) -> UUID:
        session = uuid4()
        self.revoked.append((session, time.time() + lifetime))
        return session

    async def polls(self, count: int) -> None:
        """Return when so many more polls have begun."""
        for _ in range(count):
            self.polled.clear()
            await asyncio.wait_for(self.polled.wait(), PATIENCE_SECONDS)


@dataclass
class Clock:
    """Stands in for the time module."""

    now: float = 1000.0

    def monotonic(self) -> float:
        return self.now

    def time(self) -> float:
        return time.time() + self.now - 1000.0


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(revocations, "time", clock)
    monkeypatch.setattr(revocations, "POLL_SECONDS", 0.001)
    return clock


def revocation_list(auth: Any, lifecycle: Lifecycle | None = None) -> RevocationList:
    return RevocationList(auth, lifecycle or Lifecycle())


def identity(session: UUID) -> Identity:
    return Identity(uuid4(), session, frozenset(), None, int(time.time()) + 900)


@pytest.mark.usefixtures("clock")
async def test_the_list_is_complete_when_start_returns() -> None:
    auth = Auth()
    ended = auth.revoke()
    revoked = revocation_list(auth)
    assert revoked.stale
    await revoked.start()
    assert revoked.is_revoked(identity(ended))
    assert not revoked.is_revoked(identity(uuid4()))
    assert not revoked.stale
    await revoked.stop()


@pytest.mark.usefixtures("clock")
async def test_start_waits_for_auth() -> None:
    auth = Auth()
    auth.reachable = False
    ended = auth.revoke()
    revoked = revocation_list(auth)
    starting = asyncio.create_task(revoked.start())
    await auth.polls(1)
    assert not starting.done()
    auth.reachable = True
    await starting
    assert revoked.is_revoked(identity(ended))
    await revoked.stop()


@pytest.mark.usefixtures("clock")
async def test_a_session_that_ends_is_known_by_the_next_poll_and_told_once() -> None:
    auth = Auth()
    auth.repeats = True  # an overlapping answer must not tell twice
    auth.revoke()
    revoked = revocation_list(auth)
    await revoked.start()
    told: list[UUID] = []
    revoked.on_revoked(told.append)
    ended = auth.revoke()
    await auth.polls(3)
    assert revoked.is_revoked(identity(ended))
    assert told == [ended]
    await revoked.stop()


@pytest.mark.usefixtures("clock")
async def test_each_poll_goes_on_where_the_last_one_ended() -> None:
    auth = Auth()
    auth.revoke()
    revoked = revocation_list(auth)
    await revoked.start()
    auth.revoke()
    await auth.polls(2)
    assert auth.cursors[:3] == ["", "1", "2"]
    await revoked.stop()


async def test_a_list_not_renewed_for_thirty_seconds_is_stale_until_auth_is_back(
    clock: Clock,
) -> None:
    auth = Auth()
    ended = auth.revoke()
    revoked = revocation_list(auth)
    await revoked.start()
    auth.reachable = False
    await auth.polls(2)
    clock.now += 30.0
    assert not revoked.stale
    clock.now += 0.1
    assert revoked.stale
    assert revoked.is_revoked(identity(ended))
    auth.reachable = True
    await auth.polls(2)
    assert not revoked.stale
    await revoked.stop()


async def test_an_answer_is_as_old_as_its_question(clock: Clock) -> None:
    class SlowAuth(Auth):
        async def get(self, path: str, *, since: str) -> dict[str, Any]:
            answer = await super().get(path, since=since)
            clock.now += 31.0
            return answer

    revoked = revocation_list(SlowAuth())
    await revoked._poll()
    assert revoked.stale


async def test_what_has_expired_is_forgotten(clock: Clock) -> None:
    auth = Auth()
    short, long = auth.revoke(lifetime=30), auth.revoke(lifetime=900)
    revoked = revocation_list(auth)
    await revoked.start()
    await auth.polls(1)
    clock.now += 61.0
    await auth.polls(3)
    assert not revoked.is_revoked(identity(short))
    assert revoked.is_revoked(identity(long))
    await revoked.stop()


@pytest.mark.usefixtures("clock")
async def test_an_answer_that_cannot_be_understood_ends_the_process() -> None:
    class BrokenAuth(Auth):
        broken = False

        async def get(self, path: str, *, since: str) -> dict[str, Any]:
            answer = await super().get(path, since=since)
            return {"items": [{}], "cursor": "1"} if self.broken else answer

    auth, lifecycle = BrokenAuth(), Lifecycle()
    revoked = await lifecycle.start(revocation_list(auth, lifecycle))
    auth.broken = True
    with pytest.raises(KeyError):
        await asyncio.wait_for(lifecycle.failed(), PATIENCE_SECONDS)
    await lifecycle.stop()
    assert not revoked.stale
