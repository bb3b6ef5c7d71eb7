"""No value in a message can become structure."""

import random
import re
from datetime import UTC, datetime
from email import message_from_bytes
from email.headerregistry import Address
from email.policy import default
from uuid import UUID

import pytest

from services.mail.composition import UnsafeMessage, build_message
from services.mail.templates import Rendered

MESSAGE_ID = UUID("01940000-0000-7000-8000-000000000001")
DATE = datetime(2026, 11, 23, 12, tzinfo=UTC)
SENDER = Address("Freehold", "noreply", "mail.example")
HEADERS = [
    "Date", "To", "From", "Subject", "Message-ID", "Auto-Submitted", "MIME-Version",
    "Content-Type",
]  # fmt: skip


def build(*, to: str = "a@example.org", subject: str = "Hello", text: str = "Hi\n") -> bytes:
    return build_message(
        message_id=MESSAGE_ID,
        sender=SENDER,
        recipient=to,
        rendered=Rendered(subject, text, f"<p>{text}</p>"),
        date=DATE,
    )


@pytest.mark.parametrize(
    "value",
    [
        "Hi\r\nBcc: x@example.com",
        "Hi\nBcc: x@example.com",
        "Hi\rBcc: x@example.com",
        "Hi\0",
        "Hi=?UTF-8?Q?=0A?=Bcc: x@example.com",
        "=?utf-8?b?Cg==?=",
    ],
)
def test_a_subject_that_could_be_more_than_a_subject_is_refused(value: str) -> None:
    with pytest.raises(UnsafeMessage):
        build(subject=value)


@pytest.mark.parametrize(
    "to",
    [
        "a@example.org\r\nBcc: b@example.org",
        "a@example.org, b@example.org",
        "a@example.org b@example.org",
        "A <a@example.org>",
        "=?utf-8?q?a=0A?=@example.org",
        "a@",
        "@example.org",
        "nobody",
        "",
        "ü@example.org",
    ],
)
def test_a_recipient_that_is_not_one_plain_address_is_refused(to: str) -> None:
    with pytest.raises(UnsafeMessage):
        build(to=to)


def test_the_same_arguments_make_the_same_bytes() -> None:
    assert build() == build()
    assert b"\r\nMessage-ID: <01940000-0000-7000-8000-000000000001@mail.example>\r\n" in build()


def test_a_long_link_is_one_line_of_the_raw_message() -> None:
    link = "http://127.0.0.1:8080/verify#token=" + "A" * 64
    assert f"\r\n{link}\r\n".encode() in build(text=f"Open this:\n\n{link}\n\nBye\n")


def test_a_line_that_mail_cannot_carry_is_folded_by_its_encoding() -> None:
    data = build(text="ü" + "x" * 3000 + "\n")
    assert max(len(line) for line in data.split(b"\r\n")) <= 998
    body = message_from_bytes(data, policy=default).get_body(("plain",))  # type: ignore[attr-defined]
    assert body.get_content().splitlines() == ["ü" + "x" * 3000]


# fmt: off
PIECES = [
    "a", "Ä", "😀", " ", "\t", "\r", "\n", "\0", "=", "?", "=?utf-8?q?", "?=", ":", ".", "\u2028",
    "\r\n.\r\n", "Bcc: x@example.com", "\x85", "\x1c", "x" * 90, "<", '"', ",", "\udc80",
]
# fmt: on


@pytest.mark.parametrize("seed", range(300))
def test_whatever_is_built_has_the_headers_that_were_put_in(seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - a repeatable choice
    subject, text = ("".join(chance.choices(PIECES, k=chance.randint(0, 8))) for _ in range(2))
    try:
        data = build(subject=subject, text=text)
    except UnsafeMessage:
        return
    parsed = message_from_bytes(data, policy=default)
    assert parsed.keys() == HEADERS
    assert parsed["Subject"] == subject
    assert not re.search(rb"\r(?!\n)|(?<!\r)\n", data)
    assert data.isascii()
