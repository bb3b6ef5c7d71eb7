"""Single attempts against receivers of every kind, and against those that must not be reached."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from services.jobs.webhooks import sending
from services.jobs.webhooks.addresses import AddressGuard, IPAddress
from services.jobs.webhooks.sending import Answer, Sender, SystemResolver
from tests.service.jobs.webhooks.receiver import (
    Behaviour,
    Receiver,
    answer,
    endless_body,
    endless_headers,
    garbage,
    hang,
    hang_in_body,
    reset,
)

LOOPBACK = AddressGuard([ip_network("127.0.0.1/32")])
HEADERS = {"webhook-id": "id"}
BODY = b'{"a":1}'


class Names:
    """A resolver whose answers are used up one a question; the last one stays."""

    def __init__(self, *answers: list[str]) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[str, int]] = []

    async def resolve(self, host: str, port: int) -> list[IPAddress]:
        self.asked.append((host, port))
        found = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return [ip_address(address) for address in found]


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    receiver = Receiver()
    await receiver.start()
    yield receiver
    await receiver.stop()


async def send(
    receiver: Receiver, guard: AddressGuard = LOOPBACK, *, resolver: Names | None = None
) -> Answer:
    sender = Sender(guard, resolver or Names(["127.0.0.1"]))
    return await sender.send(f"http://hooks.example:{receiver.port}/in?x=1", HEADERS, BODY)


async def test_what_is_sent(receiver: Receiver) -> None:
    receiver.behaviours = [answer(204)]
    result = await send(receiver)
    assert (result.succeeded, result.status, result.text, result.error) == (True, 204, "", None)
    [request] = receiver.received
    assert request.line == "POST /in?x=1 HTTP/1.1"
    assert request.headers == {
        "Host": f"hooks.example:{receiver.port}",
        "User-Agent": "Freehold-Webhooks",
        "Content-Type": "application/json",
        "Content-Length": "7",
        "Connection": "close",
        "webhook-id": "id",
    }
    assert request.body == BODY


@pytest.mark.parametrize(
    ("behaviour", "status", "error"),
    [
        (answer(200), 200, None),
        (answer(299), 299, None),
        (answer(302, location="http://127.0.0.1:1/"), 302, "redirects are not followed"),
        (answer(308, location="http://127.0.0.1:1/"), 308, "redirects are not followed"),
        (answer(400), 400, "answered 400"),
        (answer(410), 410, "wants no more messages"),
        (answer(500), 500, "answered 500"),
        (hang, None, "no answer within"),
        (hang_in_body, 200, None),
        (endless_body, 200, None),
        (reset, None, "the connection ended"),
        (garbage, None, "the connection ended"),
        (endless_headers, None, "the connection ended"),
    ],
)
async def test_receivers(
    receiver: Receiver,
    monkeypatch: pytest.MonkeyPatch,
    behaviour: Behaviour,
    status: int | None,
    error: str | None,
) -> None:
    monkeypatch.setattr(sending, "ANSWER_SECONDS", 1.0)
    monkeypatch.setattr(sending, "BODY_SECONDS", 0.3)
    receiver.behaviours = [behaviour]
    result = await send(receiver)
    assert result.status == status
    assert result.succeeded is (error is None)
    assert error is None or error in str(result.error)
    assert result.duration is not None
    assert result.duration < 3
    assert receiver.connections == 1


async def test_of_a_huge_answer_only_the_beginning_is_read(receiver: Receiver) -> None:
    receiver.behaviours = [endless_body]
    result = await send(receiver)
    assert result.text == "x" * 1024
    assert receiver.sent < 16 * 1024 * 1024  # what the kernel's buffers took


async def test_an_answer_that_is_no_text_is_made_one(receiver: Receiver) -> None:
    receiver.behaviours = [answer(500, b"a\x00b\xffc")]
    assert (await send(receiver)).text == "a\ufffdb\ufffdc"


async def test_retry_after_is_handed_on(receiver: Receiver) -> None:
    receiver.behaviours = [answer(503, Retry_After="120")]
    assert (await send(receiver)).retry_after == "120"


async def test_nobody_listens() -> None:
    result = await send(Receiver())
    assert result.status is None
    assert "no connection" in str(result.error)


async def test_proxies_of_the_environment_are_not_asked(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    trap = Receiver()
    await trap.start()
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{trap.port}")
    assert (await send(receiver)).succeeded
    assert trap.connections == 0
    await trap.stop()


@pytest.mark.parametrize(
    ("addresses", "why"),
    [
        (["127.0.0.2"], "loopback"),
        (["10.0.0.1"], "private"),
        (["169.254.169.254"], "metadata"),
        (["::1"], "loopback"),
        (["::ffff:127.0.0.1"], "IPv4 address in IPv6"),
        (["64:ff9b::7f00:1"], "NAT64"),
        (["127.0.0.1", "127.0.0.2"], "loopback"),
        (["127.0.0.1", "1.1.1.1"], "https only"),
        ([], "has no address"),
    ],
)
async def test_a_name_must_lead_to_allowed_addresses_only(
    receiver: Receiver, addresses: list[str], why: str
) -> None:
    result = await send(receiver, resolver=Names(addresses))
    assert result.status is None
    assert why in str(result.error)
    assert receiver.connections == 0


async def test_a_name_that_changes_its_address_gains_nothing() -> None:
    allowed = Receiver()
    forbidden = Receiver(host="127.0.0.2", port=allowed.port)
    for server in (allowed, forbidden):
        await server.start()
    names = Names(["127.0.0.1"], ["127.0.0.2"])
    sender = Sender(LOOPBACK, names)
    url = f"http://rebinding.example:{allowed.port}/"

    first = await sender.send(url, HEADERS, BODY)
    second = await sender.send(url, HEADERS, BODY)

    assert first.succeeded
    assert "loopback" in str(second.error)
    assert names.asked == [("rebinding.example", allowed.port)] * 2
    assert (allowed.connections, forbidden.connections) == (1, 0)
    for server in (allowed, forbidden):
        await server.stop()


async def test_the_first_address_that_answers_is_taken() -> None:
    guard = AddressGuard([ip_network("127.0.0.0/8")])
    receiver = Receiver(host="127.0.0.3")
    await receiver.start()
    result = await send(receiver, guard, resolver=Names(["127.0.0.2", "127.0.0.3"]))
    assert result.succeeded
    await receiver.stop()


@pytest.mark.parametrize(
    "host",
    ["localhost", "127.1", "2130706433", "0x7f.0.0.1", "[::1]", "0.0.0.0"],  # noqa: S104 - refused
)
async def test_the_systems_resolver_is_believed_and_checked(host: str) -> None:
    resolver = SystemResolver()
    await resolver.start()
    result = await Sender(AddressGuard([]), resolver).send(f"https://{host}/", HEADERS, BODY)
    assert result.status is None
    assert result.error is not None
    assert "nothing was sent" in result.error or "could not be resolved" in result.error
    await resolver.stop()


async def test_a_name_that_is_not_there() -> None:
    resolver = SystemResolver()
    await resolver.start()
    result = await Sender(LOOPBACK, resolver).send("https://no.invalid/", HEADERS, BODY)
    assert result.error == "the name no.invalid could not be resolved"
    await resolver.stop()


async def test_a_resolver_that_hangs_ends_one_attempt(monkeypatch: pytest.MonkeyPatch) -> None:
    class Hanging:
        async def resolve(self, host: str, port: int) -> list[IPAddress]:  # noqa: ARG002 - the interface's
            await asyncio.Event().wait()
            return []

    monkeypatch.setattr(sending, "CONNECT_SECONDS", 0.2)
    result = await Sender(LOOPBACK, Hanging()).send("https://x.example/", HEADERS, BODY)
    assert "was not resolved within" in str(result.error)


async def test_the_certificate_is_the_names_not_the_addresss(tmp_path: Path) -> None:
    certificate = certificate_of("hooks.example", tmp_path)
    server_tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_tls.load_cert_chain(certificate)
    names: list[str | None] = []
    server_tls.sni_callback = lambda _socket, name, _context: names.append(name)
    receiver = Receiver(tls=server_tls)
    await receiver.start()
    trust = ssl.create_default_context(cafile=str(certificate))

    async def over_tls(host: str, tls: ssl.SSLContext | None) -> Answer:
        sender = Sender(LOOPBACK, Names(["127.0.0.1"]), tls=tls)
        return await sender.send(f"https://{host}:{receiver.port}/in", HEADERS, BODY)

    assert (await over_tls("hooks.example", trust)).succeeded
    assert names == ["hooks.example"]
    assert receiver.received[0].headers["Host"] == f"hooks.example:{receiver.port}"
    for host, tls, why in (
        ("other.example", trust, "Hostname mismatch"),
        ("hooks.example", None, "certificate verify failed"),
    ):
        result = await over_tls(host, tls)
        assert why in str(result.error)
    assert len(receiver.received) == 1
    await receiver.stop()


def certificate_of(name: str, folder: Path) -> Path:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = folder / "certificate.pem"
    path.write_bytes(
        certificate.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return path
