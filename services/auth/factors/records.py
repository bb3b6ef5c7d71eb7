"""Rows of the tables of second factors, as the rules see them."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from services.auth.records import Method
from shared.schemas.api.auth import TokenDelivery


@dataclass(frozen=True, slots=True)
class Challenge:
    """A log-in that waits for its second proof."""

    id: UUID
    user_id: UUID
    first: Method
    token_delivery: TokenDelivery
    failures: int
    """Wrong second proofs so far."""


@dataclass(frozen=True, slots=True)
class Totp:
    """The secret of an authenticator app, still encrypted."""

    id: UUID
    sealed_secret: bytes
    last_used_step: int
    now: float
    """What the database's clock says, in seconds since the epoch."""


@dataclass(frozen=True, slots=True)
class ShownTotp:
    """What may be shown of an authenticator app."""

    id: UUID
    created_at: datetime
    confirmed_at: datetime | None
    last_used_at: datetime | None


@dataclass(frozen=True, slots=True)
class FactorFailures:
    """Wrong codes for one account."""

    failures: int
    """From one network."""
    since_last: timedelta
    """Since that network's last one."""
    everywhere: int
    """From all networks."""
    is_known: bool
    """Whether the account has a session that was opened there with a second factor."""
