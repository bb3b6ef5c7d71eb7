"""The inbox keeps every mail, a copy for each recipient, and shows it decoded."""

import asyncio
import contextlib
import smtplib
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path

import pytest

from deploy.mail.inbox import Maildir, serve
from deploy.mail.reading import read_mails
from tests.parts.processes import free_port
from tests.parts.waiting import PATIENCE_SECONDS


@pytest.fixture
def maildir(tmp_path: Path) -> Maildir:
    maildir = Maildir(tmp_path / "inbox")
    maildir.make()
    return maildir


@contextlib.asynccontextmanager
async def served(maildir: Maildir, port: int) -> Iterator[None]:
    serving = asyncio.create_task(serve(maildir, "127.0.0.1", port))
    deadline = asyncio.get_running_loop().time() + PATIENCE_SECONDS
    while True:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            assert asyncio.get_running_loop().time() < deadline
            await asyncio.sleep(0.02)
        else:
            writer.close()
            break
    try:
        yield
    finally:
        serving.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await serving


def message(subject: str) -> EmailMessage:
    mail = EmailMessage()
    mail["From"] = "Freehold <no-reply@example.com>"
    mail["To"] = "ada@example.com, bob@example.com"
    mail["Subject"] = subject
    mail.set_content("Grüße\nzweite Zeile\n")
    mail.add_alternative("<p>Grüße</p>", subtype="html")
    return mail


async def test_a_mail_to_two_lies_there_for_each_of_them(maildir: Maildir) -> None:
    port = free_port()
    async with served(maildir, port):
        await asyncio.to_thread(_send, port, message("Übung"))
    mails = read_mails(maildir.path)
    assert [mail.to for mail in mails] == ["ada@example.com", "bob@example.com"]
    document = mails[0].document()
    assert document.keys() == {
        "to", "from", "subject", "text", "html", "headers", "received_at",
    }  # fmt: skip
    assert document["from"] == "Freehold <no-reply@example.com>"
    assert document["subject"] == "Übung"
    assert document["text"] == "Grüße\nzweite Zeile\n"
    assert str(document["html"]).strip() == "<p>Grüße</p>"
    assert str(document["received_at"]).endswith("Z")


def _send(port: int, mail: EmailMessage) -> None:
    with smtplib.SMTP("127.0.0.1", port) as client:
        client.send_message(mail)


def test_mails_to_one_address_in_the_order_of_arrival(maildir: Maildir) -> None:
    for number, address in enumerate(("ada@example.com", "bob@example.com", "Ada@Example.com")):
        maildir.store(f"Delivered-To: {address}\r\nSubject: {number}\r\n\r\nbody".encode())
    shown = read_mails(maildir.path, to="ada@example.com")
    assert [mail.subject for mail in shown] == ["0", "2"]


def test_an_undecodable_mail_is_shown_all_the_same(maildir: Maildir) -> None:
    maildir.store(
        b"Delivered-To: ada@example.com\r\nContent-Type: text/plain; charset=nonsense\r\n\r\n\xff!"
    )
    (mail,) = read_mails(maildir.path)
    assert mail.text == "\ufffd!"
    assert mail.html is None


def test_an_inbox_that_was_never_started_is_empty(tmp_path: Path) -> None:
    assert read_mails(tmp_path / "nothing") == []
