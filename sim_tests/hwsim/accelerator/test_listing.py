"""Listings: every field that says something is there, by its name."""

import numpy as np

from hwsim.accelerator.listing import listing
from hwsim.contract.descriptors import DESCRIPTOR_BYTES, pack


def program(*descriptors):
    return np.array([pack(each) for each in descriptors], "<u4").view(np.uint8).reshape(-1)


def test_a_listing_ends_with_the_descriptor_that_stops():
    first = {
        "kind": 1, "loads": 1, "load0_target": 1, "load0_words": 5, "load0_rows": 1,
        "feed_from": 7, "feed0_bound": 3, "feed0_step": 2, "feed1_bound": 4, "feed1_step": -5,
        "feed2_bound": 1, "command_0": 9,
    }  # fmt: skip
    data = program(first, {"kind": 2, "op": 1, "stop": 1}, {"barrier": 1})
    assert listing(data, "net").splitlines()[1:] == [
        "    0  kind=array loads=1",
        "         command  0=9",
        "         feed     from=7  3 x 2  4 x -5",
        "         load0    words=5  rows=1  target=weight",
        "    1  stop=1 kind=vector op=sum",
    ]


def test_codes_without_a_name_are_numbers():
    data = program({"kind": 3, "stop": 1})
    assert len(data) == DESCRIPTOR_BYTES
    assert "kind=3" in listing(data, "net")
