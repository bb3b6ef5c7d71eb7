"""What a passkey is for, by the settings alone, and what its counter says."""

import base64

import pytest

from services.auth.passkeys.proofs import was_copied
from services.auth.passkeys.relying_party import RelyingParty, bytes_of, challenge_of, normal_origin
from shared.chassis.errors import Problem


@pytest.mark.parametrize(
    ("known", "given", "copied"),
    [
        (0, 0, False),  # synchronised between devices, so never counted
        (0, 1, False),
        (1, 2, False),
        (1, 2**32 - 1, False),
        (1, 1, True),
        (2, 1, True),
        (1, 0, True),
    ],
)
def test_a_counter_goes_up_or_stays_zero(known: int, given: int, *, copied: bool) -> None:
    assert was_copied(known, given) is copied


@pytest.mark.parametrize(
    ("address", "origin"),
    [
        ("https://example.com", "https://example.com"),
        ("HTTPS://Example.COM:443", "https://example.com"),
        ("http://localhost:80", "http://localhost"),
        ("http://localhost:443", "http://localhost:443"),
        ("http://localhost:8080", "http://localhost:8080"),
        ("http://[::1]:8080", "http://[::1]:8080"),
    ],
)
def test_origins_are_written_as_browsers_write_them(address: str, origin: str) -> None:
    assert normal_origin(address) == origin


@pytest.mark.parametrize("host", ["127.0.0.1", "192.0.2.7:8080", "[::1]", "[2001:db8::1]:8443"])
def test_addresses_have_no_passkeys(host: str) -> None:
    with pytest.raises(Problem) as raised:
        RelyingParty(f"https://{host}", []).require_available()
    assert raised.value.code == "passkeys_unavailable"


@pytest.mark.parametrize("host", ["localhost:8080", "example.com", "a.b.example.com"])
def test_names_have_passkeys(host: str) -> None:
    RelyingParty(f"https://{host}", []).require_available()


def test_only_origins_at_or_below_the_host_may_use_its_passkeys() -> None:
    party = RelyingParty(
        "https://example.com",
        [
            *("https://app.example.com", "https://example.com:8443"),
            *("https://badexample.com", "https://example.com.evil.test", "https://com"),
        ],
    )

    assert party._origins == [
        "https://example.com",
        "https://app.example.com",
        "https://example.com:8443",
    ]


def test_this_machine_is_known_as_localhost_where_it_is_reached_by_both_names() -> None:
    party = RelyingParty("http://127.0.0.1:8080", ["http://localhost:8080", "https://example.com"])

    party.require_available()
    assert party._id == "localhost"
    assert party._origins == ["http://localhost:8080"]


def test_other_addresses_are_not_known_as_localhost() -> None:
    with pytest.raises(Problem):
        RelyingParty("https://192.0.2.7", ["http://localhost:8080"]).require_available()


def _client_data(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    ("client_data", "challenge"),
    [
        (_client_data('{"type":"a","challenge":"AQI","origin":"b"}'), b"\1\2"),
        (_client_data('{"type":"a","challenge":"AQI","origin":"b","crossOrigin":false}'), b"\1\2"),
        (_client_data('{"type":"a","challenge":"AQI","origin":"b","crossOrigin":true}'), None),
        (_client_data('{"type":"a","challenge":7,"origin":"b"}'), b""),
        (_client_data('{"type":"a","origin":"b"}'), None),
        (_client_data("[" * 6000), None),
        (_client_data("nothing"), None),
        ("", None),
        ("é", None),
    ],
)
def test_challenges_are_read_from_whatever_comes(client_data: str, challenge: bytes | None) -> None:
    assert (challenge_of(client_data) or None) == (challenge or None)


def test_bytes_are_read_from_whatever_comes() -> None:
    assert bytes_of("AQI") == b"\1\2"
    assert bytes_of("é") is None
