"""Ctrl-C that waits for the end of a step."""

from __future__ import annotations

import os
import pickle
import signal
import threading

import pytest

from hwsim.system.interrupts import Interrupted, deferred, interruption, keeping


@pytest.fixture(autouse=True)
def _default_handler():
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_what_was_noted_is_raised_at_the_end(number):
    seen = []

    def work():
        with deferred() as is_interrupted:
            os.kill(os.getpid(), number)
            seen.append(is_interrupted())

    with pytest.raises(Interrupted) as caught:
        work()
    assert seen == [True]
    assert caught.value.number == number


def test_another_error_comes_first():
    def work():
        with deferred():
            os.kill(os.getpid(), signal.SIGTERM)
            raise ValueError("bad")

    with pytest.raises(ValueError, match="bad"):
        work()


def test_the_first_is_noted_and_the_second_raises():
    seen = []

    def work():
        with deferred() as is_interrupted:
            seen.append(is_interrupted())
            os.kill(os.getpid(), signal.SIGINT)
            seen.append(is_interrupted())
            os.kill(os.getpid(), signal.SIGINT)
            seen.append("not raised")

    with pytest.raises(KeyboardInterrupt):
        work()
    assert seen == [False, True]
    with pytest.raises(KeyboardInterrupt):
        os.kill(os.getpid(), signal.SIGINT)


def test_another_thread_leaves_signals_alone():
    seen = []

    def work():
        with deferred() as is_interrupted:
            seen.append((is_interrupted(), signal.getsignal(signal.SIGINT)))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [(False, signal.default_int_handler)]


def test_what_is_kept_is_found_behind_other_errors():
    def work():
        try:
            with keeping("points are in a"), keeping("epochs are in b"):
                raise Interrupted(signal.SIGTERM)
        except KeyboardInterrupt as error:
            raise SystemExit(130) from error

    with pytest.raises(SystemExit) as caught:
        work()
    assert interruption(caught.value) == (15, ["epochs are in b", "points are in a"])
    assert interruption(KeyboardInterrupt()) == (2, [])
    assert interruption(SystemExit(1)) is None


def test_an_interrupt_travels_between_processes():
    for number in (signal.SIGINT, signal.SIGTERM):
        again = pickle.loads(pickle.dumps(Interrupted(number)))
        assert (again.number, str(again)) == (number, signal.Signals(number).name)
