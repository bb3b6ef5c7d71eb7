"""Events that could not be handled: parked with their cause until a person decides.

`DeadLetterOffice` is the consumer's side. The functions are an administrator's: they change one
service's rows, and what is retried goes through the outbox to the one consumer that failed.
"""

import json
import logging
from typing import Any, Final
from uuid import UUID

from uuid_utils.compat import uuid7

from shared.chassis.conditions import Conditions
from shared.chassis.database import SQL, Database, Executor, Record, Transaction
from shared.chassis.outbox import Outbox
from shared.chassis.telemetry import metrics

logger = logging.getLogger(__name__)

LONGEST_CAUSE: Final = 4000
RETRY_BATCH: Final = 200


class Unreadable(Exception):  # noqa: N818 - what it is
    """No consumer can read the dead letter, so trying again is pointless."""


class DeadLetterOffice:
    """Parks what one consumer cannot handle, and says how much rests there."""

    def __init__(self, database: Database, conditions: Conditions, consumer: str) -> None:
        self._database = database
        self._conditions = conditions
        self._consumer = consumer

    async def park(self, event_id: UUID, content: bytes, *, attempts: int, cause: str) -> str:
        """Keep an event with its cause and return its type. Raises Unavailable."""
        body, raw = _readable(content)
        event_type = str(body.get("type", "unknown"))[:200] if body is not None else "unreadable"
        logger.error(
            "an event was parked as a dead letter",
            extra={"action": "event_parked", "queue": self._consumer, "cause": cause},
        )
        await self._database.execute(
            SQL["park_dead_letter"],
            uuid7(),
            event_id,
            self._consumer,
            event_type,
            attempts,
            cause.replace("\x00", "")[:LONGEST_CAUSE],
            body,
            raw,
        )
        await self.measure()
        return event_type

    async def measure(self) -> None:
        """Set the gauge and tell of what rests. Raises Unavailable."""
        [row] = await self._database.fetch(SQL["dead_letters_of_consumer"], self._consumer)
        metrics.DEAD_LETTERS.labels(self._consumer).set(row["resting"])
        condition = f"dead_letters:{self._consumer}"
        if not row["resting"]:
            self._conditions.clear(condition)
            return
        self._conditions.raise_condition(
            condition,
            f"{row['resting']} events could not be handled by {self._consumer}; "
            f"the oldest: {row['oldest_type']}: {row['oldest_cause'][:300]}",
            f"read them with GET /v1/dead-letters?consumer={self._consumer}, "
            "then retry or discard them",
            failing=False,
        )


async def list_dead_letters(
    executor: Executor,
    *,
    consumer: str | None,
    event_type: str | None,
    before: UUID | None,
    limit: int,
) -> list[Record]:
    """Return dead letters, the newest first, those before a cursor's id."""
    return await executor.fetch(SQL["list_dead_letters"], consumer, event_type, before, limit)


async def find_dead_letter(executor: Executor, letter_id: UUID) -> Record | None:
    """Return one dead letter."""
    return await executor.fetchrow(SQL["find_dead_letter"], letter_id)


async def retry_dead_letter(transaction: Transaction, outbox: Outbox, letter_id: UUID) -> bool:
    """Send an event once more to the consumer that failed; return whether there was one.

    Raises Unreadable for what is no event.
    """
    row = await transaction.fetchrow(SQL["take_dead_letter"], letter_id)
    if row is None:
        return False
    if not isinstance(row["body"], dict):
        raise Unreadable
    await outbox.send_again(transaction, [(row["event_id"], row["body"])], queue=row["consumer"])
    return True


async def retry_dead_letters(
    transaction: Transaction, outbox: Outbox, consumer: str, event_type: str | None = None
) -> int:
    """Send the oldest two hundred readable events of a consumer once more; return how many.

    With a type, those of the type.
    """
    rows = await transaction.fetch(SQL["take_dead_letters"], consumer, RETRY_BATCH, event_type)
    oldest_first = sorted(rows, key=lambda row: row["id"])
    await outbox.send_again(
        transaction, [(row["event_id"], row["body"]) for row in oldest_first], queue=consumer
    )
    return len(rows)


async def discard_dead_letter(executor: Executor, letter_id: UUID) -> bool:
    """Delete a dead letter; return whether there was one."""
    return await executor.fetchval(SQL["discard_dead_letter"], letter_id) is not None


async def discard_dead_letters(
    executor: Executor, consumer: str, event_type: str | None = None
) -> int:
    """Delete the oldest thousand dead letters of a consumer; return how many there were.

    With a type, those of the type.
    """
    rows = await executor.fetch(SQL["discard_dead_letters"], consumer, event_type)
    return len(rows)


def _readable(content: bytes) -> tuple[dict[str, Any] | None, bytes | None]:
    # What PostgreSQL would refuse as JSON is kept as bytes.
    try:
        body = json.loads(content)
        json.dumps(body, ensure_ascii=False, allow_nan=False).encode()
    except ValueError:
        return None, content
    if not isinstance(body, dict) or "\\u0000" in content.decode("utf-8", "replace"):
        return None, content
    return body, None
