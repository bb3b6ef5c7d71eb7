"""Every statement of the mail service, by name. Nothing else speaks SQL.

Each function runs on the database, as a transaction of its own, or in an open transaction. All
raise Unavailable when PostgreSQL cannot be reached.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from shared.chassis.database import Executor, Record
from shared.chassis.queries import load_queries
from shared.schemas.api.mail import Message, MessageState, TimelineEntry

SQL = load_queries(__file__)


@dataclass(frozen=True, slots=True)
class QueuedMessage:
    """What the worker needs to know of a message."""

    id: UUID
    link_id: UUID
    state: MessageState
    created_at: datetime


async def insert_message(executor: Executor, message_id: UUID, *, link_id: UUID) -> None:
    """Add a message whose content is rendered later from a link."""
    await executor.execute(SQL["insert_message"], message_id, link_id)


async def find_queued(executor: Executor, message_id: UUID) -> QueuedMessage | None:
    """Return a message for the worker, or None when it is gone."""
    row = await executor.fetchrow(SQL["find_message"], message_id)
    if row is None:
        return None
    return QueuedMessage(row["id"], row["link_id"], MessageState(row["state"]), row["created_at"])


async def find_message(executor: Executor, message_id: UUID) -> Message | None:
    """Return a message with its timeline, or None."""
    row = await executor.fetchrow(SQL["find_message"], message_id)
    return None if row is None else (await _with_timelines(executor, [row]))[0]


async def list_messages(executor: Executor, *, after: UUID | None, limit: int) -> list[Message]:
    """Return messages with their timelines, newest first, from below `after` on."""
    rows = await executor.fetch(SQL["list_messages"], after, limit)
    return await _with_timelines(executor, rows)


async def add_to_timeline(
    executor: Executor, message_id: UUID, step: str, detail: str | None = None
) -> None:
    """Add a step to a message's timeline."""
    await executor.execute(SQL["add_to_timeline"], message_id, step, detail)


async def begin_attempt(
    executor: Executor, message_id: UUID, *, recipient: str, template: str, subject: str
) -> int | None:
    """Note that a hand-over begins; return its timeline id, or None if the message has ended."""
    attempt: int | None = await executor.fetchval(
        SQL["begin_attempt"], message_id, recipient, template, subject
    )
    return attempt


async def explain_attempt(executor: Executor, attempt: int, detail: str) -> None:
    """Note why a hand-over did not succeed."""
    await executor.execute(SQL["explain_attempt"], attempt, detail)


async def end_message(
    executor: Executor, message_id: UUID, state: MessageState, detail: str | None
) -> bool:
    """Note a message's end; False, and nothing is changed, if it had ended before."""
    ended = await executor.fetchval(SQL["end_message"], message_id, state.value, detail)
    return ended is not None


async def is_sent(executor: Executor, recipient: str, link_id: UUID) -> bool:
    """Tell whether the message of a link has ended and no other is on its way to its recipient."""
    sent: bool = await executor.fetchval(SQL["is_sent"], recipient, link_id)
    return sent


async def delete_messages(executor: Executor, recipient: str, link_id: UUID, *, limit: int) -> int:
    """Remove up to `limit` messages to a recipient or of a link; return how many there were."""
    tag = await executor.execute(SQL["delete_messages"], recipient, link_id, limit)
    return int(tag.rpartition(" ")[2])


async def _with_timelines(executor: Executor, rows: Sequence[Record]) -> list[Message]:
    timelines: dict[UUID, list[TimelineEntry]] = {row["id"]: [] for row in rows}
    for entry in await executor.fetch(SQL["list_timelines"], list(timelines)):
        timelines[entry["message_id"]].append(
            TimelineEntry(at=entry["at"], step=entry["step"], detail=entry["detail"])
        )
    return [
        Message(
            id=row["id"],
            to=row["recipient"],
            template=row["template"],
            subject=row["subject"],
            state=MessageState(row["state"]),
            created_at=row["created_at"],
            timeline=timelines[row["id"]],
        )
        for row in rows
    ]
