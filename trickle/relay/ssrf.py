"""Which addresses a webhook may go to: those of the public internet, and networks that are allowed by name.

Whoever may configure a URL should not be able to make the relay speak to its neighbours: to the metadata service of a
cloud, to a database on loopback, to a router. So an address is judged where no name can change any more, when the
socket for it is made: `Guard.socket_for` is what the HTTP client makes its sockets with, and what it refuses is not
connected to, however it was spelled and whatever a name meant a moment ago.

An IPv4 address inside an IPv6 one is judged as what it is. Tunnels (6to4, Teredo) lead anywhere and are refused.
"""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any

from trickle.errors import ConfigurationError

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_GLOBAL_V6 = IPv6Network("2000::/3")
_NAT64 = IPv6Network("64:ff9b::/96")
_REFUSED: tuple[Network, ...] = (
    IPv4Network("192.0.0.0/24"),  # among them the metadata of one cloud
    IPv4Network("168.63.129.16/32"),  # that of another, on an address that looks public
    IPv4Network("100.64.0.0/10"),
    IPv4Network("192.88.99.0/24"),
    IPv4Network("198.18.0.0/15"),
    IPv6Network("2001::/23"),
    IPv6Network("2001:db8::/32"),
    IPv6Network("2002::/16"),
    IPv6Network("3fff::/20"),
)


class AddressRefused(OSError):
    """This address is not one to connect to."""

    def __init__(self) -> None:
        # The same words for each address of a name: the client then reports one refusal, not a list.
        super().__init__(errno.EACCES, "the address is not public, and not in `allow_networks`")


def networks(texts: Iterable[str]) -> tuple[Network, ...]:
    """The networks named so. Raises ConfigurationError."""
    try:
        return tuple(ip_network(text) for text in texts)
    except ValueError as error:
        raise ConfigurationError(
            f"allow_networks: {error}", hint="networks look like 10.1.0.0/16, 192.168.7.5 or fd00:1::/64"
        ) from error


def is_public(address: Address) -> bool:
    """Whether this is an address on the public internet, for one host.

    >>> [is_public(ip_address(text)) for text in ("1.1.1.1", "10.0.0.1", "::ffff:127.0.0.1", "169.254.169.254")]
    [True, False, False, False]
    """
    inner = _inner(address)
    if any(inner in network for network in _REFUSED if network.version == inner.version):
        return False
    if isinstance(inner, IPv6Address) and inner not in _GLOBAL_V6:
        return False
    return inner.is_global and not inner.is_multicast


def _inner(address: Address) -> Address:
    if isinstance(address, IPv4Address):
        return address
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    return address.ipv4_mapped or address


class Guard:
    """Decides about addresses, and makes sockets for those it allows."""

    def __init__(self, allowed: Iterable[Network] = (), *, everything: bool = False) -> None:
        self._allowed = tuple(allowed)
        self._everything = everything

    def allows(self, text: str) -> bool:
        """Whether to connect to this; what is no plain address is refused, for something else would resolve it."""
        if self._everything:
            return True
        try:
            address = _inner(ip_address(text))
        except ValueError:
            return False
        named = any(address in network for network in self._allowed if network.version == address.version)
        return named or is_public(address)

    def socket_for(self, address_info: tuple[Any, ...]) -> socket.socket:
        """A socket for one result of getaddrinfo. Raises AddressRefused."""
        family, kind, protocol, _, where = address_info
        if not self.allows(str(where[0])):
            raise AddressRefused
        return socket.socket(family=family, type=kind, proto=protocol)
