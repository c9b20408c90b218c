"""Clocks, and the fixing of thread counts, which has to come before torch is loaded."""

import os
import resource
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class Span:
    """How long something took."""

    seconds: float
    """On the wall clock."""
    cpu_seconds: float
    """Of all threads of this process and of its children that have ended."""


def fix_threads(threads: int) -> None:
    """Gives every numeric library `threads` threads; works only before these are imported.

    Threads that wait for work sleep: waiting in a loop, the default of OpenMP, costs the peers
    several times their time as soon as anything else runs on the machine.
    """
    for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[variable] = str(threads)
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def timed(work: Callable[[], T]) -> tuple[T, Span]:
    """Runs `work` once."""
    wall, cpu = time.perf_counter(), _cpu()
    result = work()
    return result, Span(time.perf_counter() - wall, _cpu() - cpu)


def _cpu() -> float:
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime
