"""Generated files: the same bytes every time, and a sidecar that says what is in them."""

import json
import re
from collections import Counter
from functools import partial

import pytest

from hwsim import __version__
from hwsim.arrays.base import array_model
from hwsim.config import ArchConfig
from hwsim.config.base import parse
from hwsim.errors import InputError
from hwsim.formats import project
from hwsim.rtl.emit.machine import generate_machine
from hwsim.rtl.emit.rtlil import design_rtlil
from hwsim.rtl.emit.share_modules import share_modules
from hwsim.rtl.emit.tidy import tidied
from hwsim.rtl.emit.verilog import generate
from hwsim.workload.gemm import GEMM
from hwsim.workload.random import sparse

DESIGNS = {
    "ws": {"family": "dense", "dataflow": "ws", "rows": 4, "cols": 3, "acc_depth": 8},
    "os": {"family": "dense", "dataflow": "os", "rows": 4, "cols": 3},
    "gather": {
        "family": "dense", "dataflow": "ws", "rows": 4, "cols": 3, "acc_depth": 8,
        "gather_depth": 4,
    },
    "bitmask_weights": {
        "family": "dense", "dataflow": "os", "rows": 4, "cols": 3, "weight_stream": "bitmask",
    },
    "codebook": {
        "family": "csc", "pes": 2, "lanes": 2, "col_depth": 8, "entry_depth": 16, "acc_depth": 4,
        "codebook_bits": 3, "fifo_depth": 3,
    },
    "nm": {"family": "nm", "dataflow": "ws", "rows": 2, "cols": 3, "n": 2, "m": 4, "acc_depth": 8},
    "pattern": {"family": "pattern", "rows": 2, "cols": 3, "acc_depth": 8, "line_depth": 8},
    "csc": {
        "family": "csc", "pes": 4, "lanes": 2, "col_depth": 16, "entry_depth": 64, "acc_depth": 4,
    },
    "bitmask": {
        "family": "bitmask", "pes": 4, "clusters": 2, "chunk": 16, "window": 4, "mask_depth": 8,
        "entry_depth": 64, "acc_depth": 4,
    },
}  # fmt: skip


@pytest.fixture(params=DESIGNS)
def arch(request):
    return ArchConfig.model_validate(
        {"name": f"gen_{request.param}", "array": DESIGNS[request.param]}
    )


def test_same_design_same_bytes(arch, tmp_path):
    first, second = (generate(arch, tmp_path / name) for name in ("a", "b"))
    assert first.read_bytes() == second.read_bytes()
    assert first.with_suffix(".json").read_bytes() == second.with_suffix(".json").read_bytes()
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == [
        f"{arch.name}.json",
        f"{arch.name}.v",
    ]
    assert str(tmp_path) not in first.read_text()


def test_sidecar_describes_the_streams(arch, tmp_path):
    sidecar = json.loads(generate(arch, tmp_path).with_suffix(".json").read_text())
    assert ArchConfig.model_validate(sidecar["config"]) == arch
    assert sidecar["hwsim"] == __version__
    assert sidecar["derived"]["multipliers"] == arch.array.multipliers
    job = array_model(arch).compile(arch, _gemm(arch))
    for name, words in job.inputs.items():
        fields = sidecar["streams"][name]["fields"]
        assert [field["name"] for field in fields] == list(words)
        assert [field["shape"] for field in fields] == [list(v.shape[1:]) for v in words.values()]
        offset = 0
        for field in fields:
            assert field["offset"] == offset
            count = 1
            for extent in field["shape"]:
                count *= extent
            offset += count * field["width"]
        assert offset == sidecar["streams"][name]["width"]
    assert sidecar["streams"]["ofmap"]["fields"][0]["shape"] == [job.ofmap_index.shape[1]]
    for group, names in arch.array.cause_names.items():
        entry = sidecar["status"]["groups"][group]
        assert entry["causes"] == list(names)
        assert entry["members"] == arch.array.members[group]


def test_ports_are_the_sidecar_s(arch, tmp_path):
    path = generate(arch, tmp_path)
    sidecar, text = json.loads(path.with_suffix(".json").read_text()), path.read_text()
    top = text[re.search(rf"(?m)^module {arch.name}\(", text).start() :]
    top = top[: top.index("endmodule")]
    for name, entry in sidecar["streams"].items():
        direction = {"in": "input", "out": "output"}[entry["direction"]]
        assert re.search(rf"(?m)^  {direction} \[{entry['width'] - 1}:0\] {name}__payload;", top)
    assert {"clk", "rst"} <= set(re.findall(r"(?m)^  input (\w+);", top))


def test_every_signal_has_a_name(arch, tmp_path):
    """A waveform shows names; Amaranth calls a signal without one ``$signal``."""
    assert "$signal" not in generate(arch, tmp_path).read_text()


def test_the_family_names_every_memory(arch):
    """Count of memories by shape, as the design's configuration lists them and as the RTL has them.

    Memories of equal shape in one module are told apart by nothing else; a module counts as often
    as it is instantiated.
    """
    modules = dict(re.findall(r"(?ms)^module (\\\S+)\n(.*?)^end\n", design_rtlil(arch)[1]))
    found = Counter()

    def visit(name):
        for cell in re.findall(r"(?m)^  cell (\\\S+) ", modules[name]):
            if cell in modules:
                visit(cell)
        for width, size in re.findall(r"(?m)^  memory width (\d+) size (\d+) ", modules[name]):
            found[int(size), int(width)] += 1

    visit(f"\\{arch.name}")
    listed = Counter()
    for memory in arch.array.memories(arch.numbers):
        listed[memory.depth, memory.width] += memory.count
    assert found == listed
    for memory in arch.array.memories(arch.numbers):
        assert {memory.reads, memory.writes} <= set(arch.array.strobes)


def test_equal_modules_are_written_once(tmp_path):
    """The file of a design of more PEs has not more modules."""
    counts = []
    for pes in (4, 16):
        array = DESIGNS["csc"] | {"pes": pes}
        text = generate(
            ArchConfig.model_validate({"name": "gen_csc", "array": array}), tmp_path
        ).read_text()
        counts.append(len(re.findall(r"(?m)^module ", text)))
        assert len(re.findall(r"(?m) pe_\d+ \($", text)) == pes
    assert counts[0] == counts[1]


MODULE = """\
module \\top.pe_{0}
  wire width 4 input 1 \\port$1{0}$0
  connect \\q \\port$1{0}$0
end
"""
TOP = """\
attribute \\top 1
module \\top
  cell \\top.pe_0 \\pe_0
    connect \\port$10$0 \\a
  end
  cell \\top.pe_1 \\pe_1
    connect \\port$11$0 \\b
  end
end
"""


def test_shared_modules_keep_instances_and_connections():
    shared = share_modules(TOP + "\n" + MODULE.format(0) + "\n" + MODULE.format(1))
    assert shared.count("module \\top.pe_0\n") == 1
    assert "module \\top.pe_1" not in shared
    assert re.findall(r"cell (\S+) (\S+)\n    connect (\S+) (\S+)", shared) == [
        ("\\top.pe_0", "\\pe_0", "\\port$0", "\\a"),
        ("\\top.pe_0", "\\pe_1", "\\port$0", "\\b"),
    ]


def test_modules_that_differ_are_kept():
    other = MODULE.format(1).replace("width 4", "width 5")
    shared = share_modules(TOP + "\n" + MODULE.format(0) + "\n" + other)
    assert "cell \\top.pe_1 \\pe_1" in shared
    assert "module \\top.pe_1" in shared


def test_a_folder_that_cannot_be_written_is_an_input_error(arch, tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("kept")
    with pytest.raises(InputError, match="cannot be written"):
        generate(arch, blocked)
    assert blocked.read_text() == "kept"


def _gemm(arch):
    import numpy as np

    rng = np.random.default_rng(1)
    return GEMM.of(
        project(arch, sparse(rng, (5, 6), 0.7, arch.numbers.weight_width)),
        sparse(rng, (6, 7), 0.7, arch.numbers.act_width),
    )


def test_ports_stand_in_order_and_in_the_head(arch, tmp_path):
    """Clock, reset, each stream as valid, ready, payload; the head says the bits of each."""
    path = generate(arch, tmp_path)
    text = path.read_text()
    ports = re.search(rf"^module {arch.name}\((.*?)\);", text, re.DOTALL | re.MULTILINE)[1]
    names = ports.replace("\n", "").split(", ")
    streams = json.loads(path.with_suffix(".json").read_text())["streams"]
    expected = [f"{stream}__{part}" for stream in streams for part in ("valid", "ready", "payload")]
    assert names[: 2 + len(expected)] == ["clk", "rst", *expected]
    head = text.partition("*/")[0]
    for name in names[2:]:
        width = re.search(rf"^  (in|out)put (?:\[(\d+):0\] )?{name};", text, re.MULTILINE)
        bits = int(width[2] or 0) + 1
        assert re.search(rf"^ \* {name} +{width[1]} +{bits}\b", head, re.MULTILINE), name


def test_fields_that_nothing_reads_are_left_out():
    module = """\
module \\top
  wire width 8 input 0 \\pair
  wire width 4 \\pair.low
  attribute \\enum_base_type "Kind"
  wire width 4 \\pair.high
  wire width 4 output 1 \\sum
  wire width 4 \\pair.low.part
  connect \\pair.low.part \\pair.low
connect \\pair.low \\pair [3:0]
connect \\pair.high \\pair [7:4]
connect \\sum \\pair.high
end
"""
    text = tidied(module, "top", ["sum", "pair"])
    assert "pair.low" not in text
    assert "connect \\pair.high \\pair [7:4]" in text
    assert "enum_base_type" in text
    assert "wire width 4 output 3 \\sum" in text
    assert "wire width 8 input 4 \\pair" in text


@pytest.mark.parametrize("error", [RecursionError, MemoryError])
def test_a_design_beyond_amaranth_is_one_line(monkeypatch, tmp_path, error):
    """As one is whose expressions are nested too deeply, or that takes all memory."""

    def fail(*_, **__):
        raise error

    # after the conversion: Amaranth warns of a component that was made and not used
    monkeypatch.setattr("hwsim.rtl.emit.rtlil.share_modules", fail)
    with pytest.raises(InputError, match="dense_8x8_ws: array: is too large to be generated"):
        generate(ArchConfig.read("dense_8x8_ws"), tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "made"),
    [("dense_8x8_ws", generate), ("machine_dense_8x8_ws", partial(generate_machine, facts={}))],
)
def test_a_design_of_too_many_multipliers_is_refused_at_once(tmp_path, name, made):
    raw = ArchConfig.read(name).model_dump(exclude_unset=True)
    raw["array"] |= {"rows": 256, "cols": 128}
    wide = parse(ArchConfig, raw, "wide.yaml")
    with pytest.raises(InputError, match=r"array = '32,768 multipliers': RTL is made of at most"):
        made(wide, tmp_path)
    assert list(tmp_path.iterdir()) == []
