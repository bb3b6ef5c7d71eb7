"""The API of passkeys: what a browser's `navigator.credentials` takes and gives, as JSON.

Bytes are base64url without padding. The names inside a credential are those of the WebAuthn
standard, so that a page hands on what `PublicKeyCredential.toJSON()` gave it.
"""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from shared.schemas.api.auth import Token, TokenDelivery
from shared.schemas.api.factors import EndOtherSessions
from shared.schemas.api.inputs import Input, Spelling

CredentialId = Annotated[
    str,
    Field(min_length=1, max_length=1364),
    Spelling(r"^[A-Za-z0-9_-]+$", "Send base64url without padding, as the browser gave it."),
]
PasskeyName = Annotated[
    str, Field(min_length=1, max_length=100, description="For its owner to tell it from others")
]


class PasskeyOptions(BaseModel):
    """What to hand to the browser."""

    model_config = ConfigDict(serialize_by_alias=True)

    public_key: dict[str, Any] = Field(
        alias="publicKey",
        description="For `PublicKeyCredential.parseCreationOptionsFromJSON` or "
        "`parseRequestOptionsFromJSON`; good once and for five minutes",
    )


class _FromBrowser(BaseModel):
    """A part of a credential; what a newer browser adds to it is passed over."""

    model_config = ConfigDict(alias_generator=to_camel, extra="ignore")


class Attestation(_FromBrowser):
    """What an authenticator says of a passkey that it has just made."""

    client_data: str = Field(alias="clientDataJSON", max_length=8192)
    attestation_object: str = Field(max_length=65_536)
    transports: list[Annotated[str, Field(max_length=32)]] = Field(default=[], max_length=16)


class Assertion(_FromBrowser):
    """What an authenticator has signed."""

    client_data: str = Field(alias="clientDataJSON", max_length=8192)
    authenticator_data: str = Field(max_length=8192)
    signature: str = Field(max_length=8192)
    user_handle: str | None = Field(default=None, max_length=128)


class NewPasskeyCredential(_FromBrowser):
    """What `navigator.credentials.create()` gave."""

    id: CredentialId
    raw_id: CredentialId
    type: Literal["public-key"]
    response: Attestation


class PasskeyCredential(_FromBrowser):
    """What `navigator.credentials.get()` gave."""

    id: CredentialId
    raw_id: CredentialId
    type: Literal["public-key"]
    response: Assertion


class PasskeyRegistrationRequest(Input):
    """Empty: the passkey is for the account of the access token."""


class PasskeyCreate(Input):
    """Add the passkey that the browser has made."""

    name: PasskeyName
    credential: NewPasskeyCredential = Field(repr=False)
    end_other_sessions: EndOtherSessions = False


class PasskeyUpdate(Input):
    """Give a passkey another name."""

    name: PasskeyName


class Passkey(BaseModel):
    """One of the account's passkeys."""

    id: UUID
    name: str
    created_at: datetime
    last_used_at: datetime | None
    synced: bool = Field(description="Whether its owner's other devices have it too")


class CreatedPasskey(Passkey):
    """A new passkey."""

    recovery_codes: list[str] | None = Field(
        repr=False,
        description="If the account had none left: each can once take the place of a second "
        "factor; shown this once, stored only as hashes",
    )


class PasskeyLogInStart(Input):
    """Empty: the passkey itself says whose it is."""


class PasskeyLogIn(Input):
    """Log in with a passkey."""

    credential: PasskeyCredential = Field(repr=False)
    token_delivery: TokenDelivery = TokenDelivery.COOKIE


class PasskeySecondStepStart(Input):
    """Ask for the second step of a log-in by passkey."""

    mfa_token: Token = Field(repr=False)


class PasskeySecondStep(Input):
    """Finish a log-in with a passkey."""

    mfa_token: Token = Field(repr=False)
    credential: PasskeyCredential = Field(repr=False)


class PasskeyStepUpStart(Input):
    """Empty: the passkey is one of the account of the access token."""


class PasskeyStepUp(Input):
    """Prove again who you are, with a passkey."""

    credential: PasskeyCredential = Field(repr=False)
