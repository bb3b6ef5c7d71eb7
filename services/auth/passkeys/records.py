"""Rows of the tables of passkeys, as the rules see them."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID


class Purpose(StrEnum):
    """What a challenge was given out for; it is good for nothing else."""

    REGISTRATION = "registration"
    LOG_IN = "log_in"
    SECOND_STEP = "second_step"
    STEP_UP = "step_up"


@dataclass(frozen=True, slots=True)
class Asker:
    """Whom a challenge is for."""

    user_id: UUID
    holder: UUID
    """The session that asked, or the log-in that waits for its second proof."""


@dataclass(frozen=True, slots=True)
class Credential:
    """What the browser has to be told of a passkey."""

    credential_id: bytes
    transports: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class NewPasskey:
    """A passkey whose registration was found to be in order."""

    credential_id: bytes
    public_key: bytes
    sign_count: int
    transports: tuple[str, ...]
    is_backed_up: bool


@dataclass(frozen=True, slots=True)
class Passkey:
    """What an assertion is checked against."""

    id: UUID
    user_id: UUID
    public_key: bytes
    sign_count: int


@dataclass(frozen=True, slots=True)
class ShownPasskey:
    """What its owner is shown of a passkey."""

    id: UUID
    name: str
    created_at: datetime
    last_used_at: datetime | None
    is_backed_up: bool
