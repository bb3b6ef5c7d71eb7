"""The part of the auth API that is about applications which sign their users in with Freehold."""

from datetime import datetime
from typing import Annotated, Final, Literal

from pydantic import BaseModel, Field

from shared.schemas.api.inputs import Input

Scope = Literal["openid", "profile", "email", "roles", "offline_access"]

SCOPES: Final[dict[Scope, str]] = {
    "openid": "Know who you are",
    "profile": "See your name",
    "email": "See your e-mail address",
    "roles": "See your roles",
    "offline_access": "Stay signed in while you are away",
}
"""What an application may ask for, in the words that its users read."""


ClientName = Annotated[str, Field(min_length=1, max_length=100)]
RedirectUris = Annotated[
    list[str], Field(min_length=1, max_length=20, description="Compared character by character")
]
LogoutRedirectUris = Annotated[list[str], Field(max_length=20)]
LogoutUri = Annotated[
    str | None,
    Field(
        max_length=500,
        description="Where the application is told that somebody's session has ended, by a signed "
        "logout token (back-channel logout)",
    ),
]
SessionRequired = Annotated[
    bool,
    Field(description="Whether the logout token has to name the session; it always does (`sid`)"),
]
IdTokenAlgorithm = Annotated[
    Literal["ES256", "RS256"],
    Field(description="RS256 only for applications that cannot verify ES256"),
]
RequirePkce = Annotated[
    bool,
    Field(
        description="Whether requests without PKCE are refused; false only for applications with a "
        "secret whose library cannot do it. PKCE that is sent is verified in any case"
    ),
]


class OAuthClientCreate(Input):
    """Register an application."""

    name: ClientName
    redirect_uris: RedirectUris
    post_logout_redirect_uris: LogoutRedirectUris = Field(default=[])
    backchannel_logout_uri: LogoutUri = None
    backchannel_logout_session_required: SessionRequired = False
    id_token_signed_response_alg: IdTokenAlgorithm = Field(default="ES256")
    require_pkce: RequirePkce = True
    scopes: list[Scope] = Field(default=["openid", "profile", "email"])
    is_public: bool = Field(
        default=False, description="For apps on a device or in a browser, which keep no secret"
    )
    is_trusted: bool = Field(
        default=False, description="For your own applications: users are not asked"
    )


class OAuthClientUpdate(Input):
    """Change an application; fields left out stay as they are."""

    name: ClientName | None = None
    redirect_uris: RedirectUris | None = None
    post_logout_redirect_uris: LogoutRedirectUris | None = None
    backchannel_logout_uri: LogoutUri = None
    backchannel_logout_session_required: SessionRequired | None = None
    id_token_signed_response_alg: IdTokenAlgorithm | None = None
    require_pkce: RequirePkce | None = None
    scopes: list[Scope] | None = Field(
        default=None, description="What is taken away is taken from those who are signed in, too"
    )
    is_trusted: bool | None = Field(
        default=None, description="`false` signs everybody out, to be asked at the next sign-in"
    )


class OAuthClient(BaseModel):
    """A registered application."""

    client_id: str
    name: str
    redirect_uris: list[str]
    post_logout_redirect_uris: list[str]
    backchannel_logout_uri: str | None
    backchannel_logout_session_required: SessionRequired
    id_token_signed_response_alg: IdTokenAlgorithm
    require_pkce: RequirePkce
    scopes: list[str]
    is_public: bool
    is_trusted: bool
    created_at: datetime


class CreatedOAuthClient(OAuthClient):
    """A new application with its secret."""

    client_secret: str | None = Field(description="Shown this once; None for a public client")


class ConsentInfo(BaseModel):
    """What the caller allowed an application."""

    client_id: str
    name: str
    scopes: list[str]
    granted_at: datetime


class ConsentList(BaseModel):
    """The applications that the caller allowed something; at most a hundred."""

    items: list[ConsentInfo]
    next: None = None


class Interaction(BaseModel):
    """What the sign-in page has to ask for."""

    step: Literal["login", "consent"]
    client_name: str
    email: str | None = Field(description="Of whom is logged in")
    scopes: list[str] = Field(description="What the application wants, in words for its user")


class ConsentDecision(Input):
    """What somebody said to an application's request."""

    parameters: dict[str, str] = Field(max_length=30, description="Those of the request")
    allow: bool


class Destination(BaseModel):
    """Where the browser goes next."""

    location: str
