# amaranth: UnusedElaboratable=no
"""The checker of AXI's rules bites: each rule broken once, and none in a run that keeps them."""

from collections import ChainMap

import pytest
from harness.component import play

from hwsim.config import BusConfig
from hwsim.rtl.cosim.checker import RULES, Checker

BUS = BusConfig(data_width=32)
IDLE = {
    f"{channel}_{signal}": 0
    for channel in (
        "read_ar",
        "read_r",
        "write_aw",
        "write_w",
        "write_b",
        "host_aw",
        "host_w",
        "host_b",
        "host_ar",
        "host_r",
    )
    for signal in ("valid", "ready")
}


def offer(channel, ready=1, **fields):
    return {f"{channel}_valid": 1, f"{channel}_ready": ready} | {
        f"{channel}_{name}": value for name, value in fields.items()
    }


GOOD = [
    offer("read_ar", ready=0, addr=64, len=1),
    offer("read_ar", addr=64, len=1),
    offer("read_r", data=1, last=0),
    offer("read_r", ready=0, data=2, last=1) | offer("write_aw", addr=4088, len=1),
    offer("read_r", data=2, last=1) | offer("write_w", data=7, strb=15, last=0),
    offer("write_w", data=8, strb=15, last=1),
    offer("write_b", ready=0),
    offer("write_b"),
]
HOST = [
    offer("host_aw", addr=4) | offer("host_ar", addr=8),
    offer("host_w", data=9, strb=15),
    offer("host_b", ready=0) | offer("host_r", ready=0, data=3),
    offer("host_b") | offer("host_r", data=3),
]
GOOD = [dict(ChainMap(*pair)) for pair in zip(GOOD, HOST + 4 * [{}], strict=True)]


def broken(simulate, cycles):
    cycles = [IDLE | cycle for cycle in cycles] + [IDLE, IDLE]
    rows = play(simulate, Checker(BUS), cycles, ["broken"])
    return [rule for rule in range(len(RULES)) if rows[-1]["broken"] >> rule & 1]


def test_a_run_that_keeps_the_rules(simulate):
    assert broken(simulate, GOOD) == []


@pytest.mark.parametrize(
    ("index", "changes", "rule"),
    [
        (0, {"read_ar_addr": 60}, 0),
        (0, {"read_ar_len": 2}, 0),
        (3, {"read_r_data": 3}, 0),
        (7, {"write_b_resp": 2}, 0),
        (3, {"write_aw_addr": 4092}, 1),
        (5, {"write_w_last": 0}, 2),
        (4, {"write_w_last": 1}, 2),
        (2, {"read_r_last": 1}, 3),
        (5, {"write_b_valid": 1}, 4),
        (3, {"host_r_data": 4}, 0),
        (3, {"host_b_valid": 0}, 0),
        (0, {"host_aw_valid": 0}, 5),
        (1, {"host_w_valid": 0}, 5),
        (0, {"host_ar_valid": 0}, 5),
    ],
    ids=str,
)
def test_each_rule_is_seen_to_be_broken(simulate, index, changes, rule):
    cycles = [dict(cycle) for cycle in GOOD]
    cycles[index] |= changes
    assert rule in broken(simulate, cycles)


def test_an_offer_that_is_withdrawn(simulate):
    assert broken(simulate, [offer("write_aw", ready=0, addr=0, len=0), {}]) == [0]
