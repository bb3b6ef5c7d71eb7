"""Organisations, their members and invitations."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, Field

from shared.schemas.api.auth import Email, Token
from shared.schemas.api.inputs import Input, Spelling
from shared.schemas.roles import OrganisationRole

OrganisationName = Annotated[str, Field(min_length=1, max_length=100)]
Slug = Annotated[
    str,
    Spelling(
        r"^[a-z0-9](?:[a-z0-9-]{0,46}[a-z0-9])?$",
        "Send 1 to 48 of a-z, 0-9 and `-`, a letter or a digit at either end.",
    ),
    Field(description="For addresses: 1 to 48 of a-z, 0-9 and `-` inside; no other organisation's"),
]


class OrganisationCreate(Input):
    """Make an organisation; whoever does is its owner."""

    name: OrganisationName
    slug: Slug | None = Field(default=None, description="Made from the name if left out")


class OrganisationUpdate(Input):
    """Change an organisation; fields left out stay as they are."""

    name: OrganisationName | None = None
    slug: Slug | None = None


class Organisation(BaseModel):
    """An organisation as the caller sees it."""

    id: UUID
    name: str
    slug: str
    created_at: datetime
    role: OrganisationRole | None = Field(
        description="The caller's; null for an administrator of the house who is no member"
    )


class Member(BaseModel):
    """Somebody who belongs to an organisation."""

    user_id: UUID
    name: str | None
    email: str | None = Field(description="Shown to owners and admins")
    role: OrganisationRole
    joined_at: datetime


class MemberUpdate(Input):
    """Give a member another role; nobody gives or changes one above their own."""

    role: OrganisationRole


class InvitationCreate(Input):
    """Invite whoever has an address; a second invitation replaces the first."""

    email: Email
    role: OrganisationRole = OrganisationRole.MEMBER


class Invitation(BaseModel):
    """An invitation that has not been accepted."""

    id: UUID
    email: str
    role: OrganisationRole
    invited_by: UUID
    created_at: datetime
    expires_at: datetime


class InvitationAccept(Input):
    """Accept the invitation of a mailed link, as the one it was mailed to."""

    token: Token = Field(repr=False)


class OrganisationChoice(Input):
    """Choose the organisation that the session acts for, or none with null."""

    organisation_id: UUID | None


class ChosenOrganisation(BaseModel):
    """An access token that names the organisation in `org` and `org_role`."""

    access_token: str
    token_type: str = "Bearer"  # noqa: S105 - the name of a scheme
    expires_in: int = Field(description="Seconds the access token is good for")
    organisation_id: UUID | None
    organisation_role: OrganisationRole | None
