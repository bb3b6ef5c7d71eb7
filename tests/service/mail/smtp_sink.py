"""An SMTP server that keeps what it is given and refuses what it is told to refuse."""

import asyncio
import ssl
import warnings
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword

from tests.parts.processes import free_port


@dataclass(frozen=True)
class Received:
    """A message that was taken."""

    sender: str
    recipients: list[str]
    data: bytes

    @property
    def message(self) -> EmailMessage:
        """The message as a mail program reads it."""
        message = message_from_bytes(self.data, policy=default)
        assert isinstance(message, EmailMessage)
        return message


@dataclass
class SmtpSink:
    """Answers `250` to everything but what `refusals` holds, used up one a message."""

    tls: ssl.SSLContext | None = None
    encryption: str = "smtp"
    credentials: tuple[bytes, bytes] | None = None
    rcpt_refusals: list[str] = field(default_factory=list)
    data_refusals: list[str] = field(default_factory=list)
    received: list[Received] = field(default_factory=list)
    port: int = field(default_factory=free_port)
    _server: asyncio.Server | None = None

    async def start(self) -> None:
        """Begin to listen on the port."""
        self._server = await asyncio.get_running_loop().create_server(
            self._protocol,
            "127.0.0.1",
            self.port,
            ssl=self.tls if self.encryption == "smtps" else None,
        )

    async def stop(self) -> None:
        """Refuse connections until the next start."""
        server, self._server = self._server, None
        if server is not None:
            server.close()
            await server.wait_closed()

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, _server: Any, _session: Any, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        if self.rcpt_refusals:
            return self.rcpt_refusals.pop(0)
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's name
        if self.data_refusals:
            return self.data_refusals.pop(0)
        assert isinstance(envelope.original_content, bytes)
        assert envelope.mail_from is not None
        self.received.append(
            Received(envelope.mail_from, list(envelope.rcpt_tos), envelope.original_content)
        )
        return "250 2.0.0 taken"

    def _protocol(self) -> SMTP:
        with warnings.catch_warnings():
            # It warns of log-ins without encryption, which is what some tests are about.
            warnings.simplefilter("ignore", UserWarning)
            return SMTP(
                self,
                hostname="sink.example",
                tls_context=self.tls if self.encryption == "starttls" else None,
                require_starttls=self.encryption == "starttls",
                auth_required=self.credentials is not None,
                auth_require_tls=self.encryption == "starttls",
                authenticator=self._authenticate,
            )

    def _authenticate(
        self, _server: Any, _session: Any, _envelope: Any, _mechanism: str, data: Any
    ) -> AuthResult:
        assert isinstance(data, LoginPassword)
        return AuthResult(success=(data.login, data.password) == self.credentials, handled=False)
