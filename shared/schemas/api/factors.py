"""The API of second factors, of step-up, and of links that log somebody in."""

from datetime import datetime
from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import BaseModel, Field, model_validator

from shared.schemas.api.auth import CaptchaToken, Email, Token, TokenDelivery
from shared.schemas.api.inputs import Input

Code = Annotated[
    str,
    Field(
        min_length=1,
        max_length=64,
        description="Six digits that an authenticator app shows; good once",
    ),
]
RecoveryCode = Annotated[
    str,
    Field(
        min_length=1,
        max_length=64,
        description="One of the ten that were shown once; case, spaces and hyphens are free",
    ),
]
EndOtherSessions = Annotated[
    bool, Field(description="Whether every other session of the account ends with it")
]


class TotpVerifyRequest(Input):
    """Finish a log-in with the code of an authenticator app."""

    mfa_token: Token = Field(repr=False)
    code: Code = Field(repr=False)


class RecoveryVerifyRequest(Input):
    """Finish a log-in with a recovery code, which is spent."""

    mfa_token: Token = Field(repr=False)
    code: RecoveryCode = Field(repr=False)


class TotpStartRequest(Input):
    """Empty: the app is for the account of the access token."""


class NewTotp(BaseModel):
    """What an authenticator app has to be told; shown this once."""

    secret: str = Field(repr=False, description="In base32, to be typed where nothing can be read")
    uri: str = Field(repr=False, description="The `otpauth` address, to be shown as a QR code")


class TotpConfirmRequest(Input):
    """Show that the app works; from then on log-ins ask for it."""

    code: Code = Field(repr=False)
    end_other_sessions: EndOtherSessions = False


class RecoveryCodes(BaseModel):
    """New recovery codes; those from before are worth nothing any more."""

    recovery_codes: list[str] = Field(
        repr=False, description="Each good once; shown this once, stored only as hashes"
    )


class TotpRemoveRequest(Input):
    """Remove the authenticator app; either of the codes shows that its owner asks."""

    code: Code | None = Field(default=None, repr=False)
    recovery_code: RecoveryCode | None = Field(default=None, repr=False)
    end_other_sessions: EndOtherSessions = False

    @model_validator(mode="after")
    def _has_one_code(self) -> Self:
        if (self.code is None) == (self.recovery_code is None):
            raise ValueError("Send either `code` or `recovery_code`.")
        return self


class RecoveryCodesRequest(Input):
    """Replace the recovery codes."""

    end_other_sessions: EndOtherSessions = False


class Totp(BaseModel):
    """An authenticator app."""

    id: UUID
    created_at: datetime
    confirmed_at: datetime | None = Field(description="Null while it does not count yet")
    last_used_at: datetime | None


class Factors(BaseModel):
    """The second factors of an account."""

    methods: list[str] = Field(
        description="What can follow a first proof: `totp`, `recovery_code`, …; empty without a "
        "second factor"
    )
    totp: Totp | None
    recovery_codes_left: int


class StepUpRequest(Input):
    """Prove again who you are: by password, or by a second factor if the account has one."""

    password: str | None = Field(default=None, min_length=1, max_length=256, repr=False)
    code: Code | None = Field(default=None, repr=False)
    recovery_code: RecoveryCode | None = Field(default=None, repr=False)

    @model_validator(mode="after")
    def _has_one_code_at_most(self) -> Self:
        if self.code is not None and self.recovery_code is not None:
            raise ValueError("Send either `code` or `recovery_code`, not both.")
        return self


class MagicLinkRequest(Input):
    """Ask for a mail that logs in."""

    email: Email
    captcha_token: CaptchaToken = None


class MagicLinkAccepted(BaseModel):
    """The same answer for every address, known or not."""

    status: Literal["link_sent"] = "link_sent"
    request_id: str = Field(
        repr=False, description="Keep it: with it, the code in the mail can be entered here"
    )


class MagicLinkVerifyRequest(Input):
    """Log in with a mailed link's token, or with the request and the code of six digits."""

    token: Token | None = Field(default=None, repr=False)
    request_id: Token | None = Field(default=None, repr=False)
    code: str | None = Field(
        default=None,
        min_length=1,
        max_length=32,
        repr=False,
        description="Six digits from the mail, on the device that asked for it",
    )
    token_delivery: TokenDelivery = TokenDelivery.COOKIE

    @model_validator(mode="after")
    def _has_one_proof(self) -> Self:
        by_code = self.request_id is not None and self.code is not None
        by_either = self.request_id is not None or self.code is not None
        if (self.token is not None) == by_either or by_code != by_either:
            raise ValueError("Send either `token`, or `request_id` and `code`.")
        return self
