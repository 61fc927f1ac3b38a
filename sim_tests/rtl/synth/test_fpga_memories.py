"""Memories on an ECP5: block RAM where they are large, LUTs where they are read at once."""

import pytest
from amaranth import Module
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from hwsim.config import FAMILIES, ArchConfig
from hwsim.contract.memories import LARGE_BITS
from hwsim.rtl.emit.rtlil import elaborated
from hwsim.rtl.synth.fpga_memories import map_memories
from hwsim.rtl.synth.yosys import synthesize_module

pytest.importorskip("pyosys", reason="cells need pyosys: pip install 'hwsim[synth]'")

BITMASK = {
    "family": "bitmask", "pes": 2, "chunk": 32, "window": 8, "mask_depth": 2048, "load_pes": 2,
    "entry_depth": 4096, "buffer_depth": 3, "acc_depth": 32, "acc_banks": 2, "drain_pes": 2,
}  # fmt: skip
#: A small design of each kind, with the depths of the designs that ship -> its memories in LUTs;
#: the others are block RAM.
PROBES = {
    "dense ws": (
        {"family": "dense", "dataflow": "ws", "rows": 2, "cols": 2, "acc_depth": 256}, set(),
    ),
    "dense gather": (
        {"family": "dense", "dataflow": "ws", "rows": 2, "cols": 2, "acc_depth": 64,
         "gather_depth": 128},
        {"gather list"},
    ),
    "nm": (
        {"family": "nm", "dataflow": "ws", "n": 2, "m": 4, "rows": 2, "cols": 2, "acc_depth": 256},
        set(),
    ),
    "pattern": (
        {"family": "pattern", "rows": 4, "cols": 2, "acc_depth": 256, "line_depth": 64}, set(),
    ),
    "csc": (
        {"family": "csc", "pes": 2, "col_depth": 1024, "entry_depth": 4096, "acc_depth": 64},
        {"queue"},
    ),
    "csc codebook": (
        {"family": "csc", "pes": 2, "col_depth": 1024, "entry_depth": 4096, "acc_depth": 64,
         "codebook_bits": 4},
        {"queue", "codebook"},
    ),
    "bitmask": (BITMASK, {"accumulator"}),
    "dbb": ({"family": "dbb", "rows": 2, "cols": 2, "n": 2, "m": 8}, set()),
}  # fmt: skip


def test_there_is_a_probe_of_every_family():
    assert {array["family"] for array, _ in PROBES.values()} == set(FAMILIES)


@pytest.mark.parametrize("kind", PROBES)
def test_no_memory_of_a_design_is_flip_flops(kind):
    array, in_luts = PROBES[kind]
    arch = ArchConfig.model_validate({"name": "probe", "array": array})
    memories = arch.array.memories(arch.numbers)
    assert in_luts <= {memory.name for memory in memories}
    assert all(m.depth * m.width > LARGE_BITS for m in memories if m.name not in in_luts)
    mapped = list(map_memories(arch).values())
    count = dict.fromkeys(("block RAM", "distributed RAM", "flip-flops"), 0)
    for memory in memories:
        count["distributed RAM" if memory.name in in_luts else "block RAM"] += memory.count
    assert {kind: mapped.count(kind) for kind in count} == count


class TwoWriters(wiring.Component):
    """A memory that no cell of an ECP5 holds: two words are written in one cycle."""

    def __init__(self, depth):
        self.depth = depth
        ports = {f"{name}{i}": In(w) for name, w in (("at", 8), ("word", 8)) for i in range(2)}
        super().__init__(ports | {"read": In(8), "data": Out(8)})

    def elaborate(self, platform):
        m = Module()
        m.submodules.words = memory = Memory(shape=8, depth=self.depth, init=[])
        for i in range(2):
            port = memory.write_port()
            m.d.comb += port.addr.eq(getattr(self, f"at{i}"))
            m.d.comb += port.data.eq(getattr(self, f"word{i}"))
            m.d.comb += port.en.eq(1)
        port = memory.read_port()
        m.d.comb += [port.addr.eq(self.read), self.data.eq(port.data)]
        return m


def test_a_memory_in_flip_flops_is_told(tmp_path):
    text = elaborated(TwoWriters(24), "writers")
    cells = synthesize_module(text, "\\writers", "ecp5", tmp_path)
    assert cells.count("memories") == 0
    assert cells.memories_lost == {"words": 24 * 8}
    assert cells.to_dict()["memories_lost"] == {"words": 24 * 8}
    again = synthesize_module(text, "\\writers", "ecp5", tmp_path)
    assert again == cells
