"""Which addresses count as one place."""

from ipaddress import IPv4Address, IPv6Address, ip_network
from typing import Final

from services.auth.records import Network

NOWHERE: Final = ip_network("::/128")
_IPV4 = 4
_IPV6_SITE_BITS = 64
_IPV4_NEIGHBOURHOOD_BITS = 24
_IPV6_NEIGHBOURHOOD_BITS = 48


def network_of(address: IPv4Address | IPv6Address | None) -> Network:
    """Return what counts as one place: an IPv4 address, or the /64 that one IPv6 host owns."""
    if address is None:
        return NOWHERE
    bits = address.max_prefixlen if address.version == _IPV4 else _IPV6_SITE_BITS
    return ip_network((address, bits), strict=False)


def neighbourhood_of(address: IPv4Address | IPv6Address | None) -> Network:
    """Return what a subscriber keeps while their provider gives them new addresses, mostly."""
    if address is None:
        return NOWHERE
    is_old = address.version == _IPV4
    bits = _IPV4_NEIGHBOURHOOD_BITS if is_old else _IPV6_NEIGHBOURHOOD_BITS
    return ip_network((address, bits), strict=False)
