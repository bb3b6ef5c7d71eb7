"""What applications and browsers send to `/oauth2/…`, and what they get.

The names are those of OAuth 2.0 (RFC 6749, 7009, 7662) and OpenID Connect, whose libraries know
them. Parameters that are not named here are ignored, and one without a value counts as left out.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from shared.schemas.api.omittable import Omittable


class OAuthErrorAnswer(BaseModel):
    """An error as OAuth 2.0 has it (RFC 6749, RFC 6750)."""

    error: str = Field(description="A code of the standard, such as `invalid_grant`")
    error_description: str = Field(description="What happened and what to do, for a person")


class AuthorizationParameters(BaseModel):
    """An application's request to sign a user in."""

    response_type: Literal["code"]
    client_id: str
    redirect_uri: str = Field(description="One of those that the application has registered")
    scope: str = Field(
        description="`openid`, and what else the application asks for, with spaces between: "
        "`profile`, `email`, `roles`, `offline_access`"
    )
    state: Omittable[Annotated[str, Field(max_length=2048)]] = Field(
        default=None, description="Comes back unchanged; ties the answer to the request"
    )
    nonce: Omittable[Annotated[str, Field(max_length=512)]] = Field(
        default=None, description="Stands in the ID token unchanged"
    )
    code_challenge: Omittable[Annotated[str, Field(pattern="^[A-Za-z0-9_-]{43}$")]] = Field(
        default=None,
        description="PKCE: SHA-256 of the `code_verifier` in base64url; required unless the "
        "application was let off",
    )
    code_challenge_method: Omittable[Literal["S256"]] = Field(
        default=None, description="Required with `code_challenge`"
    )
    prompt: Omittable[str] = Field(
        default=None,
        description="`none` to ask nobody; or `login`, `select_account`, `consent`, with spaces "
        "between",
    )
    max_age: Omittable[Annotated[int, Field(ge=0, le=999_999_999)]] = Field(
        default=None, description="Seconds since the user last proved who they are, at most"
    )
    id_token_hint: Omittable[str] = Field(
        default=None, description="An earlier ID token of the user that it has to be"
    )
    response_mode: Omittable[Literal["query"]] = None


class ClientForm(BaseModel):
    """Who asks, where it does not say so by HTTP Basic."""

    client_id: Omittable[str] = Field(
        default=None, description="Required without HTTP Basic, also of a public client"
    )
    client_secret: Omittable[str] = Field(default=None, description="Not with HTTP Basic")


class TokenForm(ClientForm):
    """A code, or a refresh token, to be exchanged."""

    grant_type: Literal["authorization_code", "refresh_token"]
    code: Omittable[str] = Field(default=None, description="Required with `authorization_code`")
    redirect_uri: Omittable[str] = Field(
        default=None, description="Required with `authorization_code`: where the code arrived"
    )
    code_verifier: Omittable[str] = Field(
        default=None, description="Required if the request had a `code_challenge`"
    )
    refresh_token: Omittable[str] = Field(default=None, description="Required with `refresh_token`")
    scope: Omittable[str] = Field(
        default=None, description="With `refresh_token`: fewer scopes than were allowed"
    )


class TokenAnswer(BaseModel):
    """What an application gets for a code or a refresh token."""

    access_token: str = Field(description="Opens `/oauth2/userinfo` and nothing else")
    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105 - the name of a scheme
    expires_in: int = Field(description="Seconds the access token is good for")
    id_token: str
    refresh_token: str
    scope: str


class TokenReferenceForm(ClientForm):
    """An access or refresh token of the application that asks."""

    token: str


class Introspection(BaseModel):
    """Whether a token is good; only `active` where it is not."""

    active: bool
    token_type: Omittable[Literal["Bearer"]] = Field(
        default=None, description="Only of an access token"
    )
    scope: Omittable[str] = None
    client_id: Omittable[str] = None
    iss: Omittable[str] = None
    sub: Omittable[str] = Field(default=None, description="Id of the user")
    aud: Omittable[str] = Field(default=None, description="Only of an access token")
    exp: Omittable[int] = Field(default=None, description="Seconds since 1970")
    iat: Omittable[int] = Field(default=None, description="Only of an access token")
    jti: Omittable[str] = Field(default=None, description="Only of an access token")


class UserinfoForm(BaseModel):
    """The access token, where no header carries it."""

    access_token: Omittable[str] = None


class Userinfo(BaseModel):
    """What the scopes of an access token let its application know of the user."""

    sub: str = Field(description="Id of the user")
    email: Omittable[str] = None
    email_verified: Omittable[bool] = None
    preferred_username: Omittable[str] = None
    name: Omittable[str] = None
    updated_at: Omittable[int] = Field(default=None, description="Seconds since 1970")
    roles: Omittable[list[str]] = None


class SignOutParameters(BaseModel):
    """An application's request to sign its user out."""

    id_token_hint: Omittable[str] = Field(
        default=None, description="The user's ID token; without it a page asks first"
    )
    client_id: Omittable[str] = Field(default=None, description="Of the same application")
    post_logout_redirect_uri: Omittable[str] = Field(
        default=None, description="One of those that the application has registered"
    )
    state: Omittable[str] = Field(default=None, description="Comes back unchanged")
