"""Rows of organisations, as the rules see them."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from shared.schemas.roles import OrganisationRole

NAME_LENGTH: Final = 100
"""Characters at most."""
OWNED_AT_MOST: Final = 20
MEMBERSHIPS_AT_MOST: Final = 100
"""Of one account. Deleting it tells of the end of each in one transaction."""
MEMBERS_AT_MOST: Final = 10_000
"""Of one organisation, whose deletion ends all that names it in one transaction."""
INVITATIONS_AT_MOST: Final = 100
"""Open ones of one organisation."""
INVITATIONS_A_DAY: Final = 200
"""Of one organisation, also if they were withdrawn: each is a mail to a stranger."""
INVITATION_LIFETIME: Final = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class OrganisationRow:
    """A row of `organisations`, and what the one who asks is in it."""

    id: UUID
    name: str
    slug: str
    created_at: datetime
    role: OrganisationRole | None


@dataclass(frozen=True, slots=True)
class MemberRow:
    """A row of `organisation_members` with the account."""

    id: UUID
    user_id: UUID
    name: str | None
    email: str
    role: OrganisationRole
    joined_at: datetime


@dataclass(frozen=True, slots=True)
class InvitationRow:
    """A row of `invitations` whose link is good."""

    id: UUID
    organisation_id: UUID
    email: str
    role: OrganisationRole
    invited_by: UUID
    created_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Memberships:
    """How many organisations somebody belongs to."""

    total: int
    owned: int


@dataclass(frozen=True, slots=True)
class Belonging:
    """A membership of an account that is about to go."""

    organisation_id: UUID
    name: str
    is_owner: bool
    others: int
    """Other members."""
    has_other_owner: bool
