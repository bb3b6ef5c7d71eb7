"""The auth API."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Final, Literal
from uuid import UUID

from pydantic import AfterValidator, BaseModel, Field

from shared.schemas.api.inputs import Input, Instant, Spelling
from shared.schemas.api.omittable import Omittable
from shared.schemas.scopes import SCOPES, is_for_administrators, listed, require_known

Email = Annotated[str, Field(min_length=3, max_length=320)]
Password = Annotated[str, Field(min_length=1, max_length=256, repr=False)]
CaptchaToken = Annotated[
    str | None,
    Field(
        max_length=4096,
        repr=False,
        description="What the CAPTCHA gave the page, where the operator has set one up",
    ),
]
Token = Annotated[str, Field(min_length=1, max_length=512)]


class TokenDelivery(StrEnum):
    """Where a client wants its refresh token: a browser in a cookie, others in the body.

    In a cookie the new session takes the place of the one that a browser (a request with `Origin`)
    had, which ends.
    """

    COOKIE = "cookie"
    BODY = "body"


class SignupRequest(Input):
    """Ask for an account."""

    email: Email
    password: Password
    name: str | None = Field(default=None, max_length=200)
    captcha_token: CaptchaToken = None


class SignupAccepted(BaseModel):
    """The same answer for every address, known or not."""

    status: Literal["verification_sent"] = "verification_sent"


class VerifyRequest(Input):
    """Redeem the link of a verification mail."""

    token: Token = Field(repr=False)
    token_delivery: TokenDelivery = TokenDelivery.COOKIE


class LoginRequest(Input):
    """Open a session with a password."""

    email: Email
    password: Password
    token_delivery: TokenDelivery = TokenDelivery.COOKIE
    captcha_token: CaptchaToken = None


class RefreshRequest(Input):
    """Renew a session; browsers send the cookie instead of the field."""

    refresh_token: Token | None = Field(default=None, repr=False)


class LogoutRequest(Input):
    """End a session; who sends a live access token, or the cookie, needs no field and no body."""

    refresh_token: Token | None = Field(default=None, repr=False)


class User(BaseModel):
    """An account."""

    id: UUID
    email: str
    name: str | None
    roles: list[str]
    created_at: datetime


class Session(BaseModel):
    """An opened or renewed session."""

    access_token: str
    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105 - the name of a scheme
    expires_in: int = Field(description="Seconds the access token is good for")
    user: User
    refresh_token: Omittable[str] = Field(
        default=None, description="Only with token_delivery `body`; else it is in the cookie"
    )


class MfaRequired(BaseModel):
    """The password was right; one of the methods has to follow within ten minutes."""

    mfa_required: Literal[True] = True
    mfa_token: str
    methods: list[str]


class SessionInfo(BaseModel):
    """One of a user's open sessions."""

    id: UUID
    created_at: datetime
    last_used_at: datetime
    device: str = Field(description="What kind of program and machine, such as Firefox on Linux")
    user_agent: str | None
    address: str | None = Field(description="Where it was opened")
    last_used_address: str | None = Field(description="Where it was opened or refreshed last")
    methods: list[str] = Field(description="How its user proved who they are")
    impersonated: bool = Field(description="Whether an administrator acts in the user's name")
    organisation_id: UUID | None = Field(description="The organisation that it acts for")
    current: bool = Field(description="Whether it is the session that asks")


class UserUpdate(Input):
    """Change the profile; fields left out stay as they are."""

    name: str | None = Field(default=None, max_length=200)


_SPELLING: Final = Spelling(
    r"^[a-z][a-z0-9_.:*-]{0,99}$",
    "Send 1 to 100 of a-z, 0-9, `_`, `.`, `:`, `*` and `-`, a letter first.",
)
Scope = Annotated[str, _SPELLING, AfterValidator(require_known)]
_EVERYBODYS: Final = tuple(scope for scope in SCOPES if not is_for_administrators(scope))
_ADMINISTRATORS: Final = tuple(scope for scope in SCOPES if is_for_administrators(scope))


class ApiKeyCreate(Input):
    """Make an API key."""

    name: str = Field(min_length=1, max_length=100)
    scopes: list[Scope] = Field(
        max_length=32,
        description=f"What the key may do: {listed(_EVERYBODYS)}; of an administrator's key also "
        f"{listed(_ADMINISTRATORS)}",
    )
    expires_at: Instant | None = None


class ApiKey(BaseModel):
    """An API key without its secret."""

    id: UUID
    name: str
    scopes: list[str]
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None = Field(description="To the minute")
    last_used_address: str | None = Field(description="Where from; of IPv6 the network of 64 bits")


class ApiKeyUpdate(Input):
    """Rename an API key."""

    name: str = Field(min_length=1, max_length=100)


class Activity(BaseModel):
    """Something that was done to the caller's account."""

    at: datetime
    action: str
    by_yourself: bool
    address: str | None
    user_agent: str | None


class LinkedIdentity(BaseModel):
    """Who somebody is at a provider."""

    id: UUID
    connection_id: str | None = Field(description="None once the connection was removed")
    connection_name: str | None
    issuer: str
    subject: str
    email: str | None = Field(description="What the provider said last; it opens nothing")
    created_at: datetime
    last_used_at: datetime


class CreatedApiKey(ApiKey):
    """A new API key with its secret."""

    key: str = Field(description="`fh_…`; shown this once, stored only as a hash")
