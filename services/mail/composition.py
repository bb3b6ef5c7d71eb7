"""Builds the bytes of a message, so that no value in it can become a header of its own."""

import re
from datetime import datetime
from email import message_from_bytes
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from typing import Final
from uuid import UUID

from services.mail.templates import Rendered

_POLICY: Final = SMTP.clone(cte_type="7bit", raise_on_defect=True)
_BARE_LINE_BREAK: Final = re.compile(rb"\r(?!\n)|(?<!\r)\n")
_MAXIMUM_LINE: Final = 998
_FORBIDDEN: Final = ("\r", "\n", "\0", "=?")
"""Line breaks end a header; encoded words (`=?…?=`) can smuggle one through Python's folding."""


class UnsafeMessage(Exception):  # noqa: N818 - a verdict on the values, told to the operator
    """A value could change the message's structure, so no message is made of it."""


def build_message(
    *, message_id: UUID, sender: Address, recipient: str, rendered: Rendered, date: datetime
) -> bytes:
    """Return a message as it goes over the wire: ASCII, CRLF line ends only.

    The same arguments make the same bytes, Message-ID and boundary included, so a message that is
    handed over a second time can be recognised as the same. Raises UnsafeMessage.
    """
    for value in (recipient, rendered.subject):
        _require_header_safe(value)
    headers = {
        "From": str(sender),
        "To": recipient,
        "Subject": rendered.subject,
        "Message-ID": f"<{message_id}@{sender.domain}>",
        "Auto-Submitted": "auto-generated",
    }
    message = EmailMessage(policy=_POLICY)
    try:
        message["Date"] = date
        message["To"] = Address(addr_spec=recipient)
        message["From"] = sender
        for name in ("Subject", "Message-ID", "Auto-Submitted"):
            message[name] = headers[name]
        # Left as it is where it can be, so that a link is one line in the raw message too.
        message.set_content(rendered.text, cte="7bit" if rendered.text.isascii() else None)
        message.add_alternative(rendered.html, subtype="html")
        message.set_boundary(f"=_{message_id.hex}")
        data = message.as_bytes()
    except (ValueError, IndexError, MessageError) as error:
        raise UnsafeMessage(f"the message cannot be built: {error}") from error
    _check(data, headers)
    return data


def _require_header_safe(value: str) -> None:
    if any(sequence in value for sequence in _FORBIDDEN):
        raise UnsafeMessage("an address or the subject holds a line break or an encoded word")


def _check(data: bytes, headers: dict[str, str]) -> None:
    """Read the bytes as a receiver would and compare: what was not put in must not come out."""
    parsed = message_from_bytes(data, policy=_POLICY)
    expected = {*headers, "Date", "MIME-Version", "Content-Type"}
    if sorted(parsed.keys()) != sorted(expected):
        raise UnsafeMessage("the built message has headers that were not put into it")
    for name, value in headers.items():
        if str(parsed[name]) != value:
            raise UnsafeMessage(f"the built message says something else in {name}")
    if _BARE_LINE_BREAK.search(data):
        raise UnsafeMessage("the built message has a line break that is not CRLF")
    if any(len(line) > _MAXIMUM_LINE for line in data.split(b"\r\n")):
        raise UnsafeMessage("the built message has a line that mail cannot carry")
