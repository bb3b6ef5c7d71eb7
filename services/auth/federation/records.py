"""Connections, and who somebody is by them."""

from dataclasses import dataclass
from datetime import datetime

from shared.schemas.api.connections import ConnectionKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """A row of `connections`."""

    id: str
    name: str
    kind: ConnectionKind
    issuer: str
    client_id: str
    sealed_secret: bytes
    scopes: tuple[str, ...]
    team_id: str | None
    key_id: str | None
    is_enabled: bool
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """What a provider says, and vouches for, about who came."""

    issuer: str
    subject: str
    email: str | None
    """Normalised; None if there is none that mail can be sent to."""
    is_email_verified: bool
    """Whether the provider vouches that the address is theirs."""
    name: str | None
