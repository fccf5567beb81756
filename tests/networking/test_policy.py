"""Which hosts may be connected to, whatever they are called and whatever they lead to."""

import ipaddress
import socket
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from syncline.networking import HostPolicy, HostRefused, first_reachable, literal_address
from syncline.networking.addresses import finding
from syncline.settings import Settings


def policy(*addresses: str, allowed: str | None = None, private: bool = True) -> HostPolicy:
    """A policy under which every name leads to these addresses."""

    def resolver(host: str, port: int) -> Sequence[str]:
        return addresses

    settings = Settings(allowed_hosts=allowed, private_hosts=private)
    return HostPolicy(HostPolicy.of(settings).allowed, private, resolver)


def refused(asked: HostPolicy, host: str) -> HostRefused:
    with pytest.raises(HostRefused) as caught:
        asked.addresses(host, 80)
    return caught.value


def embedded(address: str) -> list[str]:
    """IPv6 addresses that end at an IPv4 address in one way or another."""
    number = int(ipaddress.IPv4Address(address))
    return [
        f"::ffff:{address}",
        f"::{address}",
        f"::ffff:0:{address}",
        f"64:ff9b::{address}",
        f"64:ff9b:1::{address}",
        str(ipaddress.IPv6Address((0x2002 << 112) | (number << 80) | 1)),
        str(ipaddress.IPv6Address((0x20010000 << 96) | (0x08080808 << 64) | (number ^ 0xFFFFFFFF))),
        str(ipaddress.IPv6Address((0x20010000 << 96) | (number << 64) | (0x08080808 ^ 0xFFFFFFFF))),
        f"2a00:1450::5efe:{address}",
        f"2a00:1450::200:5efe:{address}",
    ]  # fmt: skip


NEVER = [
    "169.254.169.254", "169.254.0.1", "169.254.170.2", "100.100.100.200", "168.63.129.16", "192.0.0.192",
    "0.0.0.0", "0.1.2.3", "224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255",
    "fe80::1", "fe80::1%eth0", "fd00:ec2::254", "fd00:ec2::23", "fd20:ce::254", "::", "ff02::1", "ff05::1:3",
]  # fmt: skip
PRIVATE = [
    "127.0.0.1", "127.8.9.1", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "100.64.0.1", "198.18.0.1",
    "192.0.2.1", "::1", "fc00::1", "fd12:3456::1", "fec0::1", "2001:db8::1", "64:ff9b:1::a00:1",
]  # fmt: skip
PUBLIC = ["8.8.8.8", "172.32.0.1", "52.166.127.37", "2a00:1450:4001:830::200e", "64:ff9b::8.8.8.8"]


@pytest.mark.parametrize(
    "address", [*NEVER, *(form for one in ("169.254.169.254", "0.0.0.0") for form in embedded(one))]
)
def test_addresses_of_metadata_services_and_the_like_are_never_connected_to(address: str) -> None:
    everything = policy(address, allowed=f"bus.example.com, {address.partition('%')[0]}, 0.0.0.0/0, ::/0")
    for asked in (policy(address), everything):
        error = refused(asked, "bus.example.com")
        assert "bus.example.com is not connected to: it leads to" in error.message
        assert "another host" in error.remedy


@pytest.mark.parametrize("address", [*PRIVATE, *embedded("10.0.0.1"), *embedded("127.0.0.1")])
def test_this_machine_and_its_network_are_a_matter_of_the_setting(address: str) -> None:
    assert len(policy(address).addresses("bus.example.com", 80)) == 1
    error = refused(policy(address, private=False), "bus.example.com")
    assert error.host == "bus.example.com"
    assert str(error.address) in error.message
    assert "SYNCLINE_ALLOWED_HOSTS" in error.remedy
    assert "SYNCLINE_PRIVATE_HOSTS" in error.remedy


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_are_connected_to(address: str) -> None:
    assert [str(one) for one in policy(address, private=False).addresses("h.example.com", 80)] == [
        str(ipaddress.ip_address(address))
    ]


def test_one_forbidden_address_among_several_is_enough() -> None:
    assert "10.1.1.1" in refused(policy("8.8.8.8", "10.1.1.1", private=False), "h.example.com").message


def test_addresses_come_in_the_resolvers_order_each_once() -> None:
    found = policy("2a00:1450::1", "8.8.8.8", "::ffff:8.8.8.8", "8.8.4.4").addresses("h.example.com", 80)
    assert [str(one) for one in found] == ["2a00:1450::1", "8.8.8.8", "8.8.4.4"]


@pytest.mark.parametrize(
    "spelling",
    [
        "127.0.0.1", "127.1", "127.0.1", "2130706433", "0x7f000001", "0x7f.1", "0177.0.0.1", "0177.1", "127.0.0.1.",
        "１２７.0.0.1", "127。0。0。1", "127．0．0．1",
        "⑫7.0.0.1", "[127.0.0.1]", "[::ffff:127.0.0.1]", "::FFFF:7f00:1",
    ],
)  # fmt: skip
def test_an_address_is_known_in_every_spelling(spelling: str) -> None:
    assert literal_address(spelling) == ipaddress.ip_address("127.0.0.1")
    asked = policy("8.8.8.8", private=False)
    with pytest.raises(HostRefused):
        asked.check_literal(spelling)
    refused(asked, spelling)


@pytest.mark.parametrize("spelling", ["fe80::1%eth0", "[fe80::1%25eth0]", "[fe80::1]"])
def test_zones_and_brackets_hide_nothing(spelling: str) -> None:
    with pytest.raises(HostRefused, match="link-local"):
        policy().check_literal(spelling)


@pytest.mark.parametrize(
    "name", ["localhost", "bus.example.com", "beef.cafe", "xn--bcher-kva.example", "1e100.net", "0x"]
)
def test_names_are_no_addresses(name: str) -> None:
    assert literal_address(name) is None
    policy(private=False).check_literal(name)


@given(st.ip_addresses())
def test_an_address_that_wraps_a_forbidden_one_is_no_better(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> None:
    found = finding(address)
    if isinstance(address, ipaddress.IPv4Address) and found is not None:
        for form in embedded(str(address)):
            wrapped = finding(ipaddress.ip_address(form))
            assert wrapped is not None
            assert found.is_private or not wrapped.is_private
    if found is None:
        assert address.is_global


@given(st.text(max_size=40))
def test_no_text_breaks_it(text: str) -> None:
    address = literal_address(text)
    assert address is None or address == literal_address(str(address))


class TestListedHosts:
    @pytest.mark.parametrize(
        ("allowed", "host"),
        [
            ("bus.example.com", "BUS.Example.COM."),
            ("*.example.com", "a.b.example.com"),
            ("8.0.0.0/8", "bus.example.com"),
            ("8.8.8.8", "8.8.8.8"),
            ("other.example.com, bus.example.com", "bus.example.com"),
        ],
    )
    def test_they_are_connected_to(self, allowed: str, host: str) -> None:
        assert policy("8.8.8.8", allowed=allowed, private=False).addresses(host, 80)

    @pytest.mark.parametrize(
        ("allowed", "host"),
        [
            ("bus.example.com", "bus.example.com.evil.net"),
            ("*.example.com", "example.com"),
            ("*.example.com", "evil-example.com"),
            ("9.0.0.0/8", "bus.example.com"),
            ("2000::/3", "bus.example.com"),
            ("8.8.8.8", "8.8.4.4"),
        ],
    )
    def test_nothing_else_is(self, allowed: str, host: str) -> None:
        assert "SYNCLINE_ALLOWED_HOSTS" in refused(policy("8.8.8.8", allowed=allowed), host).remedy

    @pytest.mark.parametrize("allowed", ["warehouse.internal", "10.0.0.0/8", "*.internal"])
    def test_they_may_be_private_where_others_may_not(self, allowed: str) -> None:
        assert policy("10.2.3.4", allowed=allowed, private=False).addresses("warehouse.internal", 5432)

    @pytest.mark.parametrize(
        "text", ["*", "10.0.0.1/8", "10.0.0.0/33", "http://bus", "a b", "*.*.com", "127.1", "1234", ","]
    )
    def test_an_entry_that_means_nothing_is_refused_at_the_start(self, text: str) -> None:
        with pytest.raises(ValidationError, match="allowed_hosts"):
            Settings(allowed_hosts=text)


def test_a_name_without_addresses_is_not_known() -> None:
    with pytest.raises(socket.gaierror):
        policy().addresses("bus.example.com", 80)


@pytest.mark.parametrize("name", ["a" * 64 + ".example", "a..example", "."])
def test_a_name_that_cannot_be_one_is_not_known_either(name: str) -> None:
    with pytest.raises(socket.gaierror):
        HostPolicy().addresses(name, 80)


def test_what_this_machine_calls_itself_is_looked_at_too() -> None:
    refused(HostPolicy(allows_private=False), "localhost")


class TestConnecting:
    def test_the_addresses_are_tried_in_turn(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
            several = policy("127.0.0.2", "127.0.0.1")  # nothing listens on the first
            with several.connect("bus.example.com", port, 5) as made:
                assert made.getpeername() == ("127.0.0.1", port)
            assert str(first_reachable(several.addresses("bus.example.com", port), port, 5)) == "127.0.0.1"

    def test_a_single_address_is_left_to_who_connects_to_it(self) -> None:
        alone = [ipaddress.ip_address("127.0.0.1")]
        assert first_reachable(alone, 1, 5) == alone[0]

    def test_a_name_that_leads_elsewhere_a_moment_later_gains_nothing(self) -> None:
        answers = iter([["127.0.0.1"], ["127.0.0.2"]])
        asked: list[str] = []

        def rebinding(host: str, port: int) -> list[str]:
            asked.append(host)
            return next(answers)

        asking = HostPolicy(resolver=rebinding)
        with (
            socket.create_server(("127.0.0.1", 0)) as server,
            asking.connect("bus.example.com", server.getsockname()[1], 5) as made,
        ):
            assert made.getpeername()[0] == "127.0.0.1"
        assert asked == ["bus.example.com"]
