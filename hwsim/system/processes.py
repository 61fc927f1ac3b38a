"""Worker processes, whose parent alone decides when they end."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing.context import SpawnContext, SpawnProcess

from hwsim.errors import InputError
from hwsim.system.descendants import end_descendants

__all__ = ["WORKERS", "Worker", "end_with_parent", "pool"]

#: Seconds between two looks for a parent.
_LOOK = 1.0


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
def pool(jobs: int, command: str) -> Iterator[ProcessPoolExecutor]:
    """``jobs`` workers; after an error what has not begun is dropped.

    Where the parent is interrupted, its workers are ended.

    Parameters
    ----------
    command
        Whose workers they are, for its error.

    Raises
    ------
    InputError
        A worker ended by itself.
    """
    with ProcessPoolExecutor(jobs, mp_context=WORKERS) as workers:
        try:
            yield workers
        except BrokenProcessPool as error:
            rule = "a process ended by itself (out of memory?); the same command goes on from here"
            raise InputError(command, "jobs", None, rule) from error
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt):
                end_descendants()
            workers.shutdown(wait=False, cancel_futures=True)
            raise


def end_with_parent() -> None:
    """End this process, started as a program, once its parent has ended, however that ended."""
    parent = os.getppid()

    def follow() -> None:
        while os.getppid() == parent:
            time.sleep(_LOOK)
        os._exit(1)

    threading.Thread(target=follow, daemon=True, name="follow-parent").start()


def _follow_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    # workers hold each other's pipes, so without this a killed parent leaves them waiting for ever
    parent.join()
    end_descendants()
    os._exit(1)
