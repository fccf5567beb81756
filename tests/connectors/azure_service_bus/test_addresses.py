"""Where a namespace is dialled."""

import pytest

from syncline.connectors.azure_service_bus.connect import Namespace
from tests.connectors.azure_service_bus.conftest import context_for

STRING = "Endpoint=sb://bus.example.com{port}/;SharedAccessKeyName=k;SharedAccessKey=aHVudGVyMg=="


@pytest.mark.parametrize(
    ("port", "asb_ip", "amqp", "administration"),
    [
        ("", None, "bus.example.com:5671", 443),
        (":5800", None, "bus.example.com:5800", 5800),
        ("", "203.0.113.9", "203.0.113.9:5671", 443),
        (":5800", "203.0.113.9", "203.0.113.9:5800", 5800),
        (":5800", "sb://gateway.example.com/", "gateway.example.com:5800", 5800),
        (":5800", "2001:db8::1", "[2001:db8::1]:5800", 5800),
        (":5800", "203.0.113.9:443", "203.0.113.9:443", 443),
        (":5800", "[2001:db8::1]:443", "[2001:db8::1]:443", 443),
    ],
)
def test_another_address_keeps_the_port_of_the_connection_string_unless_it_has_its_own(
    port: str, asb_ip: str | None, amqp: str, administration: int
) -> None:
    address = Namespace(context_for(STRING.format(port=port), asb_ip=asb_ip)).address
    assert (str(address), address.host) == (amqp, "bus.example.com")
    assert address.administration_port == administration
