"""Hands a finished message to the SMTP server and says what became of it."""

import asyncio
import ipaddress
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import unquote

import aiosmtplib

from shared.chassis.reachability import why_unreachable
from shared.chassis.server_urls import split_server_url

_DEFAULT_PORTS: Final = {"smtp": 25, "starttls": 587, "smtps": 465}
_EXAMPLE: Final = "starttls://USER:PASSWORD@smtp.example.com:587"
_HAND_OVER_SECONDS: Final = 45.0
_PERMANENT: Final = 500
_AUTHENTICATION_CODES: Final = frozenset({530, 534, 535, 538})
"""Refusals of us, not of the message: a person must correct the credentials."""


class TemporaryRefusal(Exception):  # noqa: N818 - what happened, which trying again may cure
    """The message was not taken now: server away, busy, greylisting, or refusing our log-in."""


class PermanentRefusal(Exception):  # noqa: N818 - what happened: the message bounced
    """The server will never take this message; the text is its answer."""


@dataclass(frozen=True, slots=True)
class SmtpServer:
    """Where mail is handed over, and how."""

    host: str
    port: int
    encryption: str
    """`smtp` (none), `starttls` (demanded) or `smtps` (from the first byte)."""
    username: str | None
    password: str | None


def parse_smtp_url(url: str) -> SmtpServer:
    """Read an address `smtp|starttls|smtps://[user:password@]host[:port]`.

    Raises ValueError for another shape, and for a password that would cross a network unencrypted.
    """
    parts = split_server_url(url, tuple(_DEFAULT_PORTS), _EXAMPLE)
    if not parts.hostname:
        raise ValueError(f"names no host; write it like {_EXAMPLE}")
    if parts.path.strip("/") or parts.query or parts.fragment:
        raise ValueError(f"goes on after the port; write it like {_EXAMPLE}")
    if (parts.username is None) != (parts.password is None):
        raise ValueError(f"names a user or a password alone; write it like {_EXAMPLE}")
    server = SmtpServer(
        host=parts.hostname,
        port=parts.port or _DEFAULT_PORTS[parts.scheme],
        encryption=parts.scheme,
        username=None if parts.username is None else unquote(parts.username),
        password=None if parts.password is None else unquote(parts.password),
    )
    if server.encryption == "smtp" and server.username is not None and not _loopback(server.host):
        raise ValueError("smtp:// would send the password unencrypted; use starttls:// or smtps://")
    return server


class SmtpRelay:
    """The server that takes our mail. Each hand-over has a connection of its own.

    Attributes:
        server: its host and port, for a message.
        is_doubtful: whether it was not reached yet, or the last hand-over did not get to it.
    """

    def __init__(
        self, server: SmtpServer, *, greeting: str, ca_file: Path | None, timeout_seconds: float
    ) -> None:
        self.server = f"{server.host}:{server.port}"
        self.is_doubtful = True
        self._server = server
        self._greeting = greeting
        self._timeout = timeout_seconds
        self._tls: ssl.SSLContext | None = None
        if server.encryption != "smtp":
            self._tls = ssl.create_default_context(cafile=None if ca_file is None else str(ca_file))

    async def hand_over(self, message: bytes, *, sender: str, recipient: str) -> str:
        """Give a message to the server and return its answer once it took responsibility.

        Raises TemporaryRefusal or PermanentRefusal. When cancelled or cut off after the last byte
        the server may have taken it all the same; the next attempt then hands it over again under
        the same Message-ID.
        """
        answer: str | None = None
        try:
            async with asyncio.timeout(_HAND_OVER_SECONDS), self._client() as client:
                _, answer = await client.sendmail(sender, [recipient], message)
        except aiosmtplib.SMTPRecipientsRefused as error:
            raise _refusal(error.recipients[0]) from error
        except (aiosmtplib.SMTPSenderRefused, aiosmtplib.SMTPDataError) as error:
            raise _refusal(error) from error
        except aiosmtplib.SMTPResponseException as error:
            # To the greeting or the log-in: it is about us, so the message is innocent.
            self.is_doubtful = True
            raise TemporaryRefusal(_answer(error)) from error
        except (aiosmtplib.SMTPException, OSError) as error:
            if answer is None:  # else only the farewell went wrong
                self.is_doubtful = True
                raise TemporaryRefusal(f"the SMTP server is not reachable: {error!r}") from error
        except ValueError as error:
            raise PermanentRefusal(f"the address is none: {error}") from error
        return answer or ""

    async def check(self) -> None:
        """Greet the server, log in, and leave; then it is not doubtful any more.

        Raises TemporaryRefusal whose text ends a sentence about the server.
        """
        try:
            async with asyncio.timeout(_HAND_OVER_SECONDS), self._client():
                self.is_doubtful = False
        except aiosmtplib.SMTPAuthenticationError as error:
            raise TemporaryRefusal(
                f"refuses the user or the password ({_answer(error)})"
            ) from error
        except aiosmtplib.SMTPResponseException as error:
            raise TemporaryRefusal(f"answers {_answer(error)}") from error
        except (aiosmtplib.SMTPException, OSError) as error:
            if self.is_doubtful:  # else only the farewell went wrong
                raise TemporaryRefusal(
                    why_unreachable(error) or f"cannot be used: {error}"
                ) from error

    def _client(self) -> aiosmtplib.SMTP:
        return aiosmtplib.SMTP(
            hostname=self._server.host,
            port=self._server.port,
            local_hostname=self._greeting,
            timeout=self._timeout,
            use_tls=self._server.encryption == "smtps",
            start_tls=self._server.encryption == "starttls",
            username=self._server.username,
            password=self._server.password,
            tls_context=self._tls,
        )


def _refusal(error: aiosmtplib.SMTPResponseException) -> TemporaryRefusal | PermanentRefusal:
    if error.code >= _PERMANENT and error.code not in _AUTHENTICATION_CODES:
        return PermanentRefusal(_answer(error))
    return TemporaryRefusal(_answer(error))


def _answer(error: aiosmtplib.SMTPResponseException) -> str:
    return f"{error.code} {error.message}"


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
