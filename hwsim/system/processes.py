"""Processes that work for this one."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from multiprocessing.context import SpawnContext

__all__ = ["CONTEXT", "follow_parent"]

#: How they are started: a fork would copy the threads of numba and of the progress bar half-alive.
CONTEXT: SpawnContext = multiprocessing.get_context("spawn")


def follow_parent() -> None:
    """Make this process one that works for its parent: it leaves Ctrl-C to it, and ends with it.

    The first thing that such a process does.
    """
    # Ctrl-C reaches the whole group: the parent decides
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def follow() -> None:
        # the workers hold each other's pipes, so a killed parent leaves them waiting for ever
        parent.join()
        os._exit(1)

    threading.Thread(target=follow, daemon=True, name="follow-parent").start()
