"""The part of the auth API that is about logging in with other providers."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, Field

from shared.schemas.api.inputs import PRINTABLE, Input, Spelling
from shared.schemas.api.omittable import Omittable


class ProviderAnswer(BaseModel):
    """What a provider sends the browser back with."""

    state: str
    code: Omittable[str] = Field(default=None, description="Unless it refused")
    error: Omittable[str] = Field(default=None, description="If it refused")
    iss: Omittable[str] = Field(default=None, description="Who answers (RFC 9207)")
    user: Omittable[str] = Field(default=None, description="Names, from Apple at the first log-in")


class ConnectionKind(StrEnum):
    """What is known of a provider beforehand; `oidc` is any provider with a discovery document."""

    OIDC = "oidc"
    GOOGLE = "google"
    GITHUB = "github"
    MICROSOFT = "microsoft"
    APPLE = "apple"


ConnectionId = Annotated[
    str,
    Spelling(
        r"^[a-z0-9][a-z0-9-]{0,39}$",
        "Send 1 to 40 of a-z, 0-9 and `-`, a letter or a digit first.",
    ),
]
ConnectionName = Annotated[str, Field(min_length=1, max_length=100)]
ClientId = Annotated[str, Field(min_length=1, max_length=255), PRINTABLE]
ClientSecret = Annotated[str, Field(min_length=1, max_length=8192)]
ScopeName = Annotated[
    str,
    Field(min_length=1, max_length=100),
    Spelling(
        r"^[!#-\[\]-~]+$", "Send visible ASCII characters without spaces, quotes and backslashes."
    ),
]
Scopes = Annotated[list[ScopeName], Field(max_length=20)]
AppleId = Annotated[str, Spelling(r"^[A-Z0-9]{10}$", "Send ten of A-Z and 0-9.")]


class ConnectionCreate(Input):
    """Let people log in with a provider that is trusted to say whose an e-mail address is."""

    id: ConnectionId = Field(description="Stands in the addresses of the connection for good")
    name: ConnectionName = Field(description="As log-in pages show it")
    kind: ConnectionKind = ConnectionKind.OIDC
    issuer: str | None = Field(
        default=None,
        max_length=500,
        description="Address of the provider; known already for every kind but `oidc`. For one "
        "tenant of Microsoft: its sign-in address, the tenant and `/v2.0`",
    )
    client_id: ClientId
    client_secret: ClientSecret = Field(
        repr=False, description="Shown never again; for `apple` the private key, as the file has it"
    )
    scopes: Scopes | None = Field(default=None, description="Left out: what the kind needs")
    team_id: AppleId | None = Field(default=None, description="For `apple`")
    key_id: AppleId | None = Field(default=None, description="For `apple`: id of the private key")
    is_enabled: bool = True


class ConnectionUpdate(Input):
    """Change a connection; fields left out stay as they are, log-ins on their way begin anew."""

    name: ConnectionName | None = None
    client_id: ClientId | None = None
    client_secret: ClientSecret | None = Field(default=None, repr=False)
    scopes: Scopes | None = None
    team_id: AppleId | None = None
    key_id: AppleId | None = None
    is_enabled: bool | None = None


class Connection(BaseModel):
    """A connection, without its secret."""

    id: str
    name: str
    kind: ConnectionKind
    issuer: str
    client_id: str
    scopes: list[str]
    team_id: str | None
    key_id: str | None
    is_enabled: bool
    callback_url: str = Field(description="To be registered at the provider")
    created_at: datetime


class OfferedConnection(BaseModel):
    """What a log-in page shows of a connection."""

    id: str
    name: str


class OfferedConnections(BaseModel):
    """The connections that people may log in with; at most a hundred."""

    items: list[OfferedConnection]
    next: None = None


class IdentityLink(Input):
    """Link who the caller is at a provider with the account."""

    connection: ConnectionId
    return_to: str | None = Field(
        default=None, max_length=4096, description="Where the browser goes afterwards"
    )
