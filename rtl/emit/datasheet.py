"""Data sheet of a machine: what an integrator asks for on one page."""

from collections.abc import Mapping, Sequence

from hwsim.config import ArchConfig
from hwsim.config.shape import MachineShape
from hwsim.contract.descriptors import DESCRIPTOR_BYTES, FIELDS, WORD_BITS
from hwsim.contract.machine import POST_LATENCY, STALL_LIMIT
from hwsim.contract.registers import COUNTERS, ERRORS, MAGIC, REGISTERS, VERSION, offsets
from hwsim.rtl.emit.head import Port

__all__ = ["datasheet"]


def datasheet(arch: ArchConfig, ports: Sequence[Port], facts: Mapping[str, str]) -> str:
    """Markdown of a machine's data sheet.

    Parameters
    ----------
    facts
        What is known of its silicon: title -> figure.
    """
    bus, name, at = arch.bus, arch.name, offsets()
    registers = [(f"0x{at[r.name]:03x}", f"`{r.name}`", r.access, r.text) for r in REGISTERS]
    errors = [(str(code), error, meaning) for code, (error, meaning) in enumerate(ERRORS)]
    pins = [(f"`{port.name}`", port.direction, str(port.width), port.meaning) for port in ports]
    counters = [(f"`{key}`", meaning) for key, meaning in COUNTERS]
    return f"""\
# {name}

{arch.description or "An accelerator for neural networks."}

![blocks]({name}.svg)

## Parameters

{_table(("what", "value"), [*_sizes(arch), *facts.items()])}

## Ports

One clock, `clk`. `rst` is synchronous and active high; one cycle is enough.

{_table(("port", "direction", "bits", "what"), pins)}

## Use

`{name}.c` and `{name}.h` are the driver: `hwsim_check`, `hwsim_run` with the address of a
program and the bases of regions of memory (it refuses a program for another design if it sees the
descriptors), `hwsim_wait` or the interrupt, `hwsim_read_counters`.
`hwsim generate {name} --network NAME` writes a program with inputs, expected results and a
testbench.

## Registers

`id` is 0x{MAGIC:08x}, `version` {VERSION}, `digest` 0x{arch.digest[:8]}. Strobes choose the bytes
that are written. Other addresses, and writes to registers that are only read, are answered SLVERR.
Program and regions stay as they are while a program runs; a start is ignored then, and a stop
while none runs. Addresses in memory have {bus.addr_width} bits: `hwsim_run` refuses more, the
machine ignores what is beyond. Of a counter the low half is read first; the high half is that of
the low half read last.

{_table(("offset", "name", "access", "meaning"), registers)}

## Errors

{_table(("code", "name", "meaning"), errors)}

## Time

Three stages hold one tile each: load, execute, store. The postprocess adds {POST_LATENCY} cycles
to a job of the array. An execution in which nothing moves for {STALL_LIMIT:,} cycles ends the run
with an error. `hwsim simulate {name} NETWORK --memory NAME` counts a network's cycles exactly.
Counters of 64 bits:

{_table(("counter", "counts"), counters)}

## Descriptors

{DESCRIPTOR_BYTES} bytes each, little endian, in words of {WORD_BITS} bits; one is one tile.

{_table(("word", "bits", "field", "meaning"), _fields())}
"""


def _sizes(arch: ArchConfig) -> list[tuple[str, str]]:
    """What the machine has, and how large."""
    memory, shape, bus = arch.memory, MachineShape.of(arch), arch.bus
    assert memory is not None
    kilobytes = {
        "act banks": memory.act_banks * memory.act_depth * shape.act_bits,
        "weights": 2 * memory.weight_depth * shape.weight_word,
        "scales": 2 * memory.scale_depth * shape.scale_word,
    }
    weights = f"2 halves of {memory.weight_depth} words of {shape.weight_word} bits"
    if not shape.has_weights:
        # those of the PEs are memories of the array
        del kilobytes["weights"]
        weights = f"in the PEs, 2 halves: a block of at most {memory.weight_depth} words fills one"
    return [
        ("array", _array(arch)),
        (
            "numbers",
            f"weights of {arch.numbers.weight_width} bits, activations of {shape.act_width}, "
            f"sums of {shape.psum_width}",
        ),
        (
            "act banks",
            f"{memory.act_banks} of {memory.act_depth} words of {shape.word_lanes} activations",
        ),
        ("weights", weights),
        ("scales", f"2 halves of {memory.scale_depth} words of {shape.scale_word} bits"),
        ("on chip", ", ".join(f"{key} {bits / 8192:.1f} KiB" for key, bits in kilobytes.items())),
        (
            "memory port",
            f"AXI4, {bus.data_width} bits, addresses of {bus.addr_width}, bursts of {bus.burst}, "
            f"{bus.outstanding} reads under way; incrementing bursts within 4 KiB, one identifier",
        ),
        ("host port", "AXI4-Lite, 32 bits"),
    ]


def _fields() -> list[tuple[str, str, str, str]]:
    """Fields of a descriptor, with the bits of the word that each takes."""
    fields = []
    for word, members in enumerate(FIELDS):
        bit = 0
        for field in members:
            bits = f"{bit + field.bits - 1}:{bit}" if field.bits > 1 else str(bit)
            fields.append((str(word), bits, f"`{field.name}`", field.meaning))
            bit += field.bits
    return fields


def _array(arch: ArchConfig) -> str:
    fields = arch.array.model_dump(exclude_defaults=True)
    said = ", ".join(f"{key} {value}" for key, value in fields.items() if key != "family")
    return f"{arch.array.family}, {arch.array.multipliers} multipliers: {said}"


def _table(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [titles, ["---"] * len(titles), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
