"""Events that applications emit over HTTP."""

from uuid_utils.compat import uuid7

from services.jobs.access import require_emission
from services.jobs.event_types import checked_type
from services.jobs.values import require_storable
from shared.chassis.database import Transaction
from shared.chassis.errors import Problem
from shared.chassis.identity.tokens import Identity
from shared.chassis.outbox import Outbox
from shared.chassis.payloads import MAXIMUM_PAYLOAD_BYTES, PayloadTooLarge
from shared.schemas.api.events import EventAccepted, EventCreate
from shared.schemas.problems import FieldError, ProblemCode


def require_emittable(identity: Identity, event: EventCreate) -> None:
    """Raise Problem unless the caller may emit events of the type and the data can be kept."""
    require_emission(identity, event.type)
    require_storable(event.data, field="data")


async def emit(
    transaction: Transaction, outbox: Outbox, identity: Identity, event: EventCreate
) -> EventAccepted:
    """Store an event whose data its type's schema allows; it is published after the commit.

    An event that is sent after the answer to another is published after it. Raises Problem
    `event_type_unknown`, `validation_failed` or `payload_too_large`.
    """
    event_type = await checked_type(transaction, event.type, event.data)
    try:
        event_id = await outbox.emit_application_event(
            transaction,
            type=event.type,
            version=event_type.version,
            data=event.data,
            source=source_of(identity),
            subject=event.subject or str(uuid7()),
        )
    except PayloadTooLarge as error:
        # With its envelope the event is a little longer than the data alone.
        raise Problem(
            ProblemCode.PAYLOAD_TOO_LARGE,
            f"{error}.",
            errors=[FieldError(field="data", message=f"{MAXIMUM_PAYLOAD_BYTES} bytes fit.")],
        ) from error
    return EventAccepted(id=event_id, type=event.type, version=event_type.version)


def source_of(identity: Identity) -> str:
    """Return the envelope's `source`: which user, or which API key, emitted the event."""
    kind, id_ = (
        ("user", identity.user_id) if identity.scopes is None else ("key", identity.session_id)
    )
    return f"{kind}:{id_}"
