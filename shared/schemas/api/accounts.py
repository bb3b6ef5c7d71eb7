"""The part of the auth API about an account as a whole: its export, its address and its end."""

from datetime import datetime
from enum import StrEnum
from typing import Literal
from uuid import UUID

from pydantic import BaseModel, Field

from shared.schemas.api.auth import (
    Activity,
    ApiKey,
    Email,
    LinkedIdentity,
    SessionInfo,
    Token,
    User,
)
from shared.schemas.api.factors import Totp
from shared.schemas.api.inputs import Input
from shared.schemas.api.organisations import Organisation
from shared.schemas.api.passkeys import Passkey


class AccountExport(BaseModel):
    """What auth holds of an account, secrets left out; the newest thousand of each kind."""

    user: User
    sessions: list[SessionInfo]
    api_keys: list[ApiKey]
    identities: list[LinkedIdentity]
    passkeys: list[Passkey]
    totp: Totp | None = Field(description="The authenticator app")
    organisations: list[Organisation]
    activity: list[Activity]
    elsewhere: dict[str, str] = Field(description="Where the other services list what they hold")


class EmailChangeRequest(Input):
    """Ask for another address."""

    email: Email


class EmailChangeAccepted(BaseModel):
    """The same answer for every new address, known or not."""

    status: Literal["confirmations_sent"] = "confirmations_sent"


class EmailConfirmation(Input):
    """Redeem the link that went to one of the two addresses."""

    token: Token = Field(repr=False)


class EmailConfirmationStatus(StrEnum):
    """How far a change of address is."""

    WAITING_FOR_OTHER = "waiting_for_other"
    CHANGED = "changed"


class EmailConfirmed(BaseModel):
    """One address has agreed."""

    status: EmailConfirmationStatus = Field(
        description="Whether the account has moved, or the other address has to agree too"
    )


class AccountDeletion(BaseModel):
    """What is left of a deleted account: its id, and who confirmed that nothing else is."""

    user_id: UUID
    actor_id: UUID = Field(description="Who deleted it; the user's own id if they did")
    requested_at: datetime
    completed_at: datetime | None = Field(description="When the last service confirmed")
    confirmations: dict[str, datetime | None] = Field(
        description="By service, when it confirmed that it holds nothing of the user"
    )
