# amaranth: UnusedElaboratable=no
"""Sequencer between engines that take as long as they are told: time, conflicts, barriers."""

import numpy as np
import pytest
from harness.component import play, seeded

from hwsim.accelerator.timeline import Stages, timeline
from hwsim.config import BusConfig
from hwsim.contract.descriptors import DESCRIPTOR_TARGET, KINDS, TARGETS, pack
from hwsim.contract.registers import ERRORS
from hwsim.rtl.machine.sequencer import Sequencer

BUS = BusConfig(data_width=32)
WIDTHS = {"act": 32, "weight": 32, "scale": 64, "list": 96}
WATCHED = [
    "load.valid", "load.p.target", "load.p.address", "store.valid", "execute", "busy", "done",
    "failed", "interrupt", "code", "index",
]  # fmt: skip
ARRAY = {"kind": KINDS["array"], "command_0": 0x10001, "command_1": 1}


def load(block, target, index, words=4):
    name = f"load{block}"
    beats = words * WIDTHS[target] // 32
    return {
        f"{name}_target": TARGETS[target], f"{name}_index": index, f"{name}_words": words,
        f"{name}_beats": beats, f"{name}_rows": 1, "loads": block + 1,
    }  # fmt: skip


def played(simulate, descriptors, durations, limit=3000, rows=None):
    """Rows of a run, and what happened: ``(cycle, event)``.

    ``durations``: of each tile the cycles of its fetch, loads, execution and store, as ``Stages``
    has them.
    """
    memory = [pack(each) for each in descriptors]
    events = []

    def stimuli(rows):
        yield {
            "start": 1, "program": 0, "length": len(memory), "load.ready": 1, "store.ready": 1,
        }  # fmt: skip
        fetching, offered, works = -1, -2, [i for i, d in enumerate(descriptors) if d.get("kind")]
        load_left = execute_left = store_left = 0
        stored = [i for i, each in enumerate(descriptors) if each.get("stores")]
        words = []
        for cycle in range(limit):
            # an engine is busy from the cycle after it has taken a block
            inputs = {
                "start": 0, "load_busy": int(load_left > 1), "store_busy": int(store_left > 1),
                "executed": int(execute_left == 1), "fetched.valid": 0,
            }  # fmt: skip
            if words:
                line, word = words.pop(0)
                inputs |= {"fetched.valid": 1, "fetched.addr": line, "fetched.data": word}
            yield inputs
            row = rows[-1]
            load_left, execute_left, store_left = (
                max(0, left - 1) for left in (load_left, execute_left, store_left)
            )
            if row["load.valid"]:
                if row["load.p.target"] == DESCRIPTOR_TARGET:
                    fetching += 1
                    events.append((cycle, "fetch"))
                    load_left = durations[fetching][0]
                    words = list(enumerate(memory[fetching]))
                else:
                    events.append((cycle, "load"))
                    # all blocks together: from the first that is offered
                    if offered != cycle - 1:
                        load_left = durations[fetching][1]
                    offered = cycle
            if row["execute"]:
                events.append((cycle, "execute"))
                execute_left = durations[works.pop(0)][2] - 1
            if row["store.valid"]:
                events.append((cycle, "store"))
                store_left = durations[stored.pop(0)][3]
            if row["done"] or row["failed"]:
                return

    dut = Sequencer(
        bus=BUS, banks=3, widths=WIDTHS, most_pixels=16, digest=7, carries=rows is not None,
        rows=rows or (1, 1, 1),
    )  # fmt: skip
    return play(simulate, dut, stimuli, WATCHED), events


def outcome(rows):
    return ERRORS[rows[-1]["code"]][0] if rows[-1]["failed"] else "none", rows[-1]["index"]


@pytest.mark.parametrize("seed", range(12))
def test_a_run_takes_the_cycles_of_the_recurrence(simulate, seed):
    rng = seeded(seed)
    descriptors, durations = [], []
    for index in range(int(rng.integers(1, 9))):
        fields = {}
        if rng.random() < 0.7:
            for block in range(int(rng.integers(1, 4))):
                fields |= load(block, "act", 2)
        if rng.random() < 0.8:
            fields |= ARRAY | {"read_bank": 0, "write_bank": 1}
        if rng.random() < 0.5:
            fields |= {"stores": 1, "store_bank": 1, "store_rows": 1, "store_words": 1}
        fields["barrier"] = int(index > 0 and rng.random() < 0.3)
        descriptors.append(fields)
        # a descriptor has 32 beats here, and a load as many cycles as blocks are offered, at least
        fetch, blocks = int(rng.integers(34, 60)), int(rng.integers(4, 80))
        execute, store = int(rng.integers(3, 80)), int(rng.integers(2, 60))
        durations.append(
            (
                fetch,
                blocks if fields.get("loads") else 0,
                execute if fields.get("kind") else 1,
                store if fields.get("stores") else 0,
            )
        )
    rows, _ = played(simulate, descriptors, durations)
    assert outcome(rows)[0] == "none"
    columns = [np.array(column) for column in zip(*durations, strict=True)]
    barrier = np.array([bool(each["barrier"]) for each in descriptors])
    stages = Stages(*columns, barrier, np.zeros(len(barrier), np.int64))
    assert sum(row["busy"] for row in rows) == timeline(stages).cycles


JOB = ARRAY | {"read_bank": 0, "write_bank": 1, "weight_half": 0, "scale_half": 0}
STORE = {"stores": 1, "store_bank": 2, "store_rows": 1, "store_words": 1}


@pytest.mark.parametrize(
    ("before", "after", "error"),
    [
        (JOB, load(0, "act", 1), "conflict"),
        (JOB, load(0, "act", 0), "none"),
        (JOB, load(0, "weight", 0), "conflict"),
        (JOB, load(0, "weight", 1), "none"),
        (JOB, load(0, "scale", 0), "conflict"),
        (JOB, load(0, "scale", 1), "none"),
        (JOB, load(0, "list", 0), "conflict"),
        (JOB, load(0, "list", 1), "none"),
        (JOB, load(0, "act", 2) | load(1, "act", 1), "conflict"),
        (JOB | STORE, JOB | {"read_bank": 2}, "conflict"),
        (JOB | STORE, JOB | {"write_bank": 2}, "none"),
        (JOB | STORE, {"read_bank": 2}, "none"),
        ({"write_bank": 1}, load(0, "act", 1), "none"),
        (JOB | {"kind": KINDS["vector"]}, load(0, "weight", 0), "none"),
    ],
)
@pytest.mark.parametrize("barrier", [0, 1])
def test_two_users_of_a_port_end_the_run(simulate, before, after, error, barrier):
    descriptors = [before, after | {"barrier": barrier}]
    durations = [(34, 5, 9, 5), (34, 5, 9, 5)]
    rows, _ = played(simulate, descriptors, durations)
    expected = "none" if barrier else error
    assert outcome(rows) == (expected, 1 if expected == "conflict" else rows[-1]["index"])


@pytest.mark.parametrize("flag", ["carry", "keep"])
@pytest.mark.parametrize(
    ("rows", "folds", "pixels", "fits"),
    [
        (None, 1, 1, False),
        ((1, 16, 1), 1, 16, True),
        ((1, 16, 1), 2, 1, False),
        ((4, 2, 4), 4, 8, True),
        ((4, 2, 4), 5, 4, True),
        ((4, 2, 4), 5, 5, False),
        ((4, 2, 4), 16, 2, True),
        ((4, 2, 4), 17, 1, False),
        ((4, 2, 4), 4, 9, False),
    ],
)
def test_sums_stay_where_the_accumulators_have_rows_for_them(
    simulate, rows, folds, pixels, fits, flag
):
    job = JOB | {"command_0": 1 | folds << 16, "command_1": pixels, flag: 1}
    found, _ = played(simulate, [job, {}], [(34, 0, 9, 0), (34, 0, 1, 0)], rows=rows)
    assert outcome(found)[0] == ("none" if fits else "descriptor")


@pytest.mark.parametrize("stop", [0, 1])
def test_no_sums_stay_behind_a_run(simulate, stop):
    job = ARRAY | {"keep": 1, "stop": stop}
    found, _ = played(simulate, [{}, job], [(34, 0, 1, 0), (34, 0, 9, 0)], rows=(1, 16, 1))
    assert outcome(found) == ("descriptor", 1)


def test_a_barrier_waits_until_all_is_stored(simulate):
    descriptors = [JOB | STORE, load(0, "act", 0) | {"barrier": 1}]
    rows, events = played(simulate, descriptors, [(34, 0, 50, 60), (34, 5, 1, 0)])
    (store,) = [cycle for cycle, event in events if event == "store"]
    (begin,) = [cycle for cycle, event in events if event == "load"]
    assert begin > store + 60
    assert rows[-1]["done"]


def test_a_descriptor_that_asks_for_an_interrupt_gets_it_when_it_is_stored(simulate):
    descriptors = [JOB | STORE | {"interrupt": 1}, JOB]
    rows, events = played(simulate, descriptors, [(34, 0, 9, 20), (34, 0, 9, 0)])
    (store,) = [cycle for cycle, event in events if event == "store"]
    (asked,) = [cycle for cycle, row in enumerate(rows) if row["interrupt"]]
    assert asked > store + 20
    assert not rows[-1]["interrupt"]


def test_nothing_is_executed_of_a_program_for_another_design(simulate):
    rows, events = played(simulate, [{"check": 1, "command_0": 8}, JOB], [(34, 0, 1, 0)] * 2)
    assert outcome(rows) == ("design", 0)
    assert [event for _, event in events] == ["fetch"]


def test_a_stop_ends_a_run_when_the_engines_are_idle(simulate):
    """The host stops while a descriptor is fetched: it ends after that."""
    dut = Sequencer(bus=BUS, banks=3, widths=WIDTHS, most_pixels=16, carries=False, digest=7)
    cycles = [{"start": 1, "length": 1, "load.ready": 1}, {"start": 0}]
    cycles += [{"load_busy": 1}, {"stop": 1}, {"stop": 0}, *[{}] * 5, {"load_busy": 0}, *[{}] * 5]
    rows = play(simulate, dut, cycles, WATCHED)
    (failed,) = [cycle for cycle, row in enumerate(rows) if row["failed"]]
    assert failed >= 10
    assert ERRORS[rows[failed]["code"]][0] == "stopped"
    assert not rows[failed + 1]["busy"]
