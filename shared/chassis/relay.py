"""Publishes the outbox: one active relay per schema, the others stand by."""

import asyncio
import contextlib
import logging
from typing import Any

from aio_pika.abc import AbstractChannel

from shared.chassis.bus import Bus, Unroutable, encode
from shared.chassis.database import SQL, Database, Record
from shared.chassis.errors import Unavailable
from shared.chassis.lifecycle import BackgroundTask, Lifecycle, end
from shared.chassis.outbox import notification_channel
from shared.chassis.telemetry import metrics

logger = logging.getLogger(__name__)

WINDOW_MESSAGES = 500
POLL_SECONDS = 0.5
STANDBY_SECONDS = 1.0
RETRY_SECONDS = 1.0
HOUSEKEEPING_SECONDS = 30.0


class Relay(BackgroundTask):
    """Moves messages from the outbox to the bus, in order, at least once.

    The advisory lock that makes a relay the active one lives as long as its connection, so a
    stand-by takes over within seconds of a death. It reads by snapshot window, waits for the
    broker to confirm every message of a window, and only then moves the cursor: after a crash the
    window is published again, and the inboxes drop the doubles.
    """

    name = "outbox relay"

    def __init__(self, database: Database, bus: Bus, lifecycle: Lifecycle) -> None:
        super().__init__(lifecycle)
        self._database = database
        self._bus = bus
        self._woken = asyncio.Event()

    async def run(self) -> None:
        """Relay until cancelled; a lost server is waited for."""
        while True:
            try:
                connection = await self._database.connect()
            except Unavailable:
                await asyncio.sleep(RETRY_SECONDS)
                continue
            try:
                await self._stand_by(connection)
                metrics.OUTBOX_RELAY_ACTIVE.set(1)
                await self._relay(connection)
            except Unavailable as error:
                logger.warning(
                    "the relay waits for a part to come back",
                    extra={"action": "relay_waits", "dependency": error.dependency},
                )
                await asyncio.sleep(RETRY_SECONDS)
            finally:
                metrics.OUTBOX_RELAY_ACTIVE.set(0)
                connection.terminate()

    async def _stand_by(self, connection: Any) -> None:
        while not await _fetchval(connection, SQL["lock_relay"]):  # noqa: ASYNC110 - the lock is in another process
            await asyncio.sleep(STANDBY_SECONDS)
        logger.info("this relay is the active one now", extra={"action": "relay_active"})

    async def _relay(self, connection: Any) -> None:
        # The lock is only ours while this connection lives, so its loss ends the round at once.
        lost = asyncio.Event()

        def closed(_: Any) -> None:
            lost.set()
            self._woken.set()

        connection.add_termination_listener(closed)
        await connection.add_listener(
            notification_channel(self._database.schema), lambda *_: self._woken.set()
        )
        housekeeping = self.aide(self._keep_house(), "outbox housekeeping")
        try:
            while not lost.is_set():
                self._woken.clear()
                await self._publish_new()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(POLL_SECONDS):
                        await self._woken.wait()
            raise Unavailable("postgres")
        finally:
            await end(housekeeping)

    async def _publish_new(self) -> None:
        published_to = await self._database.fetchval(SQL["outbox_cursor"])
        visible = await self._database.fetchval(SQL["current_snapshot"])
        if visible == published_to:
            return
        last_id = 0
        while True:
            rows = await self._database.fetch(
                SQL["outbox_window"], published_to, visible, last_id, WINDOW_MESSAGES
            )
            if rows:
                await self._publish_window(rows)
                last_id = rows[-1]["id"]
            if len(rows) < WINDOW_MESSAGES:
                break
        await self._database.execute(SQL["advance_outbox_cursor"], published_to, visible)

    async def _publish_window(self, rows: list[Record]) -> None:
        while True:
            # One channel for all: on a second one, opened after a loss, a later event of a subject
            # could overtake an earlier one.
            channel = await self._bus.publishing_channel()
            outcomes = await asyncio.gather(
                *(self._publish(row, channel) for row in rows), return_exceptions=True
            )
            failed = [
                (row, outcome)
                for row, outcome in zip(rows, outcomes, strict=True)
                if isinstance(outcome, BaseException)
            ]
            if not failed:
                return
            _, error = failed[0]
            if not isinstance(error, Unroutable):
                raise error
            # Order counts per subject, so from the first failure on all is published again.
            logger.error(
                "a message with subscribers reached no queue; trying again",
                extra={"action": "unroutable", "cause": str(error)},
            )
            rows = rows[rows.index(failed[0][0]) :]
            await asyncio.sleep(RETRY_SECONDS)

    async def _publish(self, row: Record, channel: AbstractChannel) -> None:
        exchange = row["exchange"]
        await self._bus.publish(
            exchange,
            row["routing_key"],
            encode(row["body"]),
            message_id=str(row["message_id"]),
            mandatory=True,
            channel=channel,
        )
        metrics.OUTBOX_PUBLISHED.labels(exchange).inc()

    async def _keep_house(self) -> None:
        while True:
            with contextlib.suppress(Unavailable):
                depth = await self._database.fetchrow(SQL["outbox_depth"])
                if depth is not None:
                    metrics.OUTBOX_DEPTH.set(depth["depth"])
                    metrics.OUTBOX_AGE.set(depth["oldest_age_seconds"])
                await self._database.execute(SQL["delete_old_outbox"])
            await asyncio.sleep(HOUSEKEEPING_SECONDS)


async def _fetchval(connection: Any, sql: str) -> Any:
    try:
        return await connection.fetchval(sql)
    except Exception as error:
        if connection.is_closed():
            raise Unavailable("postgres") from error
        raise
