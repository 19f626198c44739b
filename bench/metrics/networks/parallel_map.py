"""Many small computations in parallel, each on one core.

PyTorch spreads every single operation over all cores and waits for the slowest one. That costs more than it gains on
small tensors, and a great deal where another program uses the machine. Some operations also round differently there:
the bilinear resize in front of I3D is one, the matrix products of NumPy's and PyTorch's libraries are others.

Here each piece of work stays on one thread from end to end, so the number of threads changes no bit of it. Another
processor, another instruction set or another version of PyTorch may still change the last digits.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import TypeVar

import torch

Item = TypeVar("Item")
Result = TypeVar("Result")


_making_pool = threading.Lock()


@lru_cache(maxsize=1)
def _pool(process: int, threads: int) -> ThreadPoolExecutor:
    """A pool whose threads run PyTorch's operations on one core each; `process` keeps a forked child off ours."""
    everyone = threading.Barrier(threads + 1)
    pool = ThreadPoolExecutor(threads, thread_name_prefix="metrics")

    def prepare() -> None:
        # A thread takes the process's default over at its first operation, which would undo a number set before that.
        torch.get_num_threads()
        torch.set_num_threads(1)  # of this thread only, apart from the default of threads that are started later ...
        everyone.wait()

    for _ in range(threads):
        pool.submit(prepare)
    everyone.wait()
    torch.set_num_threads(threads)  # ... which is put back
    return pool


def one_core_each(function: Callable[[Item], Result], items: Iterable[Item]) -> list[Result]:
    """`[function(item) for item in items]`, on as many threads as PyTorch is set to use, one core for each item.

    A function that is called here may call `one_core_each` itself: its items then run in turn on its own core.
    """
    threads = torch.get_num_threads()
    if threads == 1:
        return [function(item) for item in items]
    with _making_pool:
        pool = _pool(os.getpid(), threads)
    return list(pool.map(function, items))
