# amaranth: UnusedElaboratable=no
"""Index-decoding PE: sums of columns, its pipeline, and what is refused."""

import numpy as np
import pytest
from harness.component import play, seeded

from hwsim.config import ArchConfig
from hwsim.fixedpoint import wrap
from hwsim.formats.csc import encode
from hwsim.rtl.arrays.csc.layout import PESizes, load_layout
from hwsim.rtl.arrays.csc.pe import PE
from hwsim.rtl.arrays.decoding.tiles import pe_events

ROWS, COLS, LANES = 8, 12, 2
ARCH = ArchConfig.model_validate(
    {
        "name": "csc_test",
        "numbers": {"psum_width": 18},
        "array": {
            "family": "csc", "pes": 1, "lanes": LANES, "index_bits": 1, "col_depth": 16,
            "entry_depth": 128, "acc_depth": ROWS, "fifo_depth": 4, "drain_lanes": LANES,
        },
    }
)  # fmt: skip
OUTPUTS = ["token.ready", "finished", "finished_two", "psum", "events"]


def pe():
    return PE(PESizes.of(ARCH), load_layout(ARCH), pe_events(ARCH.array))


def load(weight):
    """Write pointers and entries."""
    matrix = encode(weight, 1, ARCH.array.index_bits)
    entries = (matrix.values & 255) | matrix.rel_idx << 8
    words = [(0, matrix.pointers[0]), (1, entries)]
    return [
        {"load_en": 1, "load": {"kind": kind, "addr": addr, "data": int(word)}}
        for kind, memory in words
        for addr, word in enumerate(memory)
    ]


def token(k, act, last=0):
    return {"token.valid": 1, "token.p": {"k": k, "act": act, "last": last, "null": 0}}


def test_pipeline_of_one_entry(simulate):
    weight = np.zeros((ROWS, COLS), np.int64)
    weight[1, 5] = 7
    writes = load(weight)
    begin = {"load_en": 0, "run": 1, "run_next": 1}
    cycles = writes + [begin | token(5, [3, -4], 1)] + [{"token.valid": 0}] * 7
    fetch = {"read": 1, "read_bank": 0, "read_row": 1}
    cycles += [{"drain": fetch}, {"drain": {}}]
    rows = play(simulate, pe(), cycles, OUTPUTS)[len(writes) :]
    when = {
        name: [cycle for cycle, row in enumerate(rows[:8]) if getattr(row["events"], name)]
        for name, _ in pe_events(ARCH.array)
    }
    # queue, pointers, wait, issue, capture, decode, multiply, add: stored at the end of cycle 7
    assert when == {
        "queue_writes": [0], "queue_reads": [1], "pointer_reads": [1], "pointer_writes": [],
        "entry_reads": [3], "entry_writes": [], "macs": [5], "psum_reads": [5], "psum_writes": [7],
    }  # fmt: skip
    assert [row["finished"] for row in rows] == [0] * 8 + [1] * 2
    assert [int(lane) for lane in rows[-1]["psum"]] == [21, -28]


@pytest.mark.parametrize("density", [0.1, 0.5, 1.0])
def test_sums_of_groups_while_groups_before_are_drained(simulate, density):
    rng = seeded(int(10 * density))
    weight = rng.integers(-128, 128, (ROWS, COLS)) * (rng.random((ROWS, COLS)) < density)
    writes, groups = load(weight), 5
    acts = rng.integers(-128, 128, (groups, COLS, LANES))
    tokens = [
        token(k, acts[g, k].tolist(), int(k == COLS - 1))
        for g in range(groups)
        for k in range(COLS)
    ]
    shown = []

    def stimuli(rows):
        """Offer tokens with pauses; drain a group, row by row, once it is finished."""
        yield from writes
        yield {"load_en": 0, "run": 1, "run_next": 1}
        drained, row, held, inputs = 0, -1, False, {"drained": 0}
        while drained < groups:
            finished = rows[-1]["finished"] and not inputs["drained"]
            if held and rows[-1]["token.ready"]:
                tokens.pop(0)
                held = False
            held = bool(tokens) and (held or rng.random() < 0.8)
            inputs = dict(tokens[0]) if held else {"token.valid": 0}
            inputs |= {"drain": {}, "drained": 0}
            bank = drained % 2
            if row >= 0:  # a row is shown: clear it, fetch the next
                shown.append(len(rows))
                ends = row == ROWS - 1
                inputs["drained"] = ends
                drain = {"zero": 1, "bank": bank, "row": row}
                if not ends:
                    drain |= {"read": 1, "read_bank": bank, "read_row": row + 1}
                inputs["drain"] = drain
                drained, row = drained + ends, -1 if ends else row + 1
            elif finished:
                inputs["drain"] = {"read": 1, "read_bank": bank, "read_row": 0}
                row = 0
            yield inputs

    rows = play(simulate, pe(), stimuli, OUTPUTS)
    sums = wrap(np.einsum("mk,gkl->gml", weight, acts), ARCH.numbers.psum_width)
    psums = [[int(lane) for lane in rows[cycle]["psum"]] for cycle in shown]
    assert psums == sums.reshape(-1, LANES).tolist()
    macs = sum(row["events"].macs for row in rows)
    assert macs == groups * np.count_nonzero(weight)
