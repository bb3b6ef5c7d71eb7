"""Which consumer takes which events: the one table the bus's queues and bindings are made from.

`EventData` itself stands for every event there is, those of applications too. Because one queue
takes them all, an event that reaches no queue is a failure, and its publication is tried again.
"""

from shared.schemas.events.auth import (
    NoticeRequested,
    SessionRevoked,
    SignupRequested,
    UserDeleted,
    UserErased,
)
from shared.schemas.events.envelope import EventData
from shared.schemas.events.files import FileReady, FileRejected

SUBSCRIPTIONS: dict[str, tuple[type[EventData], ...]] = {
    "auth.events": (UserErased, SessionRevoked),
    "files.events": (UserDeleted,),
    "mail.events": (SignupRequested, NoticeRequested, UserDeleted),
    "realtime.events": (FileReady, FileRejected, UserDeleted),
    "jobs.events": (EventData, UserDeleted),
}


def routing_pattern(data: type[EventData]) -> str:
    """Return what a queue is bound with to take events of this type."""
    return "#" if data is EventData else data.event_type
