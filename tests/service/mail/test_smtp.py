"""Every way to reach an SMTP server, on real sockets and with real certificates."""

import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from services.mail.smtp import PermanentRefusal, SmtpRelay, TemporaryRefusal, parse_smtp_url
from tests.parts.processes import free_port
from tests.parts.waiting import PATIENCE_SECONDS
from tests.service.mail.smtp_sink import SmtpSink

MESSAGE = b"Subject: Hello\r\n\r\n.\r\n.. dots\r\n"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a certificate for `localhost` that is its own authority."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "server.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    return path


def server_tls(certificate: Path) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    return context


def relay(url: str, ca_file: Path | None = None) -> SmtpRelay:
    return SmtpRelay(
        parse_smtp_url(url),
        greeting="client.example",
        ca_file=ca_file,
        timeout_seconds=PATIENCE_SECONDS,
    )


async def hand_over(relay: SmtpRelay) -> str:
    return await relay.hand_over(MESSAGE, sender="a@example.com", recipient="b@example.org")


@pytest.mark.parametrize("encryption", ["starttls", "smtps"])
async def test_encrypted_with_credentials(certificate: Path, encryption: str) -> None:
    sink = SmtpSink(
        tls=server_tls(certificate), encryption=encryption, credentials=(b"us@er", b"p:ss")
    )
    await sink.start()
    try:
        url = f"{encryption}://us%40er:p%3Ass@localhost:{sink.port}"
        assert await hand_over(relay(url, certificate)) == "2.0.0 taken"
    finally:
        await sink.stop()
    assert [received.data for received in sink.received] == [MESSAGE]


async def test_a_certificate_of_nobody_we_trust_is_no_reason_to_bounce(certificate: Path) -> None:
    sink = SmtpSink(tls=server_tls(certificate), encryption="starttls")
    await sink.start()
    try:
        with pytest.raises(TemporaryRefusal, match="certificate"):
            await hand_over(relay(f"starttls://localhost:{sink.port}"))
    finally:
        await sink.stop()
    assert sink.received == []


async def test_no_mail_goes_out_unencrypted_when_encryption_was_demanded() -> None:
    sink = SmtpSink()
    await sink.start()
    try:
        with pytest.raises(TemporaryRefusal):
            await hand_over(relay(f"starttls://localhost:{sink.port}"))
    finally:
        await sink.stop()
    assert sink.received == []


async def test_wrong_credentials_are_no_reason_to_bounce() -> None:
    sink = SmtpSink(credentials=(b"user", b"right"))
    await sink.start()
    try:
        with pytest.raises(TemporaryRefusal, match="535"):
            await hand_over(relay(f"smtp://user:wrong@localhost:{sink.port}"))
        with pytest.raises(TemporaryRefusal, match="530"):
            await hand_over(relay(f"smtp://localhost:{sink.port}"))
    finally:
        await sink.stop()


@pytest.mark.parametrize(
    ("answer", "refusal"),
    [
        ("550 5.1.1 unknown", PermanentRefusal),
        ("552 5.3.4 too big", PermanentRefusal),
        ("450 4.2.0 greylisted", TemporaryRefusal),
        ("421 4.3.2 closing", TemporaryRefusal),
        ("530 5.7.0 log in first", TemporaryRefusal),
    ],
)
async def test_what_an_answer_means(answer: str, refusal: type[Exception]) -> None:
    sink = SmtpSink(rcpt_refusals=[answer])
    await sink.start()
    try:
        with pytest.raises(refusal) as caught:
            await hand_over(relay(f"smtp://127.0.0.1:{sink.port}"))
    finally:
        await sink.stop()
    assert type(caught.value) is refusal
    assert str(caught.value) == answer


async def test_nobody_listens() -> None:
    with pytest.raises(TemporaryRefusal, match="not reachable"):
        await hand_over(relay(f"smtp://127.0.0.1:{free_port()}"))
