"""Events of the auth service. None carries an address, a link or a token."""

from typing import ClassVar
from uuid import UUID

from shared.schemas.events.envelope import EventData


class SignupRequested(EventData):
    """Somebody asked for an account; mail fetches the link by its id while it renders."""

    event_type: ClassVar[str] = "signup.requested"
    link_id: UUID


class NoticeRequested(EventData):
    """A mail about an account is to be sent; mail asks for its content while it renders."""

    event_type: ClassVar[str] = "notice.requested"
    link_id: UUID


class UserRegistered(EventData):
    """An account exists from now on: its address was verified."""

    event_type: ClassVar[str] = "user.registered"
    user_id: UUID


class UserDisabled(EventData):
    """An administrator shut an account."""

    event_type: ClassVar[str] = "user.disabled"
    user_id: UUID


class UserEnabled(EventData):
    """An administrator opened an account again."""

    event_type: ClassVar[str] = "user.enabled"
    user_id: UUID


class UserDeleted(EventData):
    """An account is gone for good; whoever holds something of its owner's removes it."""

    event_type: ClassVar[str] = "user.deleted"
    user_id: UUID


class UserErased(EventData):
    """A service holds nothing of a deleted account's owner but what runs out within hours."""

    event_type: ClassVar[str] = "user.erased"
    user_id: UUID
    service: str


class SessionRevoked(EventData):
    """A session ended before its time: log-out, reuse of a refresh token, or by its owner."""

    event_type: ClassVar[str] = "session.revoked"
    session_id: UUID
    user_id: UUID


class OrganisationCreated(EventData):
    """There is a new organisation; whoever made it is its owner."""

    event_type: ClassVar[str] = "organisation.created"
    organisation_id: UUID
    user_id: UUID


class OrganisationDeleted(EventData):
    """An organisation is gone for good; whoever holds something of it removes it."""

    event_type: ClassVar[str] = "organisation.deleted"
    organisation_id: UUID


class MemberAdded(EventData):
    """Somebody belongs to an organisation from now on."""

    event_type: ClassVar[str] = "member.added"
    organisation_id: UUID
    user_id: UUID
    role: str


class MemberChanged(EventData):
    """Somebody has another role in an organisation."""

    event_type: ClassVar[str] = "member.changed"
    organisation_id: UUID
    user_id: UUID
    role: str


class MemberRemoved(EventData):
    """Somebody left an organisation, was removed, or deleted their account."""

    event_type: ClassVar[str] = "member.removed"
    organisation_id: UUID
    user_id: UUID
