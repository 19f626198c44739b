"""Number of parallel workers, and pools of freshly started processes."""

from __future__ import annotations

import math
import multiprocessing
import os
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing.context import BaseContext
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any

from bench.errors import BenchError

#: Start method of processes: a fork of a process with threads (torch's) can hang.
CONTEXT: BaseContext = multiprocessing.get_context("spawn")


def processors() -> int:
    """Number of processors that this process may use, at least 1.

    This is the smallest of three limits, rounded up: the processors of the machine, the affinity of the process
    (`taskset`, SLURM), and the quota of its control group (containers, Kubernetes).
    """
    cores: int | None
    if sys.version_info >= (3, 13):
        cores = os.process_cpu_count()
    elif hasattr(os, "sched_getaffinity"):
        cores = len(os.sched_getaffinity(0))
    else:
        cores = os.cpu_count()
    return max(1, math.ceil(min(cores or 1, quota())))


def quota(membership: Path = Path("/proc/self/cgroup"), mounted: Path = Path("/sys/fs/cgroup")) -> float:
    """Processor time that the control groups of this process allow, in processors; infinity if they set no limit.

    Args:
        membership: file that lists the groups of this process, one line per hierarchy.
        mounted: mount point of control groups, version 1 or 2.
    """
    try:
        lines = membership.read_text(encoding="utf-8").splitlines()
    except OSError:  # not Linux
        return math.inf
    allowed = math.inf
    for _, controllers, group in (line.split(":", 2) for line in lines):
        if controllers and "cpu" not in controllers.split(","):
            continue
        top = mounted / controllers
        own = top if ".." in group else top / group.lstrip("/")  # a group that the container cannot see
        for folder in (own, *own.parents[: len(own.parts) - len(top.parts)]):  # an outer group limits inner ones
            allowed = min(allowed, _limit(folder))
    return allowed


def _limit(group: Path) -> float:
    """Processor time that one group allows, in processors."""
    try:
        if (both := group / "cpu.max").exists():  # version 2
            most, period = both.read_text(encoding="ascii").split()
        else:
            most, period = ((group / f"cpu.cfs_{name}_us").read_text(encoding="ascii") for name in ("quota", "period"))
        return int(most) / int(period) if int(most) > 0 else math.inf  # version 1 uses -1 for no limit
    except (OSError, ValueError):  # version 2 uses "max" for no limit
        return math.inf


@contextmanager
def fresh_processes(
    count: int,
    begin: Callable[..., object] | None = None,
    arguments: tuple[Any, ...] = (),
    fewer: str = "use fewer workers",
) -> Iterator[ProcessPoolExecutor]:
    """Provide a pool of freshly started processes; work that is still waiting when the block ends is dropped.

    Args:
        count: number of processes.
        begin: function that each process calls first, with `arguments`.
        arguments: arguments of `begin`.
        fewer: advice if there is too little memory for this many processes.

    Raises:
        BenchError: a process ended before its work was done.
    """
    if getattr(multiprocessing.current_process(), "_inheriting", False):
        # This is a worker that imports a script, which requests more workers: the first process reports it.
        sys.exit(1)
    began = CONTEXT.Event()
    try:
        with ProcessPoolExecutor(count, CONTEXT, _begin, (began, begin, arguments)) as pool:
            try:
                yield pool
            finally:
                pool.shutdown(cancel_futures=True)
    except BrokenProcessPool as error:
        if not began.is_set():
            raise BenchError(
                "No worker process could be started, because each imports your script. Put the script's main part "
                'under `if __name__ == "__main__":`, so that importing it does nothing.'
            ) from error
        raise BenchError(
            "A worker process was killed, which happens when memory runs out. Free some memory, or " + fewer + "."
        ) from error


def _begin(began: Event, begin: Callable[..., object] | None, arguments: tuple[Any, ...]) -> None:
    began.set()
    if begin:
        begin(*arguments)
