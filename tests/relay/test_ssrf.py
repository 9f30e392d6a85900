"""Which addresses are public: every special network, in every spelling that hides it.

They would catch: a loopback that gets through as IPv6, a metadata service on a public address, a check of the name
instead of the address.
"""

from __future__ import annotations

import doctest
import socket
from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trickle.errors import ConfigurationError
from trickle.relay import ssrf
from trickle.relay.ssrf import AddressRefused, Guard, is_public, networks

PRIVATE = [
    "0.0.0.0",
    "10.1.2.3",
    "100.64.0.1",
    "100.100.100.200",
    "127.0.0.1",
    "127.255.255.254",
    "168.63.129.16",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.192",
    "192.0.2.1",
    "192.168.0.1",
    "198.18.0.1",
    "224.0.0.1",
    "239.1.1.1",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::127.0.0.1",
    "::ffff:10.0.0.1",
    "::ffff:169.254.169.254",
    "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::1",
    "100::1",
    "2001::1",
    "2001:db8::1",
    "2002:7f00:1::",
    "2002:808:808::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fe80::1%eth0",
    "fec0::1",
    "ff02::1",
]
PUBLIC = ["1.1.1.1", "8.8.8.8", "172.32.0.1", "2606:4700:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"]


def test_the_examples_run() -> None:
    assert doctest.testmod(ssrf).failed == 0


@pytest.mark.parametrize("text", PRIVATE)
def test_not_public(text: str) -> None:
    assert not is_public(ip_address(text))
    assert not Guard().allows(text)


@pytest.mark.parametrize("text", PUBLIC)
def test_public(text: str) -> None:
    assert is_public(ip_address(text))
    assert Guard().allows(text)


@pytest.mark.parametrize("text", ["2130706433", "0x7f.1", "127.1", "0177.0.0.1", "localhost", ""])
def test_what_is_no_plain_address_is_refused(text: str) -> None:
    """Something behind us would resolve it, to an address that nobody has looked at."""
    assert not Guard().allows(text)


def test_networks_that_are_allowed() -> None:
    guard = Guard(networks(["10.1.0.0/16", "fd00:1::/64", "127.0.0.1"]))
    assert guard.allows("10.1.2.3") and guard.allows("::ffff:10.1.2.3") and guard.allows("fd00:1::5")
    assert guard.allows("127.0.0.1") and not guard.allows("127.0.0.2")
    assert not guard.allows("10.2.0.1") and not guard.allows("fd00:2::5")
    assert Guard(everything=True).allows("127.0.0.1")


@pytest.mark.parametrize("text", ["10.0.0.1/8", "intranet", "10.0.0.0/99"])
def test_a_network_that_is_none(text: str) -> None:
    with pytest.raises(ConfigurationError, match="allow_networks"):
        networks([text])


def test_a_socket_is_made_for_allowed_addresses_only() -> None:
    (info, *_) = socket.getaddrinfo("127.0.0.1", 80, type=socket.SOCK_STREAM)
    with pytest.raises(AddressRefused, match="not public"):
        Guard().socket_for(info)
    Guard(networks(["127.0.0.0/8"])).socket_for(info).close()


@given(st.ip_addresses(v=4))
def test_an_address_within_another_is_judged_as_itself(address: object) -> None:
    for hidden in (f"::ffff:{address}", f"64:ff9b::{address}"):
        assert is_public(ip_address(hidden)) == is_public(ip_address(str(address)))
