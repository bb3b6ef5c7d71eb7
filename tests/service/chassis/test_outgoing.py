"""Requests to addresses that must be reached, and to those that must not."""

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

from shared.chassis.outgoing import requests
from shared.chassis.outgoing.addresses import AddressGuard, IPAddress
from shared.chassis.outgoing.requests import (
    Answer,
    OutgoingRequests,
    SystemResolver,
    Unreachable,
)
from tests.parts.receiver import (
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
from tests.parts.waiting import PATIENCE_SECONDS

SETTING = "FREEHOLD_NETWORKS"
CLOSED = AddressGuard([], setting=SETTING)
LOOPBACK = AddressGuard([ip_network("127.0.0.1/32")], setting=SETTING)


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


async def fetch(
    outgoing: OutgoingRequests,
    url: str,
    *,
    seconds: float = PATIENCE_SECONDS,
    most_bytes: int = 1024,
) -> Answer:
    return await outgoing.fetch("GET", url, {"X": "y"}, seconds=seconds, most_bytes=most_bytes)


async def get(
    receiver: Receiver,
    guard: AddressGuard = LOOPBACK,
    *,
    resolver: Names | None = None,
    seconds: float = PATIENCE_SECONDS,
    most_bytes: int = 1024,
) -> Answer:
    outgoing = OutgoingRequests(guard, resolver or Names(["127.0.0.1"]))
    url = f"http://other.example:{receiver.port}/at?x=1"
    return await fetch(outgoing, url, seconds=seconds, most_bytes=most_bytes)


async def test_a_whole_answer(receiver: Receiver) -> None:
    receiver.behaviours = [answer(201, b"text", X_Kind="a")]
    result = await get(receiver)
    assert (result.status, result.body, result.headers["x-kind"]) == (201, b"text", "a")
    [request] = receiver.received
    assert request.line == "GET /at?x=1 HTTP/1.1"
    host = f"other.example:{receiver.port}"
    assert request.headers == {"Host": host, "Connection": "close", "X": "y"}


async def test_a_redirect_is_an_answer_like_any_other(receiver: Receiver) -> None:
    receiver.behaviours = [answer(302, location=f"http://127.0.0.1:{receiver.port}/")]
    assert (await get(receiver)).status == 302
    assert receiver.connections == 1


@pytest.mark.parametrize(
    ("behaviour", "why"),
    [
        (hang, "no whole answer within"),
        (hang_in_body, "no whole answer within"),
        (endless_body, "more than 1024 bytes"),
        (answer(200, b"x" * 1025), "more than 1024 bytes"),
        (reset, "the connection ended"),
        (garbage, "the connection ended"),
        (endless_headers, "the connection ended"),
    ],
)
async def test_answers_that_do_not_end_or_are_none(
    receiver: Receiver, behaviour: Behaviour, why: str
) -> None:
    receiver.behaviours = [behaviour]
    with pytest.raises(Unreachable, match=why):
        await get(receiver, seconds=0.5 if "within" in why else PATIENCE_SECONDS)


async def test_proxies_of_the_environment_are_not_asked(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    trap = Receiver()
    await trap.start()
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{trap.port}")
    receiver.behaviours = [answer(204)]
    assert (await get(receiver)).status == 204
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
    with pytest.raises(Unreachable, match=why):
        await get(receiver, resolver=Names(addresses))
    assert receiver.connections == 0


async def test_a_name_that_changes_its_address_gains_nothing() -> None:
    allowed = Receiver()
    forbidden = Receiver(host="127.0.0.2", port=allowed.port)
    for server in (allowed, forbidden):
        await server.start()
    names = Names(["127.0.0.1"], ["127.0.0.2"])
    outgoing = OutgoingRequests(LOOPBACK, names)
    url = f"http://rebinding.example:{allowed.port}/"

    assert (await fetch(outgoing, url)).status == 200
    with pytest.raises(Unreachable, match="loopback"):
        await fetch(outgoing, url)

    assert names.asked == [("rebinding.example", allowed.port)] * 2
    assert (allowed.connections, forbidden.connections) == (1, 0)
    for server in (allowed, forbidden):
        await server.stop()


async def test_the_first_address_that_answers_is_taken() -> None:
    guard = AddressGuard([ip_network("127.0.0.0/8")], setting=SETTING)
    receiver = Receiver(host="127.0.0.3")
    await receiver.start()
    result = await get(receiver, guard, resolver=Names(["127.0.0.2", "127.0.0.3"]))
    assert result.status == 200
    await receiver.stop()


@pytest.mark.parametrize(
    "host",
    ["localhost", "127.1", "2130706433", "0x7f.0.0.1", "[::1]", "0.0.0.0"],  # noqa: S104 - refused
)
async def test_the_systems_resolver_is_believed_and_checked(host: str) -> None:
    resolver = SystemResolver()
    await resolver.start()
    with pytest.raises(Unreachable, match=r"nothing was sent|could not be resolved"):
        await fetch(OutgoingRequests(CLOSED, resolver), f"https://{host}/")
    await resolver.stop()


async def test_a_name_that_is_not_there() -> None:
    resolver = SystemResolver()
    await resolver.start()
    with pytest.raises(Unreachable, match=r"^the name no\.invalid could not be resolved$"):
        await fetch(OutgoingRequests(LOOPBACK, resolver), "https://no.invalid/")
    await resolver.stop()


async def test_a_resolver_that_hangs_ends_one_request(monkeypatch: pytest.MonkeyPatch) -> None:
    class Hanging:
        async def resolve(self, host: str, port: int) -> list[IPAddress]:  # noqa: ARG002 - the interface's
            await asyncio.Event().wait()
            return []

    monkeypatch.setattr(requests, "CONNECT_SECONDS", 0.2)
    with pytest.raises(Unreachable, match="was not resolved within"):
        await fetch(OutgoingRequests(LOOPBACK, Hanging()), "https://x.example/")


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
        outgoing = OutgoingRequests(LOOPBACK, Names(["127.0.0.1"]), tls=tls)
        return await fetch(outgoing, f"https://{host}:{receiver.port}/in")

    assert (await over_tls("hooks.example", trust)).status == 200
    assert names == ["hooks.example"]
    assert receiver.received[0].headers["Host"] == f"hooks.example:{receiver.port}"
    for host, tls, why in (
        ("other.example", trust, "Hostname mismatch"),
        ("hooks.example", None, "certificate verify failed"),
    ):
        with pytest.raises(Unreachable, match=why):
            await over_tls(host, tls)
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
