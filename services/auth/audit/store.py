"""The statements about the audit log."""

from typing import Any
from uuid import UUID

from services.auth.records import Device
from shared.chassis.database import Executor
from shared.chassis.queries import load_queries

SQL = load_queries(__file__)


async def insert_audit_entry(
    executor: Executor,
    *,
    entry_id: UUID,
    action: str,
    actor_id: UUID | None,
    user_id: UUID | None,
    session_id: UUID | None,
    device: Device,
    details: dict[str, Any],
) -> None:
    """Write one act."""
    await executor.execute(
        SQL["insert_audit_entry"],
        entry_id,
        action,
        actor_id,
        user_id,
        session_id,
        device.address,
        device.user_agent,
        details,
    )
