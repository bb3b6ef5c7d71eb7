"""Settings of the mail service."""

from email.errors import MessageError
from email.headerregistry import Address
from email.utils import parseaddr
from pathlib import Path
from typing import Annotated, Self

from pydantic import AfterValidator, Field, SecretStr, model_validator

from services.mail.smtp import parse_smtp_url
from shared.chassis.settings import (
    BusSettings,
    DatabaseSettings,
    Settings,
    secret_checked_by,
)


def parse_mailbox(text: str) -> Address:
    """Return the mailbox of a text like `Freehold <noreply@example.com>`. Raises ValueError."""
    name, address = parseaddr(text)
    try:
        mailbox = Address(display_name=name, addr_spec=address)
        str(mailbox).encode("ascii")
    except (ValueError, IndexError, MessageError) as error:
        raise ValueError("write `name@example.com` or `Name <name@example.com>`") from error
    if not mailbox.username or not mailbox.domain:
        raise ValueError("write `name@example.com` or `Name <name@example.com>`")
    return mailbox


def _checked_mailbox(text: str) -> str:
    parse_mailbox(text)
    return text


class MailSettings(Settings, DatabaseSettings, BusSettings):
    """What an operator can set; every name is `FREEHOLD_` and the field in capitals."""

    smtp_url: Annotated[SecretStr, secret_checked_by(parse_smtp_url)] = Field(
        description="Server that takes our mail: smtp://HOST:PORT without encryption, "
        "starttls://USER:PASSWORD@HOST:PORT with an encryption that is demanded after the "
        "greeting, smtps://USER:PASSWORD@HOST:PORT encrypted from the first byte. Characters with "
        "a meaning in addresses are percent-encoded in user and password.",
    )
    smtp_ca_file: Path | None = Field(
        default=None,
        description="Certificates (PEM) of the authority that the SMTP server's certificate is "
        "checked against; without it those of the system. A wrong one makes every mail wait.",
    )
    smtp_timeout_seconds: float = Field(
        default=20.0,
        ge=1.0,
        le=40.0,
        description="Longest wait for one answer of the SMTP server. Too low and a slow server "
        "gets mails twice; a whole hand-over ends after 45 seconds in any case.",
    )
    smtp_connections: int = Field(
        default=5,
        ge=1,
        le=100,
        description="Mails handed over at the same time by one worker; more than the SMTP server "
        "allows from one client makes mails wait for a later attempt.",
    )
    mail_from: Annotated[str, AfterValidator(_checked_mailbox)] = Field(
        description="Sender of every mail, `Name <noreply@example.com>`. Its domain must allow "
        "the SMTP server to send for it, or receivers take the mails for spam.",
    )

    @model_validator(mode="after")
    def _ca_file_is_readable(self) -> Self:
        if self.smtp_ca_file is not None and not self.smtp_ca_file.is_file():
            raise ValueError(f"smtp_ca_file: there is no file {self.smtp_ca_file}")
        return self
