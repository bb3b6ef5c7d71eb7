"""Every event type there is. A type that is not here cannot be emitted."""

from shared.schemas.events.auth import (
    MemberAdded,
    MemberChanged,
    MemberRemoved,
    NoticeRequested,
    OrganisationCreated,
    OrganisationDeleted,
    SessionRevoked,
    SignupRequested,
    UserDeleted,
    UserDisabled,
    UserEnabled,
    UserErased,
    UserRegistered,
)
from shared.schemas.events.envelope import EventData
from shared.schemas.events.files import FileReady, FileRejected, FileUploaded
from shared.schemas.events.jobs import JobFailed
from shared.schemas.events.mail import MailBounced, MailDelivered
from shared.schemas.events.webhooks import WebhookDisabled

EVENT_TYPES: dict[str, type[EventData]] = {
    data.event_type: data
    for data in (
        SignupRequested,
        NoticeRequested,
        UserRegistered,
        UserDisabled,
        UserEnabled,
        UserDeleted,
        UserErased,
        SessionRevoked,
        OrganisationCreated,
        OrganisationDeleted,
        MemberAdded,
        MemberChanged,
        MemberRemoved,
        FileUploaded,
        FileReady,
        FileRejected,
        MailDelivered,
        MailBounced,
        JobFailed,
        WebhookDisabled,
    )
}

RESERVED_NOUNS: frozenset[str] = frozenset(name.split(".", 1)[0] for name in EVENT_TYPES)
"""What events of the house are about; programs give theirs other nouns."""
