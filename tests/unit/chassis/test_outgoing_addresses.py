"""Where requests may go, by address and by URL."""

from ipaddress import ip_address, ip_network

import pytest

from shared.chassis.outgoing.addresses import AddressGuard, literal_address
from shared.chassis.outgoing.urls import check_url, parse_target

SETTING = "FREEHOLD_NETWORKS"
CLOSED = AddressGuard([], setting=SETTING)
OWN = AddressGuard(
    [ip_network("10.1.0.0/16"), ip_network("127.0.0.1/32"), ip_network("fd12::/16")],
    setting=SETTING,
)

REFUSED = {
    "this host": ["0.0.0.0", "0.1.2.3"],  # noqa: S104 - refused, not bound
    "private": ["10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1"],
    "loopback": ["127.0.0.1", "127.255.255.254", "::1"],
    "link-local and metadata": ["169.254.169.254", "169.254.170.2", "fe80::1", "fe80::1%eth0"],
    "metadata elsewhere": ["168.63.129.16", "100.100.100.200", "192.0.0.192", "fd00:ec2::254"],
    "carrier-grade NAT": ["100.64.0.1", "100.127.255.255"],
    "protocols": ["192.0.0.1", "192.0.0.170", "2001:20::1", "2001:1::1"],
    "documentation": ["192.0.2.1", "198.51.100.1", "203.0.113.1", "2001:db8::1", "3fff::1"],
    "benchmarks": ["198.18.0.1", "198.19.255.255", "2001:2::1"],
    "multicast": ["224.0.0.1", "239.255.255.255", "ff02::1", "ff0e::1"],
    "reserved": ["240.0.0.1", "255.255.255.255", "100::1", "5f00::1", "4000::1", "e000::1"],
    "unspecified": ["::"],
    "unique local": ["fc00::1", "fdff::1"],
    "site-local": ["fec0::1"],
    "IPv4-mapped": ["::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:93.184.215.14"],
    "IPv4-compatible": ["::127.0.0.1", "::10.0.0.1", "::93.184.215.14"],
    "IPv4-translated": ["::ffff:0:127.0.0.1"],
    "NAT64": ["64:ff9b::7f00:1", "64:ff9b::a00:1", "64:ff9b::5db8:d70e", "64:ff9b:1::1"],
    "6to4": ["2002:7f00:1::", "2002:a00:1::1", "2002:5db8:d70e::1", "192.88.99.1"],
    "Teredo": ["2001::1", "2001:0:7f00:1::80ff:fffe"],
}
ALLOWED = [
    "1.1.1.1",
    "8.8.8.8",
    "93.184.215.14",
    "100.63.255.255",
    "100.128.0.1",
    "172.15.255.255",
    "172.32.0.1",
    "192.0.1.1",
    "198.17.255.255",
    "223.255.255.255",
    "2001:4860:4860::8888",
    "2606:4700:4700::1111",
    "2a00:1450:4001:81b::200e",
]


@pytest.mark.parametrize(
    "address", [address for addresses in REFUSED.values() for address in addresses]
)
@pytest.mark.parametrize("encrypted", [True, False])
def test_what_is_not_the_internet_is_refused(address: str, encrypted: bool) -> None:  # noqa: FBT001 - a parameter of the table
    assert CLOSED.refusal(ip_address(address), encrypted=encrypted) is not None


@pytest.mark.parametrize("address", ALLOWED)
def test_the_internet_is_reached_encrypted_only(address: str) -> None:
    assert CLOSED.refusal(ip_address(address), encrypted=True) is None
    assert "by https only" in str(CLOSED.refusal(ip_address(address), encrypted=False))


@pytest.mark.parametrize(
    ("address", "allowed"),
    [
        ("10.1.2.3", True),
        ("10.2.0.1", False),
        ("127.0.0.1", True),
        ("127.0.0.2", False),
        ("::1", False),
        ("::ffff:10.1.2.3", False),
        ("fd12::1", True),
        ("fd13::1", False),
    ],
)
def test_allowed_networks_are_exactly_those_named(address: str, allowed: bool) -> None:  # noqa: FBT001 - the same
    for encrypted in (True, False):
        refusal = OWN.refusal(ip_address(address), encrypted=encrypted)
        assert (refusal is None) is allowed


@pytest.mark.parametrize("host", ["127.1", "0177.0.0.1", "0x7f.1", "2130706433", "0x7f000001"])
def test_odd_spellings_of_addresses_are_no_names(host: str) -> None:
    with pytest.raises(ValueError, match="four numbers"):
        literal_address(host)


@pytest.mark.parametrize("host", ["hooks.example", "a1", "1password.com", "x-1.example.org"])
def test_names_are_no_addresses(host: str) -> None:
    assert literal_address(host) is None


@pytest.mark.parametrize(
    "url",
    [
        "https://hooks.example",
        "https://hooks.example/in?source=freehold&x=%20y",
        "https://hooks.example:8443/in",
        "https://bücher.example/",
        "https://1.1.1.1/in",
        "https://[2606:4700:4700::1111]/in",
    ],
)
def test_addresses_that_may_be_told(url: str) -> None:
    check_url(url, CLOSED)


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://hooks.example/", "Use https"),
        ("ftp://hooks.example/", "https://host"),
        ("file:///etc/passwd", "https://host"),
        ("gopher://hooks.example/", "https://host"),
        ("//hooks.example/", "https://host"),
        ("hooks.example", "https://host"),
        ("https://", "https://host"),
        ("https:///path", "https://host"),
        ("https://user:secret@hooks.example/", "user and password"),
        ("https://user@hooks.example/", "user and password"),
        ("https://@hooks.example/", "user and password"),
        ("https://hooks.example/#part", "from # on"),
        ("https://hooks.example:22/", "The port"),
        ("https://hooks.example:25/", "The port"),
        ("https://hooks.example:0/", "The port"),
        ("https://hooks.example:65536/", "The port"),
        ("https://hooks.example./", "dot at the end"),
        ("https://hooks.example/a b", "spaces"),
        ("https://hooks.example/\r\nX: y", "spaces"),
        ("https://hooks.example\\@127.0.0.1/", "backslashes"),
        ("https://127.0.0.1/", "loopback"),
        ("https://10.0.0.1/", "private"),
        ("https://169.254.169.254/latest/meta-data/", "metadata"),
        ("https://[::1]/", "loopback"),
        ("https://[::ffff:127.0.0.1]/", "IPv4 address in IPv6"),
        ("https://[fe80::1%25eth0]/", "no URL|plain name"),
        ("https://0x7f.1/", "four numbers"),
        ("https://2130706433/", "four numbers"),
        ("https://①②⑦.0.0.1/", "loopback|no URL|four numbers"),
        ("https://localhost/", "this host itself"),
        ("https://anything.localhost/", "this host itself"),
    ],
)
def test_addresses_that_are_refused_when_they_are_told(url: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        check_url(url, CLOSED)


def test_own_networks_are_allowed_by_address_and_without_encryption() -> None:
    for url in ("http://10.1.2.3:8000/in", "https://127.0.0.1/", "http://receiver.lan/in"):
        check_url(url, OWN)
    for url in ("http://10.2.0.1/", "http://1.1.1.1/"):
        with pytest.raises(ValueError, match="Nothing is sent there"):
            check_url(url, OWN)


def test_what_is_connected_to_and_what_is_said() -> None:
    target = parse_target("https://Hooks.Example:8443/in/x?y=1")
    assert (target.host, target.port, target.path, target.host_header) == (
        "hooks.example",
        8443,
        "/in/x?y=1",
        "hooks.example:8443",
    )
    target = parse_target("https://[2606:4700:4700::1111]")
    assert (target.host, target.port, target.path, target.host_header) == (
        "2606:4700:4700::1111",
        443,
        "/",
        "[2606:4700:4700::1111]",
    )
