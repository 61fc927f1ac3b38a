# amaranth: UnusedElaboratable=no
"""Control of the pattern array: library, order of loads and windows, their cycles, causes."""

from itertools import pairwise, product

import pytest
from harness.component import play, seeded
from harness.pattern_cases import arch_of

from hwsim.config import ArchConfig, PatternConfig
from hwsim.contract.causes import cause_names
from hwsim.formats.pattern import WINDOW
from hwsim.rtl.arrays.pattern.control import PatternControl

ROWS, COLS, PATTERNS = 3, 2, 3
CAUSES = cause_names(PatternConfig.CAUSES)["array"]
LIBRARY = [[0, 1, 2, 3], [8, 6, 4, 2], [5, WINDOW, WINDOW, WINDOW]]
OUTPUTS = [
    "command.ready", "weight.ready", "ready", "start", "swap", "load", "weight_row", "tag",
    "library", "cause",
]  # fmt: skip
INPUTS = {
    "enable": 1, "draining": 0, "starved": 0, "window": 0, "command.valid": 0, "weight.valid": 0,
}  # fmt: skip


def entry(index):
    return {"run": 0, "entry": index, "taps": LIBRARY[index]}


def job(k_folds=1, m_folds=1, k_edge=ROWS, pixels=4):
    return {
        "run": 1, "k_folds": k_folds, "m_folds": m_folds, "k_edge": k_edge, "pixels": pixels
    }  # fmt: skip


def folds(command):
    """First and last channel fold, windows, and rows that hold kernels of each fold of a job."""
    for _, k in product(range(command["m_folds"]), range(command["k_folds"])):
        last = k + 1 == command["k_folds"]
        yield k == 0, last, command["pixels"], command["k_edge"] if last else ROWS


def row_of(rng):
    """A row of random kernels: codes and ids of patterns."""
    codes = rng.integers(256, size=(COLS, 4)).tolist()
    return {"weight": codes, "pattern": rng.integers(PATTERNS, size=COLS).tolist()}


def run(simulate, jobs, rng, probability=None):
    """Write the library and play jobs; inputs are valid with the probability of their name."""
    probability = probability or {}
    commands = [*(entry(index) for index in range(PATTERNS)), *jobs]
    windows = sum(pixels for command in jobs for *_, pixels, _ in folds(command))
    words = [row_of(rng) for command in jobs for *_, held in folds(command) for _ in range(held)]
    left = list(words)

    def chance(name):
        return rng.random() < probability.get(name, 1)

    def stimuli(rows):
        nonlocal windows
        offered = dict.fromkeys(("command", "weight", "window"), False)
        while commands or left or windows:
            waiting = {"command": commands, "weight": left, "window": windows}
            for name, items in waiting.items():
                offered[name] = bool(items) and (offered[name] or chance(name))
            inputs = INPUTS | {
                "enable": chance("enable"), "starved": chance("starved"),
                "window": offered["window"], "command.valid": offered["command"],
                "weight.valid": offered["weight"],
            }  # fmt: skip
            if commands:
                inputs["command.p"] = commands[0]
            if left:
                inputs["weight.p"] = left[0]
            yield inputs
            row = rows[-1]
            if offered["command"] and row["command.ready"]:
                commands.pop(0)
                offered["command"] = False
            if offered["weight"] and row["weight.ready"]:
                left.pop(0)
                offered["weight"] = False
            if offered["window"] and row["ready"]:
                windows -= 1
                offered["window"] = False
        for draining in (1, 0):
            yield INPUTS | {"draining": draining}

    dut = PatternControl(arch_of(ROWS, COLS, patterns=PATTERNS))
    return words, play(simulate, dut, stimuli, OUTPUTS)


def cycles_of(rows, signal):
    return [cycle for cycle, row in enumerate(rows) if signal(row)]


def loads(rows):
    return cycles_of(rows, lambda row: row["load"].valid)


def feeds(rows):
    return cycles_of(rows, lambda row: row["tag"].valid)


def swaps(rows):
    return cycles_of(rows, lambda row: row["swap"])


def check_order(rows, jobs, words):
    """Loads, swaps and windows are those of the folds; ids have become taps."""
    load, swap, feed, words = loads(rows), swaps(rows), feeds(rows), list(words)
    for first, last, pixels, held in (fold for command in jobs for fold in folds(command)):
        fold_loads = [load.pop(0) for _ in range(ROWS)]
        for row, cycle in zip(reversed(range(ROWS)), fold_loads, strict=True):
            lanes = rows[cycle]["weight_row"]
            assert rows[cycle]["load"].row == row
            taps = [[int(tap) for tap in lane.tap] for lane in lanes]
            codes = [[int(code) for code in lane.code] for lane in lanes]
            if row < held:
                word = words.pop(0)
                assert codes == word["weight"]
                assert taps == [LIBRARY[index] for index in word["pattern"]]
            else:
                assert taps == [[WINDOW] * 4] * COLS
        fold_feeds = [feed.pop(0) for _ in range(pixels)]
        tags = [rows[cycle]["tag"] for cycle in fold_feeds]
        assert {(tag.first, tag.last) for tag in tags} == {(first, last)}
        assert [tag.end for tag in tags] == [0] * (pixels - 1) + [1]
        assert fold_loads[-1] < swap.pop(0) < fold_feeds[0]
    assert (load, swap, feed, words) == ([], [], [], [])


def test_library_then_first_window_rows_plus_two_cycles_after_the_command(simulate):
    words, rows = run(simulate, [job()], seeded(1))
    assert cycles_of(rows, lambda row: row["library"]) == [0, 1, 2]
    assert cycles_of(rows, lambda row: row["start"]) == [3]
    assert loads(rows) == [4, 5, 6]
    assert swaps(rows) == [7]
    assert feeds(rows) == [8, 9, 10, 11]
    causes = ["library"] * 3 + ["idle"] + ["preload"] * 4 + ["compute"] * 4 + ["drain", "idle"]
    assert [CAUSES[row["cause"]] for row in rows] == causes
    check_order(rows, [job()], words)


@pytest.mark.parametrize("pixels", [1, 2, 3, 5])
def test_fold_takes_its_windows_or_its_rows(simulate, pixels):
    _, rows = run(simulate, [job(k_folds=3, m_folds=2, pixels=pixels)], seeded(2))
    ends = cycles_of(rows, lambda row: row["tag"].valid and row["tag"].end)
    assert [b - a for a, b in pairwise(ends)] == [max(pixels, ROWS)] * 5


def test_lack_of_windows_is_lack_of_pixels_or_none_due(simulate):
    """A starved window unit lacks activations; one that steps has no window to offer yet."""
    probability = {"window": 0.3, "starved": 0.5}
    _, rows = run(simulate, [job(pixels=8)], seeded(3), probability)
    names = [CAUSES[row["cause"]] for row in rows]
    begin, end = feeds(rows)[0], feeds(rows)[-1]
    assert set(names[begin : end + 1]) == {"compute", "act", "window"}


PROBABILITY = {
    "source": {"command": 0.3, "weight": 0.5, "window": 0.5},
    "frozen": {"enable": 0.6},
    "both": {"command": 0.3, "weight": 0.6, "window": 0.7, "enable": 0.8},
}


@pytest.mark.parametrize("kind", PROBABILITY)
def test_order_of_folds_whatever_waits(simulate, kind):
    rng = seeded(len(kind))
    jobs = [job(*rng.integers(1, [4, 4, ROWS + 1, 6]).tolist()) for _ in range(4)]
    words, rows = run(simulate, jobs, rng, PROBABILITY[kind])
    check_order(rows, jobs, words)
    for row in rows:
        frozen = CAUSES[row["cause"]] == "ofmap"
        active = row["load"].valid or row["swap"] or row["tag"].valid
        assert not (frozen and (active or row["weight.ready"] or row["ready"]))
        assert (CAUSES[row["cause"]] == "compute") == row["tag"].valid
    for swap, load in zip(swaps(rows), loads(rows)[ROWS::ROWS], strict=False):
        assert load >= swap


def test_other_family_is_refused():
    with pytest.raises(TypeError, match="csc_64x1 must be of family pattern, not csc"):
        PatternControl(ArchConfig.read("csc_64x1"))
