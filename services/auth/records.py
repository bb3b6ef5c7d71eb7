"""Rows of the auth service's tables, as the rules see them."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from uuid import UUID

from shared.schemas.api.auth import TokenDelivery
from shared.schemas.roles import OrganisationRole

Network = IPv4Network | IPv6Network


class Method(StrEnum):
    """A way to prove who one is; sessions remember them, and tokens name them as `amr`."""

    PASSWORD = "pwd"  # noqa: S105 - the name that RFC 8176 gives it
    MAIL = "email"
    FEDERATED = "federated"
    PASSKEY = "passkey"
    ONE_TIME_CODE = "otp"
    RECOVERY_CODE = "recovery"


@dataclass(frozen=True, slots=True)
class Account:
    """A row of `users`."""

    id: UUID
    email: str
    name: str | None
    password_hash: str | None
    """None for an account that is entered in other ways."""
    roles: tuple[str, ...]
    created_at: datetime
    disabled_at: datetime | None


@dataclass(frozen=True, slots=True)
class ImportedAccount:
    """An account of another system, about to be added."""

    id: UUID
    email: str
    name: str | None
    password_hash: str | None
    created_at: datetime | None


@dataclass(frozen=True, slots=True)
class Signup:
    """A pending attempt to sign up."""

    id: UUID
    email: str
    name: str | None
    password_hash: str


@dataclass(frozen=True, slots=True)
class Link:
    """A mailed link that is still good, and whom it concerns."""

    id: UUID
    purpose: str
    email: str
    name: str | None
    """Given with a sign-up."""
    account_exists: bool
    account_name: str | None
    expires_at: datetime
    is_signup: bool
    template: str | None
    template_otherwise: str | None
    template_taken: str | None
    """Instead of the link, for the owner of an address that another account wants."""
    is_taken: bool
    """Whether the address belongs to another account than the link's."""
    path: str | None
    has_code: bool
    variables: dict[str, str | None]


@dataclass(frozen=True, slots=True)
class SessionRow:
    """A row of `sessions`."""

    id: UUID
    user_id: UUID
    token_delivery: TokenDelivery
    refresh_counter: int
    refreshed_at: datetime
    idle_expires_at: datetime
    expires_at: datetime
    user_agent: str | None
    address: str | None
    last_used_address: str | None
    """None until the first refresh."""
    created_at: datetime
    methods: tuple[str, ...]
    authenticated_at: datetime
    impersonator_id: UUID | None
    organisation_id: UUID | None
    """The one that its tokens name."""


@dataclass(frozen=True, slots=True)
class SessionWithRights(SessionRow):
    """The same, with what its next access token carries."""

    organisation_role: OrganisationRole | None
    permissions: tuple[str, ...]
    """Of the roles that its user has, sorted."""


@dataclass(frozen=True, slots=True)
class Device:
    """Where a session is opened from, as its owner will see it in the list."""

    user_agent: str | None
    address: IPv4Address | IPv6Address | None
    token: str | None = field(default=None, repr=False)
    """What its long-lived cookie holds; None for a browser that is new, and without cookies."""
    refresh_token: str | None = field(default=None, repr=False)
    """What its refresh cookie holds when somebody enters: the session that the browser has."""


@dataclass(frozen=True, slots=True)
class EndedSession:
    """A session or API key whose access tokens are to be forgotten."""

    id: UUID
    user_id: UUID


@dataclass(frozen=True, slots=True)
class Revocation:
    """A live revocation."""

    session_id: UUID
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class LoginFailures:
    """How often one network failed at one account, and how long ago."""

    failures: int
    since_last: timedelta


@dataclass(frozen=True, slots=True)
class NewSigningKey:
    """A signing key that was just made, its private half encrypted."""

    id: str
    algorithm: str
    private_key: bytes


@dataclass(frozen=True, slots=True)
class SigningKeyRow:
    """A row of `signing_keys`."""

    id: str
    algorithm: str
    private_key: bytes
    activates_at: datetime
    """When it begins to sign; it is published before."""


@dataclass(frozen=True, slots=True)
class ApiKeyRow:
    """A row of `api_keys`, without the hash."""

    id: UUID
    owner_id: UUID
    """A user or a service account."""
    name: str
    scopes: tuple[str, ...]
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    last_used_address: str | None
    """An address, or the network of 64 bits that one IPv6 host owns."""
