"""The training runs of one `bench run`, one after the other or in parallel.

On a CPU, training runs execute in parallel because one run uses few cores: its tensors are small, and a recurrent
model's are smaller. Each has its own process and a share of the cores.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Sequence
from concurrent.futures import as_completed
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from bench import progress
from bench.config import RunConfig
from bench.data.clips import Manifest
from bench.data.packed_clips import Pack, pack
from bench.data.workers import CONTEXT, fresh_processes
from bench.engine.devices import make_fabric
from bench.engine.model_factory import native_resolution
from bench.engine.train import train
from bench.runfolder import MODEL, RunFolder

if TYPE_CHECKING:
    from lightning_fabric import Fabric

#: Default maximum number of training runs in parallel: each takes one or two gigabytes of memory.
MOST = 4


def open_packs(manifest: Manifest, resolution: int) -> tuple[Pack, Pack | None]:
    """The training clips and, if there are any, the validation clips at a model's size."""
    validation = manifest.split("val")
    return (
        pack(manifest.split("train"), manifest.root, resolution),
        pack(validation, manifest.root, resolution) if validation else None,
    )


def train_one(config: RunConfig, name: str, seed: int, manifest: Manifest, folder: RunFolder, fabric: Fabric) -> Path:
    """Train one model of a run with one seed, unless it is done; returns its `model.pt`.

    A model without stages is only saved.
    """
    final = folder.checkpoint(name, seed) / MODEL
    if fabric.broadcast(final.exists()):
        return final
    packs = open_packs(manifest, native_resolution(name, config.resolution))
    return train(config, name, seed, *packs, final.parent, fabric)


def threads_each(trainings: int, jobs: int | None) -> int:
    """Number of this process's threads for each training run of a run that starts for the first time.

    A run keeps this number: results are bit-identical only with the same number, and fewer training runs remain after
    an interruption.

    Args:
        trainings: number of training runs of the run, finished or not.
        jobs: how many of them execute in parallel; by default one per thread, at most `MOST`.
    """
    available = torch.get_num_threads()
    return max(1, available // max(1, min(jobs or min(available, MOST), trainings)))


def train_in_parallel(
    config: RunConfig, unfinished: Sequence[tuple[str, int]], folder: RunFolder, jobs: int | None, threads: int
) -> None:
    """Train models on a CPU in parallel, each in a process of its own; does nothing if one process is enough.

    The processes end when this one ends, however it ends, or when the first of them fails. Their checkpoints are kept.

    Args:
        config: configuration of the run.
        unfinished: model and seed of each unfinished training run.
        folder: folder of the run.
        jobs: number of processes; by default as many as can have `threads` threads each, at most `MOST`.
        threads: number of threads of each process (`threads_each`).

    Raises:
        BenchError: a training run raised it, or a process was ended from outside.
    """
    jobs = min(jobs or min(torch.get_num_threads() // threads, MOST), len(unfinished))
    if jobs < 2:
        return
    progress.console().print(f"{len(unfinished)} training runs, {jobs} in parallel; progress is logged periodically.")
    # Nothing is ever written to this pipe. Closing it, here or by ending this process, is the signal.
    ends, open_while_wanted = CONTEXT.Pipe(duplex=False)
    fewer = "repeat the command with --jobs 1 for one at a time"
    with ends, fresh_processes(jobs, _begin, (ends, threads), fewer) as pool:
        try:
            trainings = [pool.submit(_train_in_a_process, config, name, seed, folder) for name, seed in unfinished]
            for training in as_completed(trainings):
                training.result()
        finally:
            open_while_wanted.close()


def _begin(ends: Connection, threads: int) -> None:
    """Initialise the process of a training run."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends it to all processes; the first one decides
    threading.Thread(target=_end_with, args=(ends,), daemon=True).start()
    progress.BARS = False  # they would overwrite each other
    torch.set_num_threads(threads)


def _end_with(ends: Connection) -> None:
    try:
        ends.recv()
    except EOFError:
        os._exit(1)


def _train_in_a_process(config: RunConfig, name: str, seed: int, folder: RunFolder) -> None:
    train_one(config, name, seed, Manifest.load(folder.clips), folder, make_fabric("cpu", config.precision))
