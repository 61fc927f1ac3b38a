"""Index decoder: entries with their rows, cycle by cycle, of every kind of code."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from harness.component import play, seeded

from hwsim.config import ArchConfig, CSCConfig
from hwsim.formats import codes
from hwsim.formats.csc import codebook, encode, entry_codes
from hwsim.rtl.arrays.csc.decoder import Decoder
from hwsim.rtl.arrays.csc.layout import PESizes
from hwsim.rtl.arrays.status import status_codes

CAUSES = {int(code.value): name for name, code in status_codes(CSCConfig.CAUSES, "pe").items()}
ARRAY = {
    "family": "csc", "pes": 1, "lanes": 2, "index_bits": 2, "col_depth": 16, "entry_depth": 128,
    "acc_depth": 16,
}  # fmt: skip
OUTPUTS = [
    "column.ready", "entry.valid", "entry.p", "factors", "finishes", "fetches", "looks_up", "cause",
]  # fmt: skip
KINDS = {
    "int": ({}, {}),
    "levels": ({"weight_code": "levels", "weight_width": 4}, {}),
    "codebook": ({}, {"codebook_bits": 3}),
}


class Memory:
    """A random matrix on one PE: what to write, and the entries of each column."""

    def __init__(self, kind, rng, density=0.3):
        numbers, array = KINDS[kind]
        fields = {"name": "csc_test", "array": ARRAY | array, "numbers": numbers}
        arch = ArchConfig.model_validate(fields)
        self.sizes = PESizes.of(arch)
        bits = arch.array.codebook_bits
        values = np.arange(1, 8) if bits else codes.levels(arch.numbers)
        mask = rng.random((16, 12)) < density
        self.weight = rng.choice(values, (16, 12)) * mask
        self.matrix = encode(self.weight, 1, 2, self.sizes.has_zero)
        self.table = codebook(self.weight, bits) if bits else None
        entries = entry_codes(self.matrix, arch.numbers, self.table)
        self.writes = [
            {"write_en": 1, "write_addr": i, "write_data": {"code": int(code), "rel_idx": int(rel)}}
            for i, (code, rel) in enumerate(zip(entries, self.matrix.rel_idx, strict=True))
        ]
        if self.table is not None:
            words = codes.encode(self.table, arch.numbers).tolist()
            self.writes += [
                {"write_en": 0, "table_en": 1, "table_addr": i + 1, "table_data": word}
                for i, word in enumerate(words)
            ]
        self.numbers = arch.numbers

    def column(self, k, **fields):
        start, end = self.matrix.pointers[0, k : k + 2].tolist()
        return {"start": start, "end": end, "act": [k, -k], "last": 0, "null": 0} | fields

    def length(self, k):
        return int(np.diff(self.matrix.pointers[0])[k])

    def entries(self, k):
        """Code, row and activations of each entry of column ``k``, without padding."""
        rows = np.flatnonzero(self.weight[:, k])
        words = codes.encode(self.weight[rows, k], self.numbers).tolist()
        return [(word, int(row), k, -k) for word, row in zip(words, rows, strict=True)]

    def play(self, simulate, cycles):
        """Write the memories, then play ``cycles``."""
        first = {"write_en": 0} | ({"table_en": 0} if self.table is not None else {})
        first |= {"run": 1, "run_next": 1}
        cycles = [*self.writes, first | cycles[0], *cycles[1:]]
        return play(simulate, Decoder(self.sizes), cycles, OUTPUTS)[len(self.writes) :]


def seen(rows):
    """Entries: their rows, and their factors of the cycle after."""
    return [
        (after["factors"].code, row["entry.p"].row, *(int(act) for act in after["factors"].act))
        for row, after in pairwise(rows)
        if row["entry.valid"]
    ]


@pytest.mark.parametrize("kind", KINDS)
def test_one_entry_per_cycle_two_cycles_after_its_column(simulate, kind):
    rng = seeded(sorted(KINDS).index(kind))
    memory = Memory(kind, rng)
    columns = rng.permutation(12).tolist()
    cycles, starts, taken = [], [], []
    for k in columns:
        starts.append(len(cycles))
        length = max(1, memory.length(k))
        cycles += [{"column.valid": 1, "column.p": memory.column(k)}] * length
        taken += [0] * (length - 1) + [1]
    cycles += [{"column.valid": 0}] * 4
    rows = memory.play(simulate, cycles)
    assert [row["column.ready"] for row in rows] == taken + [0] * 4
    expected = [entry for k in columns for entry in memory.entries(k)]
    assert seen(rows) == expected
    fetches = [row["fetches"] for row in rows]
    assert sum(fetches) == len(memory.matrix.values)
    # each fetch is an entry two cycles later, unless it is padding
    assert all(not row["entry.valid"] or fetches[i - 2] for i, row in enumerate(rows))
    first = next(start for start, k in zip(starts, columns, strict=True) if memory.length(k))
    assert fetches[first] == 1
    causes = [CAUSES[row["cause"]] for row in rows[2:-1]]
    counted = {name: causes.count(name) for name in ("mac", "padding", "column")}
    assert counted == {
        "mac": len(expected), "padding": memory.matrix.padding,
        "column": sum(memory.length(k) == 0 for k in columns),
    }  # fmt: skip
    is_looked_up = [row["looks_up"] for row in rows]
    assert is_looked_up == ([0, 0, *fetches[:-2]] if memory.table is not None else [0] * len(rows))


def test_groups_alternate_banks_and_wait_for_their_drain(simulate):
    memory = Memory("int", seeded(3), density=1.0)
    offers = [memory.column(0, last=1), memory.column(1, last=1), memory.column(2, last=1)]
    length = memory.length(0)
    cycles = [{"column.valid": 1, "column.p": offers[g]} for g in (0, 1) for _ in range(length)]
    cycles += [{"column.p": offers[2]}] * 5 + [{"drained": 1}, {"drained": 0}]
    cycles += [{}] * (length - 1) + [{"column.valid": 0}] * 3
    rows = memory.play(simulate, cycles)
    ready = [cycle for cycle, row in enumerate(rows) if row["column.ready"]]
    # the third group holds for five cycles, until the cycle after the drain of the first
    assert ready == [length - 1, 2 * length - 1, 3 * length - 1 + 6]
    assert [cycle for cycle, row in enumerate(rows) if row["finishes"]] == [c + 2 for c in ready]
    banks = [row["entry.p"].bank for row in rows if row["entry.valid"]]
    assert banks == [0] * length + [1] * length + [0] * length
    assert [CAUSES[row["cause"]] for row in rows].count("drain") == 6


def test_null_token_closes_a_group_in_one_cycle(simulate):
    memory = Memory("int", seeded(4), density=1.0)
    cycles = [{"column.valid": 1, "column.p": memory.column(3, last=1, null=1)}]
    rows = memory.play(simulate, cycles + [{"column.valid": 0}] * 3)
    assert [row["column.ready"] for row in rows] == [1, 0, 0, 0]
    assert [row["finishes"] for row in rows] == [0, 0, 1, 0]
    assert not any(row["fetches"] or row["entry.valid"] for row in rows)


@pytest.mark.parametrize(
    ("inputs", "cause"),
    [
        ({"waiting": 1, "more": 1}, "pointer"),
        ({"waiting": 0, "more": 1}, "empty"),
        ({"waiting": 0, "more": 0}, "done"),
        ({"run_next": 0}, "idle"),
    ],
)
def test_cause_of_a_cycle_without_a_column(simulate, inputs, cause):
    memory = Memory("int", seeded(5))
    rows = memory.play(simulate, [{"column.valid": 0} | inputs, {}, {}])
    assert CAUSES[rows[2]["cause"]] == cause


def test_a_full_memory_ends_at_its_depth(simulate):
    """The end of the last column needs one bit more than an address."""
    memory = Memory("int", seeded(6), density=1.0)
    size = len(memory.matrix.values)
    memory.sizes = replace(memory.sizes, entry_depth=256, pointer_width=9)
    memory.writes = [
        write | {"write_addr": 256 - size + index} for index, write in enumerate(memory.writes)
    ]
    column = memory.column(11, start=256 - memory.length(11), end=256)
    cycles = [{"column.valid": 1, "column.p": column}] * memory.length(11)
    rows = memory.play(simulate, cycles + [{"column.valid": 0}] * 3)
    assert seen(rows) == memory.entries(11)
