"""Requests to services that the operator has named in a setting."""

from ipaddress import ip_network
from typing import Final

from shared.chassis.outgoing.addresses import AddressGuard
from shared.chassis.outgoing.requests import OutgoingRequests, SystemResolver

# Nobody but the operator chooses where these go, so their own networks are fine; on the internet
# it takes https all the same.
_OWN_NETWORKS: Final = (
    *("10.0.0.0/8", "127.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"),
    *("::1/128", "fc00::/7"),
)


def requests_to_named_services(resolver: SystemResolver) -> OutgoingRequests:
    """Return what sends to the internet and to the operator's own networks."""
    guard = AddressGuard(
        [ip_network(text) for text in _OWN_NETWORKS], setting="nothing but the address itself"
    )
    return OutgoingRequests(guard, resolver)
