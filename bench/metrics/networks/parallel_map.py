"""Many small computations in parallel, each on one core.

PyTorch spreads every single operation over all cores and waits for the slowest one. On small tensors, this costs more
than it gains. If another program uses the machine, it costs a great deal. Some operations also round differently on
several cores, such as the bilinear resize before I3D and the matrix products of NumPy's and PyTorch's libraries.

Here, each item stays on one thread from start to end, so the number of threads changes no bit of the result. Another
processor, instruction set or PyTorch version may still change the last digits.
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
    """A pool whose threads run PyTorch's operations on one core each; `process` gives a forked child its own pool."""
    everyone = threading.Barrier(threads + 1)
    pool = ThreadPoolExecutor(threads, thread_name_prefix="metrics")

    def prepare() -> None:
        # A thread adopts the process's default at its first operation, which would undo a number set before that.
        torch.get_num_threads()
        torch.set_num_threads(1)  # for this thread only, except that it also changes the default for later threads ...
        everyone.wait()

    for _ in range(threads):
        pool.submit(prepare)
    everyone.wait()
    torch.set_num_threads(threads)  # ... which is restored
    return pool


def one_core_each(function: Callable[[Item], Result], items: Iterable[Item]) -> list[Result]:
    """`[function(item) for item in items]`, on as many threads as PyTorch is set to use, one core for each item.

    `function` may itself call `one_core_each`; those items then run one after the other on its own core.
    """
    threads = torch.get_num_threads()
    if threads == 1:
        return [function(item) for item in items]
    with _making_pool:
        pool = _pool(os.getpid(), threads)
    return list(pool.map(function, items))
