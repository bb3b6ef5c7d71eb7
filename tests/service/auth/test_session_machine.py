"""Log-ins, refreshes, replays, log-outs, bans and clock jumps in every order Hypothesis thinks of.

PostgreSQL and the service are real. A clock jump moves what the rows say the other way.
"""

import asyncio
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx2
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)

from services.auth.access import RECENT_SECONDS
from services.auth.app import SERVICE
from shared.chassis.database import Database
from shared.chassis.migrations import CHASSIS_MIGRATIONS, migrate
from shared.chassis.settings import DatabaseSettings
from tests.service.auth.auth_service import (
    AuthService,
    bearer,
    claims,
    empty,
    running,
    settings,
)

PEOPLE = ("ada@example.com", "grace@example.com")
ADMINISTRATOR = "admin@example.com"
DAY = 86_400.0
IDLE, LIFETIME = 14 * DAY, 30 * DAY
GRACE = 10.0
JUMPS = st.sampled_from([3.7, 11.9, 3600.3, 13 * DAY, 15 * DAY, -3.7, -3600.3])
JUMP = """
UPDATE sessions SET created_at = created_at - $1::interval,
                    authenticated_at = authenticated_at - $1::interval,
                    refreshed_at = refreshed_at - $1::interval,
                    idle_expires_at = idle_expires_at - $1::interval,
                    expires_at = expires_at - $1::interval"""
LIVE = "SELECT id FROM sessions WHERE idle_expires_at > now() AND expires_at > now()"


@dataclass(eq=False)
class Held:
    """A session as its owner, and whoever copied from them, knows it."""

    session_id: UUID
    email: str
    answer: dict[str, Any]
    opened_at: float
    refreshed_from: float
    refreshed_by: float
    """Between these two it was refreshed last, or opened."""
    tokens: list[str] = field(default_factory=list)
    ended: bool = False

    def is_live(self, now: float) -> bool:
        ends_at = min(self.refreshed_by + IDLE, self.opened_at + LIFETIME)
        return not self.ended and now < ends_at


class SessionsOfPeople(RuleBasedStateMachine):
    """What holds of sessions whatever happens, next to what the service says."""

    url: str
    loop: asyncio.AbstractEventLoop

    held = Bundle("held")

    def __init__(self) -> None:
        super().__init__()
        self.jumped = -time.monotonic()
        self.all: list[Held] = []
        self.banned: set[str] = set()
        self.stack = AsyncExitStack()
        self.run(self._start())

    @property
    def now(self) -> float:
        return time.monotonic() + self.jumped

    def run(self, work: Any) -> Any:
        return self.loop.run_until_complete(work)

    async def _start(self) -> None:
        self.database = Database(DatabaseSettings(postgres_url=self.url), "auth")
        await self.database.start()
        self.stack.push_async_callback(self.database.stop)
        await empty(self.database)
        self.auth: AuthService = await self.stack.enter_async_context(
            running(self.database, settings(self.url))
        )
        self.ids = {}
        for email in (*PEOPLE, ADMINISTRATOR):
            session = await self.auth.register(email)
            self.ids[email] = session["user"]["id"]
        await self.database.execute("DELETE FROM sessions")
        await self.database.execute(
            "UPDATE users SET roles = '{administrator}' WHERE email = $1", ADMINISTRATOR
        )
        self.administrator = (await self.auth.log_in(ADMINISTRATOR)).json()
        await self.database.execute("DELETE FROM sessions")

    def teardown(self) -> None:
        self.run(self.stack.aclose())

    @rule(target=held, email=st.sampled_from(PEOPLE))
    def log_in(self, email: str) -> Any:
        asked_at = self.now
        answer = self.run(self.auth.log_in(email))
        if email in self.banned:
            assert answer.status_code == 403
            return multiple()
        session = answer.json()
        opened = Held(UUID(claims(session)["sid"]), email, session, asked_at, asked_at, self.now)
        opened.tokens.append(session["refresh_token"])
        self.all.append(opened)
        return opened

    @rule(held=held)
    def refresh(self, held: Held) -> None:
        asked_at = self.now
        answer = self.run(self.auth.refresh(held.tokens[-1]))
        if not held.is_live(self.now):
            self._assert_refused(answer, "refresh_token_invalid")
            return
        assert answer.status_code == 200, answer.text
        assert answer.json()["refresh_token"] not in held.tokens
        held.tokens.append(answer.json()["refresh_token"])
        held.answer = answer.json()
        held.refreshed_from, held.refreshed_by = asked_at, self.now

    @rule(held=held, back=st.integers(1, 3))
    def replay(self, held: Held, back: int) -> None:
        if len(held.tokens) <= back:
            return
        asked_at = self.now
        answer = self.run(self.auth.refresh(held.tokens[-1 - back]))
        ages = asked_at - held.refreshed_by, self.now - held.refreshed_from
        if not held.is_live(self.now):
            self._assert_refused(answer, "refresh_token_invalid")
            return
        if max(ages) < -GRACE or min(ages) > GRACE:
            in_grace = False
        else:
            # On a machine that stalls the grace may end in between; then the service decides.
            is_certain = max(map(abs, ages)) <= GRACE
            in_grace = is_certain or answer.status_code == 200
        if back == 1 and in_grace:
            assert answer.json()["refresh_token"] == held.tokens[-1]
            return
        self._assert_refused(answer, "refresh_token_reused")
        held.ended = True

    @rule(held=held, seconds=JUMPS)
    def replay_after_a_jump(self, held: Held, seconds: float) -> None:
        self.refresh(held)
        self.jump(seconds)
        self.replay(held, 1)

    @rule(held=consumes(held), by_refresh_token=st.booleans())
    def log_out(self, held: Held, *, by_refresh_token: bool) -> None:
        if by_refresh_token:
            body = {"refresh_token": held.tokens[-1]}
            answer = self.run(self.auth.post("/v1/auth/logout", body))
        else:
            answer = self._act("POST", "/v1/auth/logout", held)
        assert answer.status_code == 204
        held.ended = True

    @rule(held=held)
    def end_others(self, held: Held) -> None:
        answer = self._act("DELETE", "/v1/auth/sessions", held)
        # What a token says of its age was true when it was made, at the last refresh.
        if held.refreshed_from - held.opened_at > RECENT_SECONDS:
            assert answer.json()["code"] == "reauthentication_required"
            return
        assert answer.status_code == 204
        for other in self.all:
            if other.email == held.email and other is not held:
                other.ended = True

    @rule(email=st.sampled_from(PEOPLE))
    def ban(self, email: str) -> None:
        answer = self._administer(email, "disable", {"reason": "a test"})
        assert answer.status_code < 300, answer.text
        self.banned.add(email)
        for one in self.all:
            if one.email == email:
                one.ended = True

    @rule(email=st.sampled_from(PEOPLE))
    def let_in_again(self, email: str) -> None:
        answer = self._administer(email, "enable", None)
        assert answer.status_code < 300, answer.text
        self.banned.discard(email)

    @rule(seconds=JUMPS)
    def jump(self, seconds: float) -> None:
        self.run(self._jump(seconds))
        self.jumped += seconds

    @invariant()
    def nobody_is_in_who_should_not_be(self) -> None:
        rows = self.run(self.database.fetch(LIVE))
        live = {held.session_id for held in self.all if held.is_live(self.now)}
        assert {row["id"] for row in rows} == live

    @invariant()
    def the_doors_refuse_what_ended(self) -> None:
        revoked = self.run(self.auth.revoked())
        live = {str(held.session_id) for held in self.all if held.is_live(self.now)}
        ended = {str(held.session_id) for held in self.all if held.ended}
        assert not live & revoked
        assert ended <= revoked

    async def _jump(self, seconds: float) -> None:
        await self.database.execute(JUMP, timedelta(seconds=seconds))

    def _act(self, method: str, path: str, held: Held) -> httpx2.Response:
        body: object = {} if method == "POST" else None
        answer: httpx2.Response = self.run(
            self.auth.client.request(method, path, json=body, headers=bearer(held.answer))
        )
        return answer

    def _administer(self, email: str, act: str, body: object) -> httpx2.Response:
        path = f"/v1/auth/users/{self.ids[email]}/{act}"
        answer: httpx2.Response = self.run(
            self.auth.client.post(path, json=body, headers=bearer(self.administrator))
        )
        return answer

    @staticmethod
    def _assert_refused(answer: httpx2.Response, code: str) -> None:
        assert answer.status_code == 401, answer.text
        assert answer.json()["code"] == code


def test_no_order_of_events_lets_anybody_in_who_should_not_be(
    new_database: Callable[[str], str],
) -> None:
    loop = asyncio.new_event_loop()
    url = new_database("auth")
    loop.run_until_complete(_migrate(url))
    machine = type("SessionsOfThisTest", (SessionsOfPeople,), {"url": url, "loop": loop})
    try:
        run_state_machine_as_test(
            machine,
            settings=hypothesis_settings(
                max_examples=25,
                stateful_step_count=40,
                deadline=None,
                database=None,
                derandomize=True,
                suppress_health_check=list(HealthCheck),
            ),
        )
    finally:
        loop.close()


async def _migrate(url: str) -> None:
    database = Database(DatabaseSettings(postgres_url=url), "auth")
    await database.start()
    assert SERVICE.migrations is not None
    await migrate(database, [CHASSIS_MIGRATIONS, SERVICE.migrations])
    await database.stop()
