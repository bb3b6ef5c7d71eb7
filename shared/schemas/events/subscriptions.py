"""Which consumer takes which events: the one table the bus's queues and bindings are made from.

An event type with a subscriber must reach a queue, so its publication without one is a failure
that is tried again. A type without subscribers is published for whoever listens.
"""

from shared.schemas.events.auth import SignupRequested
from shared.schemas.events.envelope import EventData
from shared.schemas.events.files import FileReady, FileRejected

SUBSCRIPTIONS: dict[str, tuple[type[EventData], ...]] = {
    "mail.events": (SignupRequested,),
    "realtime.events": (FileReady, FileRejected),
}

SUBSCRIBED_TYPES: frozenset[str] = frozenset(
    data.event_type for types in SUBSCRIPTIONS.values() for data in types
)
