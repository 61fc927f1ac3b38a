# amaranth: UnusedElaboratable=no
"""Weight-stationary control: order of loads and pixels, their cycles, what it waits for."""

from itertools import pairwise, product

import pytest
from harness.component import play, seeded
from harness.dense_cases import arch_of

from hwsim.config import ArchConfig
from hwsim.config.arrays.systolic import SYSTOLIC_CAUSES
from hwsim.contract.causes import cause_names
from hwsim.rtl.arrays.systolic.ws_control import WSControl

ROWS, COLS, DEPTH = 3, 2, 4
CAUSES = cause_names(SYSTOLIC_CAUSES)["array"]
OUTPUTS = [
    "command.ready", "weight.ready", "act.ready", "act_row", "swap", "load", "weight_row", "tag",
    "cause",
]  # fmt: skip
INPUTS = {"enable": 1, "draining": 0, "command.valid": 0, "weight.valid": 0, "act.valid": 0}


def job(k_folds=1, m_folds=1, n_tiles=1, k_edge=ROWS, n_edge=DEPTH):
    return {
        "k_folds": k_folds, "m_folds": m_folds, "n_tiles": n_tiles, "k_edge": k_edge,
        "n_edge": n_edge,
    }  # fmt: skip


def folds(command):
    """First and last of K, pixels, and rows that hold weights of each fold of a job."""
    loops = (range(command[name]) for name in ("n_tiles", "m_folds", "k_folds"))
    for tile, _, k in product(*loops):
        last = k + 1 == command["k_folds"]
        pixels = command["n_edge"] if tile + 1 == command["n_tiles"] else DEPTH
        yield k == 0, last, pixels, command["k_edge"] if last else ROWS


def run(simulate, jobs, probability=None, rng=None):
    """Play jobs; each stream is valid, and all enabled, with the probability of its name."""
    probability = probability or {}
    commands = list(jobs)
    words = {"weight": 0, "act": 0}
    left = {
        "weight": sum(rows for command in jobs for *_, rows in folds(command)),
        "act": sum(pixels for command in jobs for *_, pixels, _ in folds(command)),
    }

    def chance(name):
        return rng is None or rng.random() < probability.get(name, 1)

    def stimuli(rows):
        offered = dict.fromkeys(("command", "weight", "act"), False)
        while commands or any(left.values()):
            offered["command"] = bool(commands) and (offered["command"] or chance("command"))
            for name in words:
                offered[name] = bool(left[name]) and (offered[name] or chance(name))
            yield INPUTS | {
                "enable": chance("enable"), "draining": 0,
                "command.valid": offered["command"], "command.p": commands[0] if commands else {},
                "weight.valid": offered["weight"],
                "weight.p": {"weight": [words["weight"] & 0xFF] * COLS},
                "act.valid": offered["act"], "act.p": {"act": [words["act"] % 128] * ROWS},
            }  # fmt: skip
            row = rows[-1]
            if offered["command"] and row["command.ready"]:
                commands.pop(0)
                offered["command"] = False
            for name in words:
                if offered[name] and row[f"{name}.ready"]:
                    words[name] += 1
                    left[name] -= 1
                    offered[name] = False
        for draining in (1, 0):
            yield INPUTS | {"enable": 1, "draining": draining}

    dut = WSControl(arch_of("ws", ROWS, COLS, DEPTH))
    return play(simulate, dut, stimuli, OUTPUTS)


def cycles_of(rows, signal):
    return [cycle for cycle, row in enumerate(rows) if signal(row)]


def loads(rows):
    return cycles_of(rows, lambda row: row["load"].valid)


def feeds(rows):
    return cycles_of(rows, lambda row: row["tag"].valid)


def swaps(rows):
    return cycles_of(rows, lambda row: row["swap"])


def check_order(rows, jobs):
    """Loads, swaps and pixels are those of the folds, in their order."""
    load, swap, feed = loads(rows), swaps(rows), feeds(rows)
    weight = act = 0
    for first, last, pixels, held in (fold for command in jobs for fold in folds(command)):
        fold_loads = [load.pop(0) for _ in range(ROWS)]
        for row, cycle in zip(reversed(range(ROWS)), fold_loads, strict=True):
            assert rows[cycle]["load"].row == row
            word = weight & 0xFF if row < held else 0
            assert list(rows[cycle]["weight_row"]) == [word] * COLS
            weight += row < held
        fold_feeds = [feed.pop(0) for _ in range(pixels)]
        for pixel, cycle in enumerate(fold_feeds):
            tag = rows[cycle]["tag"]
            assert (tag.first, tag.last, tag.end) == (first, last, pixel + 1 == pixels)
            assert list(rows[cycle]["act_row"]) == [act % 128] * ROWS
            act += 1
        assert fold_loads[-1] < swap.pop(0) < fold_feeds[0]
    assert (load, swap, feed) == ([], [], [])


def test_first_pixel_rows_plus_two_cycles_after_the_command(simulate):
    rows = run(simulate, [job()])
    assert cycles_of(rows, lambda row: row["command.ready"])[0] == 0
    assert loads(rows) == [1, 2, 3]
    assert swaps(rows) == [4]
    assert feeds(rows) == [ROWS + 2 + pixel for pixel in range(DEPTH)]
    causes = ["idle", *["preload"] * 4, *["compute"] * DEPTH, "drain", "idle"]
    assert [CAUSES[row["cause"]] for row in rows] == causes


@pytest.mark.parametrize("n_edge", [1, 2, 3, 4])
def test_fold_takes_its_pixels_or_its_rows(simulate, n_edge):
    """A fold of n pixels every max(n, rows) cycles; its swap comes with the last pixel before."""
    rows = run(simulate, [job(k_folds=5, n_edge=n_edge)])
    ends = cycles_of(rows, lambda row: row["tag"].valid and row["tag"].end)
    gap = max(n_edge, ROWS)
    assert [b - a for a, b in pairwise(ends)] == [gap] * 4
    if n_edge >= ROWS:
        assert swaps(rows)[1:] == ends[:-1]


def test_rows_beyond_k_are_injected_zeros(simulate):
    """Rows 2 and 1 of the one fold: no word of the stream is taken, and zeros are loaded."""
    rows = run(simulate, [job(k_edge=1)])
    assert loads(rows) == [1, 2, 3]
    assert cycles_of(rows, lambda row: row["weight.ready"]) == [3]


def test_next_command_loads_while_the_last_pixel_is_on_its_way(simulate):
    jobs = [job(), job()]
    rows = run(simulate, jobs)
    last = feeds(rows)[DEPTH - 1]
    assert cycles_of(rows, lambda row: row["command.ready"])[:2] == [0, last + 1]
    assert loads(rows)[ROWS] == last + 2
    check_order(rows, jobs)


@pytest.mark.parametrize("n_edge", [1, 2, 3])
@pytest.mark.parametrize("rows_of_pes", [1, 2, 3])
def test_a_pixel_returns_when_its_sum_is_written(simulate, rows_of_pes, n_edge):
    """Weights wait for pixels that come late, so that nothing but the sums holds a swap back."""
    arch = arch_of("ws", rows_of_pes, COLS, DEPTH)
    reuse = arch.array.reuse
    assert reuse == (3 if rows_of_pes == 3 else 2)
    late = INPUTS | {"weight.valid": 1}
    pixel = late | {"act.valid": 1, "act.p": {"act": [0] * rows_of_pes}}
    command = job(k_folds=3, k_edge=rows_of_pes, n_edge=n_edge)
    cycles = [late | {"command.valid": 1, "command.p": command}, *[late] * 20, *[pixel] * 20]
    rows = play(simulate, WSControl(arch), cycles, OUTPUTS)
    seen = feeds(rows)
    assert len(seen) == 3 * n_edge
    # the third fold is loaded while the second one is fed
    assert [b - a for a, b in zip(seen, seen[n_edge:], strict=False)] == (
        [max(n_edge, reuse)] * n_edge + [max(n_edge, rows_of_pes, reuse)] * n_edge
    )


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
        job(*rng.integers(1, 4, 3).tolist(), *rng.integers(1, [ROWS + 1, DEPTH + 1]).tolist())
        for _ in range(4)
    ]
    rows = run(simulate, jobs, PROBABILITY[kind], rng)
    check_order(rows, jobs)
    for row in rows:
        frozen = CAUSES[row["cause"]] == "ofmap"
        active = row["load"].valid or row["swap"] or row["tag"].valid
        assert not (frozen and (active or row["weight.ready"] or row["act.ready"]))
        assert (CAUSES[row["cause"]] == "compute") == row["tag"].valid
    # the first load of a fold comes no earlier than the swap of the fold before
    for swap, load in zip(swaps(rows), loads(rows)[ROWS::ROWS], strict=False):
        assert load >= swap


def test_binary_activations_beyond_k_are_zeros(simulate):
    numbers = {"act_width": 1, "weight_width": 1, "weight_code": "levels"}
    dut = WSControl(arch_of("ws", ROWS, COLS, DEPTH, **numbers))
    inputs = INPUTS | {"weight.valid": 1, "act.valid": 1, "act.p": {"act": [1, 0, 1]}}
    command = job(k_folds=2, k_edge=2, n_edge=1)
    cycles = [inputs | {"command.valid": 1, "command.p": command}] + [inputs] * 12
    rows = play(simulate, dut, cycles, OUTPUTS)
    first, second = feeds(rows)
    assert list(rows[first]["act_row"]) == [-1, 1, -1]
    assert list(rows[second]["act_row"]) == [-1, 1, 0]


def test_other_family_is_refused():
    with pytest.raises(TypeError, match="csc_64x1 must be of family dense or nm or pattern"):
        WSControl(ArchConfig.read("csc_64x1"))
