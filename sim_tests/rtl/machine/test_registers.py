"""Registers: what the host writes and reads, in every order that AXI4-Lite allows."""

from dataclasses import dataclass, field

import pytest
from harness.component import play, seeded

from hwsim.contract.registers import COUNTERS, ERRORS, MAGIC, REGIONS, REGISTERS, offsets
from hwsim.rtl.machine.registers import Registers

OKAY, SLVERR = 0, 2
AT = offsets()
DIGEST, VERSION = 0x89ABCDEF, 7
OUTPUTS = [
    "aw.ready", "w.ready", "b.valid", "b.resp", "ar.ready", "r.valid", "r.data", "r.resp",
    "start", "stop", "program", "length", "regions", "irq",
]  # fmt: skip
IDLE = {
    "aw.valid": 0, "w.valid": 0, "b.ready": 0, "ar.valid": 0, "r.ready": 0,
    "done": 0, "failed": 0, "descriptor_interrupt": 0,
}  # fmt: skip


@dataclass
class Write:
    address: int
    data: int
    strobes: int = 0b1111
    #: Cycles before the address, before the data, and before the answer is taken.
    delays: tuple[int, int, int] = (0, 0, 0)
    resp: int | None = None
    #: Cycle of the later transfer.
    at: int = 0


@dataclass
class Read:
    address: int
    delays: tuple[int, int] = (0, 0)
    resp: int | None = None
    data: int | None = None
    at: int = 0


@dataclass
class Inside:
    """Inputs of the other side, from this cycle on; strobes for one cycle."""

    values: dict = field(default_factory=dict)


def run(simulate, *accesses):
    """Play accesses one after the other; give the rows. Answers are written into the accesses."""

    def stimuli(rows):
        yield IDLE
        for access in accesses:
            if isinstance(access, Inside):
                yield IDLE | access.values
            elif isinstance(access, Write):
                yield from write(rows, access)
            else:
                yield from read(rows, access)
        for _ in range(3):
            yield IDLE

    return play(simulate, Registers(DIGEST, VERSION), stimuli, OUTPUTS)


def write(rows, access):
    waits = dict(zip(("aw", "w"), access.delays, strict=False))
    payload = {"aw.addr": access.address, "w.data": access.data, "w.strb": access.strobes}
    while waits:
        offers = {f"{channel}.valid": int(wait <= 0) for channel, wait in waits.items()}
        yield IDLE | payload | offers
        access.at = len(rows) - 1
        taken = [c for c, wait in waits.items() if wait <= 0 and rows[-1][f"{c}.ready"]]
        waits = {c: wait - 1 for c, wait in waits.items() if c not in taken}
    access.resp = int((yield from answer(rows, "b", access.delays[2]))["b.resp"])


def read(rows, access):
    for _ in range(access.delays[0]):
        yield IDLE
    yield IDLE | {"ar.valid": 1, "ar.addr": access.address}
    while not rows[-1]["ar.ready"]:
        yield {}
    access.at = len(rows) - 1
    row = yield from answer(rows, "r", access.delays[1])
    access.resp, access.data = int(row["r.resp"]), int(row["r.data"])


def answer(rows, channel, delay):
    """Wait for an answer, leave it, and take it: it must stay as it is."""
    begin = len(rows)
    yield IDLE | {f"{channel}.ready": int(delay == 0)}
    while not rows[-1][f"{channel}.valid"]:
        yield {}
    # the transfer was in the cycle before `begin`
    assert len(rows) - begin == 2
    first = rows[-1]
    for wait in range(delay):
        yield IDLE | {f"{channel}.ready": int(wait + 1 == delay)}
        assert rows[-1][f"{channel}.valid"]
        names = [name for name in OUTPUTS if name.startswith(f"{channel}.")]
        assert [rows[-1][name] for name in names] == [first[name] for name in names]
    return first


def strobes_of(rows, name):
    return [cycle for cycle, row in enumerate(rows) if row[name]]


def test_what_identifies_the_design_is_read(simulate):
    reads = [Read(AT[name]) for name in ("id", "version", "digest")]
    run(simulate, *reads)
    assert [read.data for read in reads] == [MAGIC, VERSION, DIGEST]
    assert {read.resp for read in reads} == {OKAY}


def test_every_register_answers_as_its_access_says(simulate):
    accesses = {}
    for register in REGISTERS:
        address = AT[register.name]
        accesses[register.name] = Write(address, 0xFFFFFFFF), Read(address)
    run(simulate, *(access for pair in accesses.values() for access in pair))
    for register in REGISTERS:
        written, read = accesses[register.name]
        assert written.resp == (OKAY if "w" in register.access else SLVERR), register
        assert read.resp == OKAY, register
        if register.access == "rw":
            assert read.data == (7 if register.name == "interrupt_enable" else 0xFFFFFFFF)
        elif register.access == "w":
            assert read.data == 0


@pytest.mark.parametrize("address", [4 * len(REGISTERS), 0x800, 0xFFC])
def test_unknown_addresses_are_errors(simulate, address):
    read, write = Read(address), Write(address, 1)
    run(simulate, write, read)
    assert (write.resp, read.resp, read.data) == (SLVERR, SLVERR, 0)


@pytest.mark.parametrize("seed", range(3))
def test_random_writes_are_read_back(simulate, seed):
    rng = seeded(seed)
    names = [register.name for register in REGISTERS if register.access == "rw"]
    expected, accesses, reads = dict.fromkeys(names, 0), [], []
    for _ in range(120):
        name = str(rng.choice(names))
        address = AT[name] + int(rng.integers(4))  # the two lowest bits do not count
        if rng.random() < 0.6:
            data, strobes = int(rng.integers(1 << 32)), int(rng.integers(16))
            accesses.append(Write(address, data, strobes, tuple(rng.integers(0, 4, 3).tolist())))
            mask = sum(0xFF << (8 * byte) for byte in range(4) if strobes >> byte & 1)
            expected[name] = expected[name] & ~mask | data & mask
            expected["interrupt_enable"] &= 7
        else:
            accesses.append(Read(address, tuple(rng.integers(0, 3, 2).tolist())))
            reads.append((accesses[-1], expected[name]))
    rows = run(simulate, *accesses)
    assert [read.data for read, _ in reads] == [value for _, value in reads]
    last = rows[-1]
    assert last["program"] == expected["program_low"] | expected["program_high"] << 32
    assert last["length"] == expected["program_length"]
    assert [int(region) for region in last["regions"]] == [
        expected[f"region{index}_low"] | expected[f"region{index}_high"] << 32
        for index in range(REGIONS)
    ]


def test_an_access_takes_two_cycles(simulate):
    """Both channels at once, answers taken at once."""
    cycles = [IDLE] + [
        {
            "aw.valid": 1, "aw.addr": AT["program_length"], "w.valid": 1, "w.data": 5, "w.strb": 15,
            "ar.valid": 1, "ar.addr": AT["id"], "b.ready": 1, "r.ready": 1,
        }
    ] * 12  # fmt: skip
    rows = play(simulate, Registers(DIGEST, VERSION), cycles, OUTPUTS)
    for channel in ("aw", "w", "ar"):
        assert [int(row[f"{channel}.ready"]) for row in rows[1:]] == [1, 0] * 6
    for channel in ("b", "r"):
        assert [int(row[f"{channel}.valid"]) for row in rows[1:]] == [0, 0] + [1, 0] * 5


def test_answers_that_are_not_taken_hold_back_the_next_ones(simulate):
    offer = {"ar.valid": 1, "ar.addr": AT["id"], "aw.valid": 1, "w.valid": 1}
    rows = play(simulate, Registers(DIGEST, VERSION), [IDLE, *[offer] * 8], OUTPUTS)
    for channel in ("aw", "w", "ar"):
        assert [int(row[f"{channel}.ready"]) for row in rows[1:]] == [1, 0, 1, 0, 0, 0, 0, 0]


def test_start_is_one_cycle_and_ignored_while_busy(simulate):
    start, strobeless = Write(AT["control"], 1), Write(AT["control"], 1, 0b1110)
    again, stop = Write(AT["control"], 1), Write(AT["control"], 2)
    idle_stop, both = Write(AT["control"], 2), Write(AT["control"], 3)
    busy, idle = Inside({"busy": 1}), Inside({"busy": 0})
    rows = run(simulate, strobeless, start, busy, again, stop, idle, idle_stop, both, busy, both)
    assert strobes_of(rows, "start")[0] == start.at + 1
    assert len(strobes_of(rows, "start")) == 2
    assert strobes_of(rows, "stop")[0] == stop.at + 1
    assert len(strobes_of(rows, "stop")) == 2


def test_state_of_a_run_lasts_until_the_next(simulate):
    status, error, index = (
        [Read(AT[n]) for _ in range(4)] for n in ("status", "error", "error_index")
    )
    code = [name for name, _ in ERRORS].index("conflict")
    fails = {"failed": 1, "error_code": code, "error_index": 0x12345}
    run(
        simulate,
        Write(AT["control"], 1), Inside({"busy": 1}), status[0], error[0], index[0],
        Inside(fails), Inside({"error_code": 1, "error_index": 9}), status[1], error[1], index[1],
        Inside({"done": 1, "busy": 0}), status[2], error[2], index[2],
        Write(AT["control"], 1), status[3], error[3], index[3],
    )  # fmt: skip
    assert [read.data for read in status] == [0b0001, 0b0101, 0b0110, 0]
    assert [read.data for read in error] == [0, code, code, 0]
    assert [read.data for read in index] == [0, 0x12345, 0x12345, 0]


@pytest.mark.parametrize("enable", range(8))
def test_interrupts_are_pending_until_cleared(simulate, enable):
    accesses, statuses = [Write(AT["interrupt_enable"], enable)], []
    for number, name in enumerate(("descriptor_interrupt", "done", "failed")):
        for access in (Inside({name: 1}), None, Write(AT["interrupt_clear"], 0), None):
            accesses.append(access or Read(AT["status"]))
            if access is None:
                statuses.append((accesses[-1], enable >> number & 1))
        accesses += [Write(AT["interrupt_clear"], 1), Read(AT["status"])]
        statuses.append((accesses[-1], 0))
    rows = run(simulate, *accesses)
    assert [read.data >> 3 & 1 for read, _ in statuses] == [value for _, value in statuses]
    assert bool(strobes_of(rows, "irq")) == bool(enable)


def test_an_interrupt_in_the_cycle_of_a_clear_stays(simulate):
    enable = {"aw.addr": AT["interrupt_enable"], "w.data": 1, "w.strb": 1}
    clear = enable | {"aw.addr": AT["interrupt_clear"]}
    both = {"aw.valid": 1, "w.valid": 1}
    cycles = [IDLE | enable | both, IDLE, IDLE | {"b.ready": 1}]
    cycles += [IDLE | clear | both, IDLE | {"descriptor_interrupt": 1}, IDLE, IDLE]
    rows = play(simulate, Registers(DIGEST, VERSION), cycles, OUTPUTS)
    assert [int(row["irq"]) for row in rows] == [0, 0, 0, 0, 0, 1, 1]


def test_counters_are_read_low_half_first(simulate):
    rng = seeded(5)
    values = [int(rng.integers(1 << 63)) for _ in COUNTERS]
    accesses, pairs = [], []
    for (name, _), value in zip(COUNTERS, values, strict=True):
        low, high = Read(AT[f"{name}_low"]), Read(AT[f"{name}_high"])
        # all have counted on when the high half is read
        accesses += [
            Inside({"counters": values}),
            low,
            Inside({"counters": [2**64 - 1] * len(COUNTERS)}),
            high,
        ]
        pairs.append((low, high, value))
    run(simulate, *accesses)
    assert [low.data | high.data << 32 for low, high, _ in pairs] == values
