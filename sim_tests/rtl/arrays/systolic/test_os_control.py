# amaranth: UnusedElaboratable=no
"""Output-stationary control: order of operands and drains, their cycles, what it waits for."""

from itertools import pairwise, product

import pytest
from harness.component import play, seeded
from harness.dense_cases import arch_of

from hwsim.config import ArchConfig
from hwsim.config.arrays.systolic import SYSTOLIC_CAUSES
from hwsim.contract.causes import cause_names
from hwsim.rtl.arrays.systolic.os_control import OSControl

ROWS, COLS = 3, 2
CAUSES = cause_names(SYSTOLIC_CAUSES)["array"]
OUTPUTS = [
    "command.ready", "weight.ready", "act.ready", "act_row", "mac", "drain", "psum_valid", "cause",
]  # fmt: skip
INPUTS = {"enable": 1, "command.valid": 0, "weight.valid": 0, "act.valid": 0}


def job(k_size=1, m_folds=1, n_folds=1, m_edge=ROWS):
    return {"k_size": k_size, "m_folds": m_folds, "n_folds": n_folds, "m_edge": m_edge}


def folds(command):
    """K and rows of each fold of a job."""
    for _, fold in product(range(command["n_folds"]), range(command["m_folds"])):
        yield command["k_size"], command["m_edge"] if fold + 1 == command["m_folds"] else ROWS


def run(simulate, jobs, probability=None, rng=None, *, carries=False):
    """Play jobs; each stream is valid, and all enabled, with the probability of its name."""
    probability = probability or {}
    commands, beat = list(jobs), 0
    beats = sum(k for command in jobs for k, _ in folds(command))

    def chance(name):
        return rng is None or rng.random() < probability.get(name, 1)

    def stimuli(rows):
        nonlocal beat
        offered = dict.fromkeys(("command", "weight", "act"), False)
        while commands or beat < beats:
            offered["command"] = bool(commands) and (offered["command"] or chance("command"))
            for name in ("weight", "act"):
                offered[name] = beat < beats and (offered[name] or chance(name))
            yield {
                "enable": chance("enable"),
                "command.valid": offered["command"], "command.p": commands[0] if commands else {},
                "weight.valid": offered["weight"], "act.valid": offered["act"],
                "act.p": {"act": [beat % 128] * COLS},
            }  # fmt: skip
            row = rows[-1]
            if offered["command"] and row["command.ready"]:
                commands.pop(0)
                offered["command"] = False
            taken = [offered[name] and row[f"{name}.ready"] for name in ("weight", "act")]
            assert taken[0] == taken[1] == row["mac"].valid
            if taken[0]:
                beat += 1
                offered["weight"] = offered["act"] = False
        for _ in range(2 * ROWS + COLS + 1):
            yield INPUTS

    arch = arch_of("os", ROWS, COLS, carries=carries)
    return play(simulate, OSControl(arch), stimuli, OUTPUTS)


def cycles_of(rows, signal):
    return [cycle for cycle, row in enumerate(rows) if signal(row)]


def macs(rows):
    return cycles_of(rows, lambda row: row["mac"].valid)


def lasts(rows):
    return cycles_of(rows, lambda row: row["mac"].valid and row["mac"].last)


def name_of(rows):
    return [CAUSES[row["cause"]] for row in rows]


def test_latency_of_operands_drain_and_sums(simulate):
    """Operands one cycle after the command; drain ``rows``, sums ``rows + cols`` after the last."""
    rows = run(simulate, [job(k_size=4)])
    assert macs(rows) == [1, 2, 3, 4]
    assert cycles_of(rows, lambda row: row["mac"].valid and row["mac"].first) == [1]
    assert lasts(rows) == [4]
    assert cycles_of(rows, lambda row: row["drain"]) == [4 + ROWS]
    start = 4 + ROWS + COLS
    assert cycles_of(rows, lambda row: row["psum_valid"]) == [start, start + 1, start + 2]
    causes = ["idle", *["compute"] * 4, *["drain"] * (2 * ROWS + COLS - 1), "idle", "idle"]
    assert name_of(rows) == causes


@pytest.mark.parametrize("m_edge", [1, 2, 3])
def test_rows_at_or_below_the_edge_do_not_appear(simulate, m_edge):
    """The bottom row leaves first: the rows that hold filters are the last of the drain."""
    rows = run(simulate, [job(m_edge=m_edge)])
    end = 1 + ROWS + COLS + ROWS
    valid = cycles_of(rows, lambda row: row["psum_valid"])
    assert valid == list(range(end - m_edge, end))


@pytest.mark.parametrize("k_size", [1, 2, 3, 5])
def test_fold_takes_its_k_or_its_rows(simulate, k_size):
    rows = run(simulate, [job(k_size=k_size, m_folds=2, n_folds=3)])
    ends = lasts(rows)
    gap = max(k_size, ROWS)
    assert [b - a for a, b in pairwise(ends)] == [gap] * 5
    assert name_of(rows).count("preload") == 5 * (gap - k_size)


PROBABILITY = {
    "none": {},
    "source": {"command": 0.3, "weight": 0.5, "act": 0.5},
    "frozen": {"enable": 0.6},
    "both": {"command": 0.3, "weight": 0.6, "act": 0.7, "enable": 0.8},
}


@pytest.mark.parametrize("kind", PROBABILITY)
def test_order_of_folds_whatever_waits(simulate, kind):
    rng = seeded(len(kind))
    jobs = [
        job(*rng.integers(1, [7, 4, 4]).tolist(), int(rng.integers(1, ROWS + 1))) for _ in range(5)
    ]
    rows = run(simulate, jobs, PROBABILITY[kind], rng)
    all_folds = [fold for command in jobs for fold in folds(command)]
    flags = [(k == 0, k + 1 == size) for size, _ in all_folds for k in range(size)]
    assert [(rows[c]["mac"].first, rows[c]["mac"].last) for c in macs(rows)] == flags
    for beat, cycle in enumerate(macs(rows)):
        assert list(rows[cycle]["act_row"]) == [beat % 128] * COLS

    enabled = [cycle for cycle, name in enumerate(name_of(rows)) if name != "ofmap"]
    assert all(cycle in enabled for cycle in macs(rows))
    # in enabled cycles, the drains and the sums are at fixed distances from the last operands
    position = {cycle: i for i, cycle in enumerate(enabled)}
    ends = [position[cycle] for cycle in lasts(rows)]
    drains = [i for i, cycle in enumerate(enabled) if rows[cycle]["drain"]]
    assert drains == [end + ROWS for end in ends]
    sums = [i for i, cycle in enumerate(enabled) if rows[cycle]["psum_valid"]]
    tops = [end + 2 * ROWS + COLS for end in ends]
    expected = [
        top - row
        for top, (_, held) in zip(tops, all_folds, strict=True)
        for row in reversed(range(1, held + 1))
    ]
    assert sums == expected


def test_sums_that_stay_are_neither_cleared_nor_drained(simulate):
    """The control is idle after the last beat of a command that keeps its sums."""
    parts = [{"keep": 1}, {"carry": 1, "keep": 1}, {"carry": 1}]
    rows = run(simulate, [job(k_size=2) | part for part in parts], carries=True)
    assert macs(rows) == [1, 2, 4, 5, 7, 8]
    assert cycles_of(rows, lambda row: row["mac"].valid and row["mac"].first) == [1]
    assert lasts(rows) == [8]
    assert cycles_of(rows, lambda row: row["drain"]) == [8 + ROWS]
    causes = ["idle", "compute", "compute"] * 3
    assert name_of(rows) == [*causes, *["drain"] * (2 * ROWS + COLS - 1), "idle", "idle"]


def test_sums_that_stay_wait_for_no_drain(simulate):
    """A drain before them counts the rows of its own command, and the last beat waits for it."""
    short = [job(m_edge=1), job(m_edge=3) | {"keep": 1}, job(m_edge=2) | {"carry": 1}]
    rows = run(simulate, short, carries=True)
    assert macs(rows) == [1, 3, 5]
    assert lasts(rows) == [1, 5]
    sums = [1 + ROWS + COLS + 2, *(5 + ROWS + COLS + row for row in (1, 2))]
    assert cycles_of(rows, lambda row: row["psum_valid"]) == sums

    wide = [job(m_folds=2), job() | {"keep": 1}, job() | {"carry": 1}]
    rows = run(simulate, wide, carries=True)
    assert name_of(rows).count("preload") == ROWS - 1
    assert lasts(rows) == [1, 1 + ROWS, 5 + ROWS]


def test_binary_activations_beyond_k_are_zeros(simulate):
    """With one position per PE nothing lies beyond K; the codes 1 and 0 are -1 and +1."""
    numbers = {"act_width": 1, "weight_width": 1, "weight_code": "levels"}
    dut = OSControl(arch_of("os", ROWS, COLS, **numbers))
    inputs = INPUTS | {"weight.valid": 1, "act.valid": 1, "act.p": {"act": [1, 0]}}
    cycles = [inputs | {"command.valid": 1, "command.p": job()}, inputs]
    rows = play(simulate, dut, cycles, OUTPUTS)
    assert list(rows[1]["act_row"]) == [-1, 1]


def test_other_family_is_refused():
    with pytest.raises(TypeError, match="csc_64x1 must be of family dense or nm or pattern"):
        OSControl(ArchConfig.read("csc_64x1"))
