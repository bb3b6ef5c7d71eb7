"""Writing the audit log."""

from enum import StrEnum
from typing import Any
from uuid import UUID

from uuid_utils.compat import uuid7

from services.auth.audit import store
from services.auth.records import Device
from shared.chassis.database import Transaction


class Action(StrEnum):
    """What is logged. Names are stable: programs search for them."""

    ACCOUNT_CREATED = "account.created"
    SESSION_OPENED = "session.opened"
    LOGIN_FAILED = "login.failed"


async def record(
    transaction: Transaction,
    action: Action,
    *,
    user_id: UUID | None,
    device: Device,
    actor_id: UUID | None = None,
    session_id: UUID | None = None,
    **details: Any,
) -> None:
    """Log an act in its own transaction: both happen, or neither.

    `user_id` is whom it was done to, `actor_id` who did it if that was somebody else. The details
    hold no password, token, link or code.
    """
    await store.insert_audit_entry(
        transaction,
        entry_id=uuid7(),
        action=action.value,
        actor_id=actor_id or user_id,
        user_id=user_id,
        session_id=session_id,
        device=device,
        details=details,
    )
