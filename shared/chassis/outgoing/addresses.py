"""Which addresses may be reached: the guard against requests into the own network."""

from collections.abc import Sequence
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from typing import Final, TypeAlias

IPAddress: TypeAlias = IPv4Address | IPv6Address
IPNetwork: TypeAlias = IPv4Network | IPv6Network

# Written out instead of asking `is_global`, whose answer for mapped and translated addresses has
# changed between Python's releases. Sources: the IANA special-purpose address registries.
_REFUSED: Final[tuple[tuple[str, str], ...]] = (
    ("0.0.0.0/8", "is of this host itself"),
    ("10.0.0.0/8", "is private"),
    ("100.64.0.0/10", "is a provider's own (carrier-grade NAT)"),
    ("127.0.0.0/8", "is loopback"),
    ("168.63.129.16/32", "is a cloud's metadata service"),
    ("169.254.0.0/16", "is link-local, where clouds keep their metadata service"),
    ("172.16.0.0/12", "is private"),
    ("192.0.0.0/24", "is reserved for protocols"),
    ("192.0.2.0/24", "is for documentation"),
    ("192.88.99.0/24", "is a 6to4 relay"),
    ("192.168.0.0/16", "is private"),
    ("198.18.0.0/15", "is for benchmarks"),
    ("198.51.100.0/24", "is for documentation"),
    ("203.0.113.0/24", "is for documentation"),
    ("224.0.0.0/4", "is multicast"),
    ("240.0.0.0/4", "is reserved"),
    ("::/128", "is unspecified"),
    ("::1/128", "is loopback"),
    ("::ffff:0:0/96", "is an IPv4 address in IPv6 clothes"),
    ("::/96", "is an IPv4 address in IPv6 clothes"),
    ("64:ff9b::/96", "is translated to an IPv4 address (NAT64)"),
    ("64:ff9b:1::/48", "is translated to an IPv4 address (NAT64)"),
    ("2001::/32", "is a tunnel to an IPv4 address (Teredo)"),
    ("2001::/23", "is reserved for protocols"),
    ("2001:db8::/32", "is for documentation"),
    ("2002::/16", "is a tunnel to an IPv4 address (6to4)"),
    ("3fff::/20", "is for documentation"),
    ("fc00::/7", "is private"),
    ("fe80::/10", "is link-local"),
    ("fec0::/10", "is private (site-local)"),
    ("ff00::/8", "is multicast"),
)
_GLOBAL_V6: Final = IPv6Network("2000::/3")
"""All that is routed on the internet; the rest of IPv6 is special or not yet given out."""


class AddressGuard:
    """Decides about addresses: globally routable ones, and what the operator allows besides."""

    def __init__(self, allowed: Sequence[IPNetwork], *, setting: str) -> None:
        """Take what is allowed besides the internet, and which setting an operator allows it by."""
        self._allowed = tuple(allowed)
        self.setting = setting
        self._refused = tuple((ip_network(network), reason) for network, reason in _REFUSED)

    @property
    def allows_own_network(self) -> bool:
        """Whether the operator has named any network of their own."""
        return bool(self._allowed)

    def refusal(self, address: IPAddress, *, encrypted: bool) -> str | None:
        """Return in words why nothing may be sent to this address, or None if it may."""
        if any(address in network for network in self._allowed):
            return None
        for network, reason in self._refused:
            if address in network:
                return f"the address {address} {reason}"
        if isinstance(address, IPv6Address) and address not in _GLOBAL_V6:
            return f"the address {address} is not globally routable"
        if not encrypted:
            return f"{address} is on the internet, which is reached by https only"
        return None


def literal_address(host: str) -> IPAddress | None:
    """Return the address that a host is written as, or None for a name.

    Raises ValueError for the spellings of an IPv4 address that only some programs understand,
    such as `0x7f.1` or `2130706433`.
    """
    try:
        return ip_address(host)
    except ValueError:
        last = host.rstrip(".").rpartition(".")[2].lower()
        if last.isdigit() or last.startswith("0x"):
            raise ValueError("write an IPv4 address as four numbers, like 192.0.2.1") from None
        return None
