"""The part of the auth API that is about passwords."""

from typing import Literal

from pydantic import BaseModel, Field

from shared.schemas.api.auth import CaptchaToken, Email, Password, Token
from shared.schemas.api.inputs import Input


class ForgottenPassword(Input):
    """Ask for a link to choose another password."""

    email: Email
    captcha_token: CaptchaToken = None


class ResetAccepted(BaseModel):
    """The same answer for every address, known or not."""

    status: Literal["mail_sent"] = "mail_sent"


class PasswordReset(Input):
    """Choose another password by a mailed link."""

    token: Token = Field(repr=False)
    password: Password


class PasswordChange(Input):
    """Choose another password by knowing the current one."""

    current_password: Password
    password: Password
