"""Reads the mails that the inbox holds, as data."""

import email
import email.policy
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import Path

from deploy.mail.inbox import RECIPIENT_HEADER

NANOSECONDS = 1_000_000_000


@dataclass(frozen=True, kw_only=True)
class ReceivedMail:
    """One mail in one recipient's mailbox."""

    to: str
    sender: str
    subject: str
    text: str | None
    html: str | None
    headers: dict[str, str]
    received_at: datetime

    def document(self) -> dict[str, object]:
        """Return the mail as `./freehold inbox --json` shows it."""
        return {
            "to": self.to,
            "from": self.sender,
            "subject": self.subject,
            "text": self.text,
            "html": self.html,
            "headers": self.headers,
            "received_at": self.received_at.isoformat().replace("+00:00", "Z"),
        }


def read_mails(maildir: Path, to: str | None = None) -> list[ReceivedMail]:
    """Return the mails, newest last; those to one address if it is given, whatever its case.

    An address with a display name is compared by the address alone.
    """
    wanted = to.strip().lower() if to else None
    mails = (_read(path) for path in sorted(_files(maildir), key=_arrival))
    return [mail for mail in mails if wanted is None or mail.to.lower() == wanted]


def _files(maildir: Path) -> Iterator[Path]:
    # Another mail reader moves what it has shown from `new` to `cur`.
    for folder in ("new", "cur"):
        if (maildir / folder).is_dir():
            yield from (maildir / folder).iterdir()


def _arrival(path: Path) -> int:
    start = path.name.partition(".")[0]
    return int(start) if start.isdecimal() else path.stat().st_mtime_ns


def _read(path: Path) -> ReceivedMail:
    message = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
    headers: dict[str, str] = {}
    for name, value in message.items():
        headers[name] = f"{headers[name]}\n{value}" if name in headers else str(value)
    return ReceivedMail(
        to=str(message.get(RECIPIENT_HEADER, message.get("To", ""))),
        sender=str(message.get("From", "")),
        subject=str(message.get("Subject", "")),
        text=_body(message, "plain"),
        html=_body(message, "html"),
        headers=headers,
        received_at=datetime.fromtimestamp(_arrival(path) / NANOSECONDS, UTC),
    )


def _body(message: EmailMessage, kind: str) -> str | None:
    """Return the decoded part of the kind; what cannot be decoded is shown with replacements."""
    part = message.get_body((kind,))
    if part is None:
        return None
    payload = part.get_payload(decode=True)
    if not isinstance(payload, bytes):
        return None
    try:
        text = payload.decode(part.get_content_charset("utf-8"), errors="replace")
    except LookupError:
        text = payload.decode("utf-8", errors="replace")
    return text.replace("\r\n", "\n")
