"""Worker processes, whose parent alone decides when they end."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing.context import SpawnContext, SpawnProcess

__all__ = ["WORKERS", "Worker", "pool"]


class Worker(SpawnProcess):
    """A process that ignores SIGINT and exits when its parent does, however the parent ends."""

    def run(self) -> None:
        """Set the process up, then call its target."""
        # Ctrl-C reaches the whole process group: the parent decides what becomes of the work
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        threading.Thread(target=_follow_parent, daemon=True, name="follow-parent").start()
        super().run()


class _WorkerContext(SpawnContext):
    Process = Worker


#: Starts every worker, alone (``WORKERS.Process``) or in a pool (``mp_context=WORKERS``). Workers
#: are spawned: a fork would copy the threads of numba and of the progress bar half-alive.
WORKERS = _WorkerContext()


@contextmanager
def pool(jobs: int) -> Iterator[ProcessPoolExecutor]:
    """``jobs`` workers; after an error what has not begun is dropped."""
    with ProcessPoolExecutor(jobs, mp_context=WORKERS) as workers:
        try:
            yield workers
        except BaseException:
            workers.shutdown(wait=False, cancel_futures=True)
            raise


def _follow_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    # workers hold each other's pipes, so without this a killed parent leaves them waiting for ever
    parent.join()
    os._exit(1)
