"""The part of the auth API that is for administrators."""

from datetime import datetime
from typing import Annotated, Any, Final
from uuid import UUID

from pydantic import BaseModel, Field

from shared.schemas.api.auth import User
from shared.schemas.api.inputs import Input, Spelling

_ROLE_NAME: Final = Spelling(
    r"^[a-z][a-z0-9_-]{0,49}$", "Send 1 to 50 of a-z, 0-9, `_` and `-`, a letter first."
)


class ManagedUser(User):
    """An account as administrators see it."""

    disabled_at: datetime | None


class ManagedUserDetail(ManagedUser):
    """One account and what hangs on it."""

    disabled_reason: str | None
    has_password: bool
    sessions: int = Field(description="Open ones")
    api_keys: int


class ManagedUserUpdate(Input):
    """Change an account; fields left out stay as they are."""

    name: str | None = Field(default=None, max_length=200)
    roles: list[Annotated[str, _ROLE_NAME]] | None = Field(default=None, max_length=32)


class DisableUser(Input):
    """Let nobody in by an account."""

    reason: str | None = Field(default=None, max_length=500)


class ImpersonateUser(Input):
    """Act in somebody's name."""

    reason: str = Field(
        min_length=1, max_length=300, description="The user reads it, and so does who reads the log"
    )


class AuditEntry(BaseModel):
    """One act, by whom, on whom and from where."""

    id: UUID
    at: datetime
    action: str
    actor_id: UUID | None
    user_id: UUID | None
    session_id: UUID | None
    address: str | None
    user_agent: str | None
    details: dict[str, Any]
