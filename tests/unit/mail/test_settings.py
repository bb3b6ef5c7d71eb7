"""Settings of the mail service that need more than a type."""

import pytest

from services.mail.settings import parse_mailbox
from services.mail.smtp import SmtpServer, parse_smtp_url


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("smtp://127.0.0.1:2525", SmtpServer("127.0.0.1", 2525, "smtp", None, None)),
        ("smtp://mail.example", SmtpServer("mail.example", 25, "smtp", None, None)),
        ("smtp://u:p@localhost", SmtpServer("localhost", 25, "smtp", "u", "p")),
        (
            "starttls://u%40x:p%2F@mail.example",
            SmtpServer("mail.example", 587, "starttls", "u@x", "p/"),
        ),
        ("smtps://u:p@mail.example:4650", SmtpServer("mail.example", 4650, "smtps", "u", "p")),
        ("smtps://[::1]", SmtpServer("::1", 465, "smtps", None, None)),
    ],
)
def test_addresses_of_smtp_servers(url: str, expected: SmtpServer) -> None:
    assert parse_smtp_url(url) == expected


@pytest.mark.parametrize(
    "url",
    [
        "mail.example:25",
        "http://mail.example",
        "smtp://",
        "smtp://mail.example:port",
        "smtp://mail.example/path",
        "smtp://mail.example?x=1",
        "starttls://user@mail.example",
        "smtp://u:p@mail.example",  # the password would be readable on the way
    ],
)
def test_what_is_no_address_of_an_smtp_server(url: str) -> None:
    with pytest.raises(ValueError, match=r"smtp|SMTP|[Pp]ort|password"):
        parse_smtp_url(url)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("noreply@example.com", "noreply@example.com"),
        ("Freehold <noreply@example.com>", "Freehold <noreply@example.com>"),
        ('"Acme, Inc." <noreply@example.com>', '"Acme, Inc." <noreply@example.com>'),
    ],
)
def test_senders(text: str, shown: str) -> None:
    assert str(parse_mailbox(text)) == shown


@pytest.mark.parametrize(
    "text", ["", "Freehold", "a@", "@example.com", "a@b, c@d", "ü@example.com"]
)
def test_what_is_no_sender(text: str) -> None:
    with pytest.raises(ValueError, match=r"name@example\.com"):
        parse_mailbox(text)
