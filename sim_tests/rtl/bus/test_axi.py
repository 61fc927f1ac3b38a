"""Signatures of AXI: members, widths, directions, and the constants of a burst."""

import pytest
from amaranth.lib.wiring import In, Out

from hwsim.rtl.bus.axi import lite_port, read_port, write_port


@pytest.mark.parametrize(("data_width", "size"), [(32, 2), (64, 3), (128, 4), (256, 5)])
def test_a_burst_is_incrementing_and_as_wide_as_the_bus(data_width, size):
    for port, channel in ((read_port, "ar"), (write_port, "aw")):
        members = port(40, data_width).members[channel].signature.members
        inits = {name: member.init for name, member in members.items() if member.init}
        assert inits == {"size": size, "burst": 1, "cache": 3}
        assert members["addr"].shape == 40
        assert members["len"].shape == 8


@pytest.mark.parametrize(
    ("port", "sent", "received"),
    [
        (read_port(32, 64), {"ar"}, {"r"}),
        (write_port(32, 64), {"aw", "w"}, {"b"}),
        (lite_port(12), {"aw", "w", "ar"}, {"b", "r"}),
    ],
)
def test_a_master_sends_addresses_and_data(port, sent, received):
    flows = {name: member.flow for name, member in port.members.items()}
    assert flows == dict.fromkeys(sent, Out) | dict.fromkeys(received, In)
    for member in port.members.values():
        assert member.signature.members["valid"].flow == member.flow
        assert member.signature.members["ready"].flow == member.flow.flip()


def test_ports_of_equal_widths_are_equal():
    assert read_port(32, 64) == read_port(32, 64)
    assert write_port(32, 64) != write_port(32, 128)
    assert lite_port(8).members["w"].signature.members["strb"].shape == 4
