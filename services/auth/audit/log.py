"""Writing the audit log."""

from collections.abc import Sequence
from enum import StrEnum
from typing import Any, Final
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
    APPLICATION_SIGNED_IN = "application.signed_in"
    APPLICATION_SIGNED_OUT = "application.signed_out"
    APPLICATION_CODE_MISUSED = "application.code_misused"
    APPLICATION_TOKEN_REUSED = "application.token_reused"  # noqa: S105 - the name of an act
    APPLICATION_REGISTERED = "application.registered"
    APPLICATION_CHANGED = "application.changed"
    APPLICATION_REMOVED = "application.removed"
    CONSENT_WITHDRAWN = "consent.withdrawn"
    USER_RENAMED = "user.renamed"
    USER_DISABLED = "user.disabled"
    USER_ENABLED = "user.enabled"
    USER_DELETED = "user.deleted"
    USER_ERASED = "user.erased"
    EMAIL_CHANGE_REQUESTED = "email.change_requested"
    EMAIL_CHANGE_WITHDRAWN = "email.change_withdrawn"
    EMAIL_CONFIRMED = "email.confirmed"
    EMAIL_CHANGED = "email.changed"
    IMPERSONATION_BEGUN = "impersonation.begun"
    SESSION_ENDED = "session.ended"
    SESSION_COPIED = "session.copied"
    """A refresh token was used that others had replaced; it ended the session."""
    ROLES_CHANGED = "roles.changed"
    SESSIONS_ENDED = "sessions.ended"
    PASSWORD_CHANGED = "password.changed"  # noqa: S105 - the name of an act
    FACTOR_REQUIRED = "factor.required"
    FACTOR_FAILED = "factor.failed"
    FACTOR_ADDED = "factor.added"
    FACTOR_REMOVED = "factor.removed"
    PASSKEY_RENAMED = "passkey.renamed"
    PASSKEY_COPIED = "passkey.copied"
    RECOVERY_CODES_RENEWED = "recovery_codes.renewed"
    RECOVERY_CODE_USED = "recovery_code.used"
    SESSION_STEPPED_UP = "session.stepped_up"
    CONNECTION_CREATED = "connection.created"
    CONNECTION_CHANGED = "connection.changed"
    CONNECTION_REMOVED = "connection.removed"
    IDENTITY_LINKED = "identity.linked"
    IDENTITY_UNLINKED = "identity.unlinked"
    ORGANISATION_CREATED = "organisation.created"
    ORGANISATION_CHANGED = "organisation.changed"
    ORGANISATION_DELETED = "organisation.deleted"
    ORGANISATION_CHOSEN = "organisation.chosen"
    MEMBER_ADDED = "member.added"
    MEMBER_CHANGED = "member.changed"
    MEMBER_REMOVED = "member.removed"
    INVITATION_SENT = "invitation.sent"
    INVITATION_WITHDRAWN = "invitation.withdrawn"
    ROLE_CHANGED = "role.changed"
    ROLE_DELETED = "role.deleted"
    SERVICE_ACCOUNT_CREATED = "service_account.created"
    SERVICE_ACCOUNT_DISABLED = "service_account.disabled"
    SERVICE_ACCOUNT_ENABLED = "service_account.enabled"
    SERVICE_ACCOUNT_DELETED = "service_account.deleted"
    API_KEY_CREATED = "api_key.created"
    API_KEY_RENAMED = "api_key.renamed"
    API_KEY_DELETED = "api_key.deleted"


_BY_NOBODY_KNOWN: Final = frozenset(
    {
        Action.LOGIN_FAILED,
        Action.SESSION_COPIED,
        Action.APPLICATION_SIGNED_OUT,
        Action.APPLICATION_CODE_MISUSED,
        Action.APPLICATION_TOKEN_REUSED,
    }
)


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

    `user_id` is whom it was done to, `actor_id` who did it if that was somebody else; who failed to
    log in, or used a copied token, is nobody we know, nor is an application. The details hold no
    password, token, link or code.
    """
    await store.insert_audit_entries(
        transaction,
        entry_ids=[uuid7()],
        action=action.value,
        actor_id=None if action in _BY_NOBODY_KNOWN else actor_id or user_id,
        user_id=user_id,
        session_id=session_id,
        device=device,
        details=[details],
    )


async def record_each(
    transaction: Transaction,
    action: Action,
    *,
    user_id: UUID,
    actor_id: UUID,
    device: Device,
    details: Sequence[dict[str, Any]],
) -> None:
    """Log an act that was done to many things of one user at once, each with its details."""
    if not details:
        return
    await store.insert_audit_entries(
        transaction,
        entry_ids=[uuid7() for _ in details],
        action=action.value,
        actor_id=actor_id,
        user_id=user_id,
        session_id=None,
        device=device,
        details=details,
    )


async def record_by_operator(
    transaction: Transaction, action: Action, *, user_id: UUID, **details: Any
) -> None:
    """Log what whoever runs the machine did at its command line, who is nobody we know."""
    await store.insert_audit_entries(
        transaction,
        entry_ids=[uuid7()],
        action=action.value,
        actor_id=None,
        user_id=user_id,
        session_id=None,
        device=Device(user_agent=None, address=None),
        details=[{**details, "by": "command line"}],
    )
