"""The processes that `torchrun` started, for what needs nothing of them but that they wait for each other."""

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
        rank: of this one, from 0.
        count: how many there are.
    """

    rank: int = 0
    count: int = 1

    def arguments(self) -> dict[str, Any]:
        """What `fill_together` has to know."""
        return {"rank": self.rank, "count": self.count, "wait": self.wait}

    def wait(self) -> None:
        """Wait for all of them."""
        if self.count > 1:
            torch.distributed.barrier()


@contextmanager
def torchrun_processes() -> Iterator[Processes]:
    """This process among those of `torchrun`, each with its own GPU where there are enough; alone without `torchrun`.

    SLURM's variables say nothing here, as in training.
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
