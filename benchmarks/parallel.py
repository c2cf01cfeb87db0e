"""The same small work in several processes at once, started together after a warm-up."""

from __future__ import annotations

import multiprocessing
import os
import random
import time
from collections.abc import Callable
from typing import Any

from django.db import connection

WARM_UP = 30
_fork = multiprocessing.get_context("fork")


def longest(once: Callable[[], object], *, processes: int, count: int) -> float:
    """Seconds until the last of `processes` has done `once` `count` times."""
    connection.close()
    barrier, results = _fork.Barrier(processes), _fork.Queue()
    workers = [_fork.Process(target=_work, args=(once, count, barrier, results)) for _ in range(processes)]
    for worker in workers:
        worker.start()
    taken = [results.get() for _ in workers]
    for worker in workers:
        worker.join()
    return max(taken)


def _work(once: Callable[[], object], count: int, barrier: Any, results: Any) -> None:
    random.seed(os.getpid())
    for _ in range(WARM_UP):
        once()
    barrier.wait()
    start = time.perf_counter()
    for _ in range(count):
        once()
    results.put(time.perf_counter() - start)
