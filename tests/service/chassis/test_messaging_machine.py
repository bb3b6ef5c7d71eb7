"""Outbox, relay and consumer under every order of events and crashes that Hypothesis thinks of.

PostgreSQL is real; the broker is a list that a crash may cut off anywhere, since what the real one
does is shown by the tests beside this one.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import UUID, uuid4

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from pydantic import SecretStr

from shared.chassis.consumers import EventConsumer
from shared.chassis.database import SQL, Database, Transaction
from shared.chassis.lifecycle import Lifecycle
from shared.chassis.migrations import CHASSIS_MIGRATIONS, migrate
from shared.chassis.outbox import Outbox
from shared.chassis.relay import Relay
from shared.chassis.settings import DatabaseSettings
from shared.schemas.events.auth import SignupRequested
from shared.schemas.events.envelope import Event
from shared.schemas.events.subscriptions import SUBSCRIPTIONS

SUBJECTS = st.sampled_from(["a", "b", "c"])
TABLES = """
CREATE TABLE subjects (name text PRIMARY KEY, counter integer NOT NULL DEFAULT 0);
INSERT INTO subjects (name) VALUES ('a'), ('b'), ('c');
CREATE TABLE effects (position bigint GENERATED ALWAYS AS IDENTITY, link_id uuid NOT NULL);
"""


class Crash(BaseException):
    """The process is gone in the middle of what it did."""


class Broker:
    """Takes messages until it is told to be gone."""

    def __init__(self) -> None:
        self.queue: list[SimpleNamespace] = []
        self.takes: int | None = None

    async def publishing_channel(self) -> None:
        return None

    async def publish(
        self, _exchange: str, _key: str, body: bytes, *, message_id: str, **_: Any
    ) -> None:
        if self.takes is not None:
            if self.takes == 0:
                raise Crash
            self.takes -= 1
        self.queue.append(SimpleNamespace(body=body, message_id=message_id, headers={}))


class CrashingDatabase(Database):
    """A database whose client can die before it moves the relay's cursor."""

    dies_before_cursor = False

    async def execute(self, sql: str, *args: Any) -> str:
        if self.dies_before_cursor and sql == SQL["advance_outbox_cursor"]:
            raise Crash
        return await super().execute(sql, *args)


class Messaging(RuleBasedStateMachine):
    """Changes of three subjects on their way to their one effect each."""

    new_database: Callable[[str], str]
    folder: Path
    loop: asyncio.AbstractEventLoop

    def __init__(self) -> None:
        super().__init__()
        self.broker = Broker()
        self.open: dict[str, tuple[Any, Transaction, UUID]] = {}
        self.committed: defaultdict[str, list[UUID]] = defaultdict(list)
        self.subject_of: dict[UUID, str] = {}
        self.outbox = Outbox("mail")
        self.run(self._prepare())

    def run(self, work: Any) -> Any:
        return self.loop.run_until_complete(work)

    async def _prepare(self) -> None:
        url = SecretStr(type(self).new_database("mail"))
        self.database = CrashingDatabase(DatabaseSettings(postgres_url=url), "mail")
        await self.database.start()
        await migrate(self.database, [CHASSIS_MIGRATIONS, self.folder])
        lifecycle = Lifecycle()
        bus: Any = self.broker
        self.active_relay = Relay(self.database, bus, lifecycle)
        self.consumer = EventConsumer(
            bus,
            self.database,
            lifecycle,
            queue="mail.events",
            handlers=dict.fromkeys(SUBSCRIPTIONS["mail.events"], self._record),
        )
        self.dies_in_handler = False

    async def _record(self, transaction: Transaction, event: Event[SignupRequested]) -> None:
        await transaction.execute("INSERT INTO effects (link_id) VALUES ($1)", event.data.link_id)
        if self.dies_in_handler:
            raise Crash

    @rule(subject=SUBJECTS)
    def begin_a_change(self, subject: str) -> None:
        if subject not in self.open:
            self.run(self._begin(subject))

    async def _begin(self, subject: str) -> None:
        context = self.database.transaction()
        transaction = await context.__aenter__()
        await transaction.execute(
            "UPDATE subjects SET counter = counter + 1 WHERE name = $1", subject
        )
        link_id = uuid4()
        self.subject_of[link_id] = subject
        await self.outbox.emit(transaction, SignupRequested(link_id=link_id), subject=subject)
        self.open[subject] = (context, transaction, link_id)

    @rule(subject=SUBJECTS)
    def commit_it(self, subject: str) -> None:
        if subject in self.open:
            context, _, link_id = self.open.pop(subject)
            self.run(context.__aexit__(None, None, None))
            self.committed[subject].append(link_id)

    @rule(subject=SUBJECTS)
    def roll_it_back(self, subject: str) -> None:
        if subject in self.open:
            context, _, _ = self.open.pop(subject)
            error = RuntimeError("rolled back")
            self.run(self._leave(context, error))

    async def _leave(self, context: Any, error: RuntimeError) -> None:
        try:
            await context.__aexit__(RuntimeError, error, error.__traceback__)
        except RuntimeError as raised:
            assert raised is error  # noqa: PT017 - another error is a failure of the test

    @rule()
    def relay(self) -> None:
        self.run(self._relay())

    @rule(takes=st.integers(0, 3))
    def relay_and_die_while_publishing(self, takes: int) -> None:
        self.broker.takes = takes
        self.run(self._relay())
        self.broker.takes = None

    @rule()
    def relay_and_die_before_the_cursor_moves(self) -> None:
        self.database.dies_before_cursor = True
        self.run(self._relay())
        self.database.dies_before_cursor = False

    async def _relay(self) -> None:
        try:
            await self.active_relay._publish_new()
        except Crash:
            return

    @rule()
    def consume(self) -> None:
        if self.broker.queue:
            self.run(self.consumer._handle(self.broker.queue[0]))
            self.broker.queue.pop(0)

    @rule()
    def consume_and_die_before_the_acknowledgement(self) -> None:
        if self.broker.queue:
            self.run(self.consumer._handle(self.broker.queue[0]))

    @rule()
    def consume_and_die_before_the_commit(self) -> None:
        if self.broker.queue:
            self.dies_in_handler = True
            self.run(self._consume())
            self.dies_in_handler = False

    async def _consume(self) -> None:
        try:
            await self.consumer._handle(self.broker.queue[0])
        except Crash:
            return

    @invariant()
    def effects_are_of_committed_changes_once_and_in_order(self) -> None:
        effects = self.run(self._effects())
        for subject, links in effects.items():
            assert links == self.committed[subject][: len(links)]

    async def _effects(self) -> dict[str, list[UUID]]:
        rows = await self.database.fetch("SELECT link_id FROM effects ORDER BY position")
        effects: defaultdict[str, list[UUID]] = defaultdict(list)
        for row in rows:
            effects[self.subject_of[row["link_id"]]].append(row["link_id"])
        return effects

    def teardown(self) -> None:
        for subject in list(self.open):
            self.commit_it(subject)
        self.run(self._relay())
        while self.broker.queue:
            self.consume()
        effects = self.run(self._effects())
        self.run(self.database.stop())
        for subject, links in self.committed.items():
            assert effects.get(subject, []) == links


def test_no_order_of_crashes_loses_or_doubles_an_effect(
    new_database: Callable[[str], str], tmp_path: Path
) -> None:
    folder = tmp_path / "tests" / "migrations"
    folder.mkdir(parents=True)
    (folder / "0001_tables.sql").write_text(TABLES)
    loop = asyncio.new_event_loop()
    machine = type(
        "MessagingOfThisTest",
        (Messaging,),
        {"new_database": staticmethod(new_database), "folder": folder, "loop": loop},
    )
    try:
        run_state_machine_as_test(
            machine,
            settings=settings(
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
