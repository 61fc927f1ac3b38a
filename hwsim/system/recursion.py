"""Calls that recurse deeper than a thread's usual stack allows."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from typing import Any, TypeVar

__all__ = ["FRAMES", "deep"]

#: Frames of a deep call, and the bytes of stack for them: what is not used costs nothing.
FRAMES, _STACK = 50_000, 1 << 30

T = TypeVar("T")


def deep(call: Callable[[], T]) -> T:
    """Make a call in a thread with room for :data:`FRAMES` frames, and wait for it.

    Raises
    ------
    RecursionError
        It needs more.
    """
    done: dict[str, Any] = {}

    def run() -> None:
        try:
            done["result"] = call()
        except BaseException as error:  # whatever it is, it belongs to the caller
            done["error"] = error

    limit, stack = sys.getrecursionlimit(), threading.stack_size(_STACK)
    sys.setrecursionlimit(FRAMES)
    try:
        thread = threading.Thread(target=run, name="deep", daemon=True)
        thread.start()
        thread.join()
    finally:
        threading.stack_size(stack)
        sys.setrecursionlimit(limit)
    if "error" in done:
        raise done["error"]
    result: T = done["result"]
    return result
