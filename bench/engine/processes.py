"""The processes that `torchrun` started, for work in which they only need to wait for each other."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch

from bench.engine.devices import PATIENCE


@dataclass(frozen=True)
class Processes:
    """This process among others.

    Attributes:
        rank: rank of this process, from 0.
        count: number of processes.
    """

    rank: int = 0
    count: int = 1

    def arguments(self) -> dict[str, Any]:
        """Keyword arguments for `fill_together`."""
        return {"rank": self.rank, "count": self.count, "wait": self.wait}

    def wait(self) -> None:
        """Wait for all processes."""
        if self.count > 1:
            torch.distributed.barrier()


@contextmanager
def torchrun_processes() -> Iterator[Processes]:
    """Yield this process among those of `torchrun`, or on its own without `torchrun`.

    Each process has its own GPU if there are enough. SLURM's variables are ignored, as in training.
    """
    count = int(os.environ.get("WORLD_SIZE", "1")) if "TORCHELASTIC_RUN_ID" in os.environ else 1
    if count == 1 or torch.distributed.is_initialized():
        yield Processes()
        return
    if torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]) % torch.cuda.device_count())
    torch.distributed.init_process_group("gloo", timeout=PATIENCE)
    try:
        yield Processes(torch.distributed.get_rank(), count)
    finally:
        torch.distributed.destroy_process_group()
