"""Runs of many recipes: each after its start, in parallel, and independent of failures."""

from __future__ import annotations

import os
import time

import pytest

from hwsim.errors import InputError


class Recorder:
    """Keeps all calls."""

    def __init__(self):
        self.seen = []

    def begin(self, run):
        self.seen.append(("begin", run.name))

    def report(self, run, epoch):
        self.seen.append((epoch.epoch, run.name))

    def end(self, run, how):
        self.seen.append((how.status, run.name))


@pytest.fixture
def runs(torch, recipe, tmp_path):
    """Make runs from ``name=start``."""
    from hwsim.models.compress.runs import Run

    return lambda **starts: [
        Run(recipe(name=name, start=start), tmp_path) for name, start in starts.items()
    ]


def work_off(runs, make, **options):
    from hwsim.models.compress.runs import in_order, work_off

    recorder = Recorder()
    ends = work_off(in_order(runs), make, recorder, **{"is_done": lambda run: False} | options)
    return {name: end.status for name, end in ends.items()}, recorder.seen, ends


def test_starts_come_first_whatever_the_order(runs):
    from hwsim.models.compress.runs import in_order

    unordered = runs(d="c", b="a", c="b", e="elsewhere", a=None)
    assert [run.name for run in in_order([*unordered, unordered[0]])] == ["a", "b", "c", "d", "e"]
    made = []
    statuses, _, _ = work_off(unordered, lambda run, report: made.append(run.name))
    assert made == ["a", "b", "c", "d", "e"]
    assert set(statuses.values()) == {"made"}


def test_a_circle_of_starts_is_refused(runs):
    from hwsim.models.compress.runs import in_order

    with pytest.raises(InputError, match=r"start: must not come back to itself: b <- c <- a <- b"):
        in_order(runs(z=None, b="c", c="a", a="b"))
    with pytest.raises(InputError, match=r"itself: a <- a"):
        in_order(runs(a="a"))


def test_two_recipes_of_one_name_are_refused(runs):
    from hwsim.models.compress.runs import in_order

    with pytest.raises(InputError, match="name = 'a': must be that of one recipe, not of two"):
        in_order(runs(a=None) + runs(a="b"))


def test_what_is_done_is_passed_over_and_asked_when_its_start_is_there(runs):
    """A run is not finished any more once its start has been made again."""
    made = []
    is_done = {"a": False, "b": True, "c": True}

    def make(run, report):
        made.append(run.name)
        is_done["b"] = False  # from now on

    statuses, seen, _ = work_off(
        runs(b="a", c=None, a=None), make, is_done=lambda r: is_done[r.name]
    )
    assert made == ["a", "b"]
    assert statuses == {"a": "made", "b": "made", "c": "found"}
    assert ("begin", "c") not in seen


def test_a_run_that_fails_stops_only_what_starts_from_it(runs):
    """Bad input, a bug or a damaged file is a failure; a better existing checkpoint is none."""
    from hwsim.models.compress.pipeline import Better

    made = []

    def make(run, report):
        if run.name == "bad":
            raise InputError("bad", "loss", None, "must stay finite")
        if run.name == "bug":
            raise ZeroDivisionError("of\nmine")
        if run.name == "better":
            raise Better("better.safetensors", "accuracy_heldout", None, "must be left alone")
        made.append(run.name)

    def is_done(run):
        if run.name == "damaged":
            raise InputError("x.safetensors", "", None, "is truncated")
        return False

    statuses, _, ends = work_off(
        runs(child="bad", grandchild="child", bad=None, bug=None, damaged=None, better=None,
             good="better"),
        make, is_done=is_done,
    )  # fmt: skip
    assert statuses == {
        "bad": "failed", "child": "blocked", "grandchild": "blocked", "bug": "failed",
        "damaged": "failed", "better": "better", "good": "made",
    }  # fmt: skip
    assert made == ["good"]
    assert {name: end.remark for name, end in ends.items()} == {
        "bad": "bad: loss: must stay finite",
        "child": "child: not run: it starts from bad",
        "grandchild": "grandchild: not run: it starts from child",
        "bug": "bug: ZeroDivisionError: of mine",
        "damaged": "damaged: x.safetensors: is truncated",
        "better": "better.safetensors: accuracy_heldout: must be left alone",
        "good": "",
    }
    assert [name for name, end in ends.items() if end.has_checkpoint] == ["better", "good"]


def appear(path, patience_s=300):
    """Wait for a file."""
    until = time.monotonic() + patience_s
    while not path.exists():
        assert time.monotonic() < until, path
        time.sleep(0.01)


def act(run, report):
    """Stand for a training run in the next test, in a process of its own."""
    from hwsim.models.compress.log import Epoch

    folder = run.folder
    (folder / f"{run.name}.begun").write_text(str(os.getpid()))
    if run.name == "a":
        # b is there at the same time; c, which starts from a, is not
        appear(folder / "b.begun")
        assert not (folder / "c.begun").exists()
        report(Epoch("train", 1, 0.1, 0.5, 0.9, 0.8, 1.0))
        report(Epoch("train", 2, 0.1, 0.4, 0.9, 0.8, 1.0))
    elif run.name == "b":
        appear(folder / "a.begun")
        os._exit(9)  # as the kernel ends a process when memory is short


def test_runs_go_side_by_side_in_processes_of_their_own(runs, tmp_path):
    """Run b dies without a message, so d is blocked; c waits for its start a, which survives."""
    statuses, seen, ends = work_off(runs(c="a", d="b", a=None, b=None), act, processes=2)
    assert statuses == {"a": "made", "b": "failed", "c": "made", "d": "blocked"}
    assert "b: its process ended by itself (out of memory?)" in ends["b"].remark
    assert [what for what, name in seen if name == "a"] == ["begin", 1, 2, "made"]
    assert seen.index(("made", "a")) < seen.index(("begin", "c"))
    pids = [int((tmp_path / f"{name}.begun").read_text()) for name in "abc"]
    assert len({*pids, os.getpid()}) == 4


def dawdle(run, report):
    """Report an epoch, then run for ever."""
    from hwsim.models.compress.log import Epoch

    (run.folder / f"{run.name}.begun").write_text(str(os.getpid()))
    report(Epoch("train", 1, 0.1, 0.5, 0.9, 0.8, 1.0))
    time.sleep(600)


def test_an_interrupt_ends_what_is_under_way(runs, tmp_path):
    class Impatient(Recorder):
        def report(self, run, epoch):
            raise KeyboardInterrupt

    from hwsim.models.compress.runs import work_off

    with pytest.raises(KeyboardInterrupt):
        work_off(runs(a=None, b=None), dawdle, Impatient(), is_done=lambda run: False, processes=2)
    for path in tmp_path.glob("*.begun"):
        with pytest.raises(ProcessLookupError):
            os.kill(int(path.read_text()), 0)
