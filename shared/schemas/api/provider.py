"""The part of the auth API that is about applications which sign their users in with Freehold."""

from datetime import datetime
from typing import Final, Literal

from pydantic import BaseModel, Field

from shared.schemas.api.auth import Input

Scope = Literal["openid", "profile", "email", "roles", "offline_access"]

SCOPES: Final[dict[Scope, str]] = {
    "openid": "Know who you are",
    "profile": "See your name",
    "email": "See your e-mail address",
    "roles": "See your roles",
    "offline_access": "Stay signed in while you are away",
}
"""What an application may ask for, in the words that its users read."""


class OAuthClientCreate(Input):
    """Register an application."""

    name: str = Field(min_length=1, max_length=100)
    redirect_uris: list[str] = Field(
        min_length=1, max_length=20, description="Compared character by character"
    )
    post_logout_redirect_uris: list[str] = Field(default=[], max_length=20)
    scopes: list[Scope] = Field(default=["openid", "profile", "email"])
    is_public: bool = Field(
        default=False, description="For apps on a device or in a browser, which keep no secret"
    )
    is_trusted: bool = Field(
        default=False, description="For your own applications: users are not asked"
    )


class OAuthClient(BaseModel):
    """A registered application."""

    client_id: str
    name: str
    redirect_uris: list[str]
    post_logout_redirect_uris: list[str]
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
