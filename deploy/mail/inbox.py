"""The SMTP inbox: takes every mail, delivers to nobody, keeps all of it in a Maildir.

python -m deploy.mail.inbox MAILDIR ADDRESS PORT
"""

import asyncio
import contextlib
import os
import signal
import sys
import time
from itertools import count
from pathlib import Path

from aiosmtpd.smtp import SMTP, Envelope, Session

LARGEST_MAIL_BYTES = 35 * 1024 * 1024
RECIPIENT_HEADER = "Delivered-To"
FOLDERS = ("tmp", "new", "cur")


class Maildir:
    """A Maildir that several processes may write to and read from at the same time.

    A mail appears in `new` under a name that begins with its time in nanoseconds, so the sorted
    names are the order of arrival.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._numbers = count(1)

    def make(self) -> None:
        """Create the folders where they are missing."""
        for name in FOLDERS:
            (self.path / name).mkdir(mode=0o700, parents=True, exist_ok=True)

    def store(self, content: bytes) -> Path:
        """Write a mail so that it survives a power cut; return its file. Blocks on the disk."""
        name = f"{time.time_ns()}.P{os.getpid()}Q{next(self._numbers)}.localhost"
        written = self.path / "tmp" / name
        with written.open("xb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        mail = written.rename(self.path / "new" / name)
        folder = os.open(mail.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
        return mail


class Inbox:
    """Stores a copy for each recipient, as mailboxes do, before it says 250."""

    def __init__(self, maildir: Maildir) -> None:
        self._maildir = maildir

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: ARG002, N802 - the protocol of aiosmtpd
        """Answer one mail; a full disk is a temporary failure, so that the sender tries again."""
        content = envelope.content
        if not isinstance(content, bytes):
            return "554 5.6.0 The mail has no content"
        try:
            for recipient in envelope.rcpt_tos:
                marked = (
                    f"Return-Path: <{envelope.mail_from or ''}>\r\n"
                    f"{RECIPIENT_HEADER}: {recipient}\r\n"
                ).encode()
                await asyncio.to_thread(self._maildir.store, marked + content)
        except OSError as error:
            return f"451 4.3.1 The mail could not be stored: {error.strerror}"
        return "250 2.0.0 Stored"


async def serve(maildir: Maildir, address: str, port: int) -> None:
    """Serve until cancelled; mails being received then are cut off and not confirmed."""
    maildir.make()
    inbox = Inbox(maildir)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: SMTP(
            inbox,
            data_size_limit=LARGEST_MAIL_BYTES,
            enable_SMTPUTF8=True,
            # Asking DNS for the own name can take seconds on a machine without one.
            hostname="localhost",
            ident="Freehold inbox",
            loop=loop,
        ),
        address,
        port,
    )
    async with server:
        await server.serve_forever()


async def _serve_until_signalled(maildir: Maildir, address: str, port: int) -> None:
    serving = asyncio.create_task(serve(maildir, address, port))
    for signal_number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(signal_number, serving.cancel)
    with contextlib.suppress(asyncio.CancelledError):
        await serving


if __name__ == "__main__":
    asyncio.run(_serve_until_signalled(Maildir(Path(sys.argv[1])), sys.argv[2], int(sys.argv[3])))
