"""Every statement about webhooks, by name.

Each function runs on the database, as a transaction of its own, or in an open transaction. All
raise Unavailable when PostgreSQL cannot be reached.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from uuid_utils.compat import uuid7

from services.jobs.webhooks.sending import Answer
from shared.chassis.database import Executor, Record
from shared.chassis.queries import load_queries
from shared.schemas.api.webhooks import (
    Webhook,
    WebhookAttempt,
    WebhookDelivery,
    WebhookDeliveryState,
    WebhookUpdate,
)

SQL = load_queries(__file__)


@dataclass(frozen=True, slots=True)
class DueDelivery:
    """What an attempt needs."""

    id: UUID
    endpoint_id: UUID
    round: int
    body: str
    url: str
    enabled: bool
    sealed_secrets: tuple[bytes, ...]
    """The current one first."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a delivery is."""

    state: WebhookDeliveryState
    round: int
    attempts: int
    failures: int
    """Of this round."""


async def insert_endpoint(
    executor: Executor,
    endpoint_id: UUID,
    *,
    url: str,
    event_types: Sequence[str],
    description: str | None,
    sealed_secret: bytes,
) -> Webhook:
    """Add an endpoint."""
    return _webhook(
        await executor.fetchrow(
            SQL["insert_endpoint"],
            endpoint_id,
            url,
            list(dict.fromkeys(event_types)),
            description,
            sealed_secret,
        )
    )


async def find_endpoint(executor: Executor, endpoint_id: UUID) -> Webhook | None:
    """Return an endpoint, or None."""
    row = await executor.fetchrow(SQL["find_endpoint"], endpoint_id)
    return None if row is None else _webhook(row)


async def list_endpoints(executor: Executor, *, before: UUID | None, limit: int) -> list[Webhook]:
    """Return endpoints, newest first, from below `before` on."""
    return [_webhook(row) for row in await executor.fetch(SQL["list_endpoints"], before, limit)]


async def update_endpoint(
    executor: Executor, endpoint_id: UUID, change: WebhookUpdate, *, disabled_reason: str
) -> Webhook | None:
    """Change what is given and return the endpoint, or None when there is none."""
    row = await executor.fetchrow(
        SQL["update_endpoint"],
        endpoint_id,
        change.url,
        None if change.event_types is None else list(dict.fromkeys(change.event_types)),
        "description" in change.model_fields_set,
        change.description,
        change.enabled,
        disabled_reason,
    )
    return None if row is None else _webhook(row)


async def rotate_secret(
    executor: Executor, endpoint_id: UUID, sealed_secret: bytes, *, overlap: timedelta
) -> Webhook | None:
    """Put a new secret in place; the one before signs too during the overlap."""
    row = await executor.fetchrow(SQL["rotate_secret"], endpoint_id, sealed_secret, overlap)
    return None if row is None else _webhook(row)


async def delete_endpoint(executor: Executor, endpoint_id: UUID) -> bool:
    """Take an endpoint out of use; False when there is none."""
    return await executor.fetchval(SQL["delete_endpoint"], endpoint_id) is not None


async def matching_endpoints(executor: Executor, patterns: Sequence[str]) -> list[UUID]:
    """Return the enabled endpoints that asked for any of these patterns."""
    return [row["id"] for row in await executor.fetch(SQL["matching_endpoints"], patterns)]


async def insert_deliveries(
    executor: Executor,
    *,
    event_id: UUID,
    event_type: str,
    body: str,
    endpoint_ids: Sequence[UUID],
) -> list[UUID]:
    """Keep the event's bytes and add a delivery for each endpoint that has none of this event.

    Returns the ids of those that were added. Raises ConstraintViolation when an endpoint was
    deleted just now.
    """
    await executor.execute(SQL["insert_message"], event_id, event_type, body)
    rows = await executor.fetch(
        SQL["insert_deliveries"], [uuid7() for _ in endpoint_ids], endpoint_ids, event_id
    )
    return [row["id"] for row in rows]


async def find_due(executor: Executor, delivery_id: UUID, round_: int) -> DueDelivery | None:
    """Return what an attempt needs, or None when the delivery has ended or began a new round."""
    row = await executor.fetchrow(SQL["find_due_delivery"], delivery_id, round_)
    if row is None:
        return None
    secrets = [row["secret"], row["previous_secret"]]
    return DueDelivery(
        row["id"],
        row["endpoint_id"],
        row["round"],
        row["body"],
        row["url"],
        row["enabled"],
        tuple(secret for secret in secrets if secret is not None),
    )


async def lock_delivery(executor: Executor, delivery_id: UUID) -> Progress | None:
    """Return how far a delivery is, which nobody else changes until the transaction ends."""
    row = await executor.fetchrow(SQL["lock_delivery"], delivery_id)
    if row is None:
        return None
    return Progress(
        WebhookDeliveryState(row["state"]), row["round"], row["attempts"], row["failures"]
    )


async def insert_attempt(
    executor: Executor, delivery_id: UUID, number: int, at: datetime, answer: Answer
) -> None:
    """Note what became of an attempt."""
    await executor.execute(
        SQL["insert_attempt"],
        delivery_id,
        number,
        at,
        None if answer.duration is None else round(answer.duration * 1000),
        answer.status,
        answer.text,
        answer.error,
    )


async def continue_delivery(
    executor: Executor, delivery_id: UUID, *, attempts: int, failures: int, pause: timedelta
) -> None:
    """Note that another attempt follows after the pause."""
    await executor.execute(SQL["continue_delivery"], delivery_id, attempts, failures, pause)


async def count_attempt(executor: Executor, delivery_id: UUID, *, attempts: int) -> None:
    """Note an attempt that changes nothing about what follows."""
    await executor.execute(SQL["count_attempt"], delivery_id, attempts)


async def end_delivery(
    executor: Executor, delivery_id: UUID, state: WebhookDeliveryState, *, attempts: int
) -> None:
    """Note that nothing more is sent."""
    await executor.execute(SQL["end_delivery"], delivery_id, state.value, attempts)


async def begin_round(executor: Executor, endpoint_id: UUID, delivery_id: UUID) -> int | None:
    """Let a delivery be tried anew and return the round's number; None when there is none."""
    round_: int | None = await executor.fetchval(SQL["begin_round"], delivery_id, endpoint_id)
    return round_


async def delivery_of_job(executor: Executor, job_id: UUID) -> UUID | None:
    """Return the delivery that waits for this job, or None."""
    delivery_id: UUID | None = await executor.fetchval(SQL["delivery_of_job"], job_id)
    return delivery_id


async def note_success(executor: Executor, endpoint_id: UUID) -> None:
    """Note that an endpoint took a message."""
    await executor.execute(SQL["clear_failing"], endpoint_id)


async def note_failure(executor: Executor, endpoint_id: UUID) -> None:
    """Note that an endpoint did not take a message."""
    await executor.execute(SQL["note_failing"], endpoint_id)


async def disable_failing(
    executor: Executor, endpoint_id: UUID, reason: str, *, failing_for: timedelta | None
) -> bool:
    """Disable an endpoint, at once or if it has failed for so long; True if this call did it."""
    disabled = await executor.fetchval(SQL["disable_failing"], endpoint_id, reason, failing_for)
    return disabled is not None


async def list_deliveries(
    executor: Executor, endpoint_id: UUID, *, before: UUID | None, limit: int
) -> list[WebhookDelivery]:
    """Return an endpoint's deliveries with their attempts, newest first, from below `before` on."""
    rows = await executor.fetch(SQL["list_deliveries"], endpoint_id, before, limit)
    return await _with_attempts(executor, rows)


async def find_delivery(
    executor: Executor, endpoint_id: UUID, delivery_id: UUID
) -> WebhookDelivery | None:
    """Return one delivery with its attempts, or None."""
    rows = await executor.fetch(SQL["find_delivery"], endpoint_id, delivery_id)
    found = await _with_attempts(executor, rows)
    return found[0] if found else None


async def prune(executor: Executor, *, keep: timedelta, batch: int) -> int:
    """Drop a batch of what is over or deleted; return how many deliveries and messages it were."""
    tags = [
        await executor.execute(SQL["prune_deliveries"], keep, batch),
        await executor.execute(SQL["prune_messages"], keep, batch),
    ]
    await executor.execute(SQL["prune_endpoints"])
    return sum(int(tag.rpartition(" ")[2]) for tag in tags)


def _webhook(row: Record) -> Webhook:
    return Webhook.model_validate({name: row[name] for name in Webhook.model_fields})


async def _with_attempts(executor: Executor, rows: Sequence[Record]) -> list[WebhookDelivery]:
    attempts: dict[UUID, list[WebhookAttempt]] = {row["id"]: [] for row in rows}
    for row in await executor.fetch(SQL["list_attempts"], list(attempts)):
        attempts[row["delivery_id"]].append(
            WebhookAttempt.model_validate({name: row[name] for name in WebhookAttempt.model_fields})
        )
    return [
        WebhookDelivery.model_validate({**row, "attempts": attempts[row["id"]]}) for row in rows
    ]
