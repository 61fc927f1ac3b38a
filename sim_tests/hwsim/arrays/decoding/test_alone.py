"""Arrays with double-buffered memories: what their designs must not have, and cannot do alone."""

import numpy as np
import pytest
from harness.machine import ARRAYS, small_machine

from hwsim.arrays.base import array_model
from hwsim.config import ArchConfig
from hwsim.config.base import parse
from hwsim.config.onchip import machine_memories
from hwsim.config.shape import MachineShape
from hwsim.errors import InputError
from hwsim.workload.gemm import GEMM

KINDS = ("csc_double", "sparten_double")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("call", ["count", "compile"])
def test_an_array_alone_is_refused(kind, call):
    weight = np.ones((4, 16), np.int8)
    gemm = GEMM(4, 16, 2, weight, np.ones((16, 2), np.int8), name="gemm")
    arch = small_machine(kind)
    with pytest.raises(InputError, match=r"array\.double_buffered = True: must be off for an"):
        getattr(array_model(arch), call)(arch, gemm)


@pytest.mark.parametrize(
    ("kind", "changes", "rule"),
    [
        ("csc_double", {"codebook_bits": 4}, "double_buffered must be off with codebook_bits"),
        ("csc_double", {"entry_depth": 1}, "entry_depth must be at least 2 where double_buffered"),
        ("sparten_double", {"entry_depth": 1}, "entry_depth must be at least 2 where"),
    ],
)
def test_rules(kind, changes, rule):
    with pytest.raises(InputError, match=rule):
        parse(ArchConfig, {"name": "a", "array": ARRAYS[kind] | changes}, "test")


@pytest.mark.parametrize("kind", KINDS)
def test_bits_of_weights(kind):
    """The PEs' own memories are there twice, and none is beside them."""
    double, single = small_machine(kind), small_machine(kind.removesuffix("_double"))
    bits = [
        {m.name: m.bits for m in (*machine_memories(each), *each.array.memories(each.numbers))}
        for each in (single, double)
    ]
    assert set(bits[0]) - set(bits[1]) == {"weights"}
    twice = {name for name, count in bits[1].items() if count == 2 * bits[0][name]}
    own = {"pointers, even", "pointers, odd", "entries", "weight masks", "weight values"}
    assert twice == own & set(bits[1])
    assert all(bits[1][name] == bits[0][name] for name in set(bits[1]) - twice)


def test_a_design_says_it_once():
    """An option that is off changes no digest; of a machine it takes the weight memory away."""
    single, double = small_machine("csc"), small_machine("csc_double")
    assert "double_buffered" not in single.hardware()["array"]
    assert double.hardware()["array"]["double_buffered"]
    assert [MachineShape.of(each).has_weights for each in (single, double)] == [True, False]
