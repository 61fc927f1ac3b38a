"""Calls that go deeper than Python's limit, and what they throw."""

from __future__ import annotations

import sys
import threading

import pytest

from hwsim.system.recursion import FRAMES, deep


def count(down: int) -> int:
    return 1 + count(down - 1) if down else 0


def test_a_deep_call_gives_its_result_and_leaves_the_limits_as_they_were():
    limit, stack = sys.getrecursionlimit(), threading.stack_size()
    assert deep(lambda: count(20 * limit)) == 20 * limit
    assert (sys.getrecursionlimit(), threading.stack_size()) == (limit, stack)


def test_what_it_raises_reaches_the_caller():
    with pytest.raises(RecursionError):
        deep(lambda: count(FRAMES + 1))
    with pytest.raises(ZeroDivisionError):
        deep(lambda: 1 // 0)
