"""The processes and devices of a training run, on Lightning Fabric."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from bench.engine.network_transforms import batch_norms, channels_last, compile_networks
from bench.engine.precision import choose_precision
from bench.engine.space_to_depth import space_to_depth
from bench.errors import BenchError
from bench.interface import VideoModel

if TYPE_CHECKING:
    from lightning_fabric import Fabric

#: How long a process waits for the others: long enough for one of them to read or score the largest dataset.
PATIENCE = timedelta(hours=24)
#: The same in minutes within training, where all processes do the same work; `BENCH_STEP_TIMEOUT` overrides it.
STEP_MINUTES = 30.0
#: Key in the processes' shared store under which each process counts the sums that it has begun.
SUMS = "timelapse-bench/sums/{}"


def make_fabric(device: str = "auto", precision: str = "auto") -> Fabric:
    """Make the Fabric for this process alone, or for the processes that `torchrun` started.

    Raises:
        BenchError: CUDA is requested but missing, or there are fewer GPUs than processes; see also `choose_precision`.
    """
    # Imported here because it takes seconds and most subcommands do not need it.
    from lightning_fabric import Fabric
    from lightning_fabric.plugins.environments.lightning import LightningEnvironment
    from lightning_fabric.plugins.environments.torchelastic import TorchElasticEnvironment
    from lightning_fabric.strategies.ddp import DDPStrategy

    accelerator = pick_device(device)
    chosen = choose_precision(accelerator, precision)
    chosen.apply()
    # Only torchrun starts processes that belong together. By default, Fabric would also follow the variables of SLURM,
    # LSF and MPI, which a job sets for a single process too.
    torchrun = TorchElasticEnvironment.detect()
    sizes = (os.environ[key] if torchrun else "1" for key in ("LOCAL_WORLD_SIZE", "WORLD_SIZE"))
    local, world = map(int, sizes)
    if accelerator == "cuda" and local > torch.cuda.device_count():
        raise BenchError(
            f"{local} processes were started on this machine, which has {torch.cuda.device_count()} GPUs. Give "
            "torchrun --nproc-per-node that number, or use --device cpu."
        )
    # Used only for its processes: networks are not wrapped (see `average_gradients`).
    strategy: Any = DDPStrategy(timeout=PATIENCE) if world > 1 else "auto"
    with _without_lightnings_variables():
        fabric = Fabric(
            accelerator=accelerator,
            devices=local,
            num_nodes=world // local,
            precision=chosen.name,
            strategy=strategy,
            plugins=[TorchElasticEnvironment() if torchrun else LightningEnvironment()],
        )
        fabric.launch()
    return fabric


@contextmanager
def _without_lightnings_variables() -> Iterator[None]:
    """Hide `LT_PRECISION`, `LT_DEVICES` and similar variables, which silently override Fabric's arguments.

    They belong to Lightning's own command, and may remain set in the shells of its users.
    """
    kept = {key: os.environ.pop(key) for key in list(os.environ) if key.startswith("LT_")}
    try:
        yield
    finally:
        os.environ.update(kept)


def pick_device(device: str) -> str:
    """Resolve "auto"; raise a `BenchError` if "cuda" is requested but missing."""
    if device == "cuda" and not torch.cuda.is_available():
        raise BenchError(
            "You asked for --device cuda, but PyTorch finds no GPU: use --device cpu, or see `bench doctor`."
        )
    return ("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device


def several() -> bool:
    """Whether there are other processes."""
    return torch.distributed.is_available() and torch.distributed.is_initialized()


def prepare(network: nn.Module, fabric: Fabric, *, compiled: bool = False, fast: Collection[str] = ()) -> None:
    """Move a model to its device in the fastest form for it; in place, so that its stages change too.

    Args:
        network: the model.
        fabric: see `make_fabric`.
        compiled: compile the model's networks with `torch.compile`.
        fast: names of `bench.registry.FAST`.

    Raises:
        BenchError: these ways cannot be combined.
    """
    if "graph" in fast and (fabric.world_size > 1 or compiled):
        other, instead = (
            ("compile=true", "set compile=false") if compiled else (f"{fabric.world_size} processes", "use one process")
        )
        raise BenchError(f"fast=graph does not work with {other}: leave graph out of fast, or {instead}.")
    if (
        fabric.world_size > 1 and fabric.device.type == "cuda"
    ):  # not available on CPUs: each process has its share's statistics
        nn.SyncBatchNorm.convert_sync_batchnorm(network, _training_group())
    fabric.to_device(network)
    channels_last(network)
    speed_up(network, fast)
    if compiled:
        compile_networks(network)


def speed_up(network: nn.Module, fast: Collection[str]) -> None:
    """Enable the faster ways (`bench.registry.FAST`) that change a model's networks and stages, in place."""
    if "space-to-depth" in fast:
        space_to_depth(network)
    if fast and isinstance(network, VideoModel):
        for stage in network.stages():
            stage.speed_up(fast)


def step_minutes() -> float:
    """The minutes that a process waits for another one within training.

    Raises:
        BenchError: `BENCH_STEP_TIMEOUT` is not a number of minutes.
    """
    setting = os.environ.get("BENCH_STEP_TIMEOUT", str(STEP_MINUTES))
    try:
        minutes = float(setting)
    except ValueError:
        minutes = 0.0
    if not 0 < minutes <= PATIENCE / timedelta(minutes=1):
        raise BenchError(
            f"BENCH_STEP_TIMEOUT is {setting!r}: give minutes, at most {PATIENCE / timedelta(minutes=1):g}."
        )
    return minutes


@lru_cache(maxsize=1)
def _training_group() -> Any:
    """The group of all processes, created by all at one point; its timeout is shorter than between training runs."""
    return torch.distributed.new_group(timeout=timedelta(minutes=step_minutes()))


def _sum_over_processes(values: Tensor) -> None:
    """Sum a tensor over the processes, in place.

    Raises:
        BenchError: a process does not respond. NCCL instead ends this process and names the rank in its log.
    """
    if torch.distributed.get_backend() != "gloo":
        torch.distributed.all_reduce(values, group=_training_group())
        return
    rank, store = torch.distributed.get_rank(), torch.distributed.distributed_c10d._get_default_store()
    here = store.add(SUMS.format(rank), 1)
    try:
        torch.distributed.all_reduce(values, group=_training_group())  # a process may be missing when it is created
    except RuntimeError as error:
        others = range(torch.distributed.get_world_size())
        late = [str(other) for other in others if store.add(SUMS.format(other), 0) < here]
        if not late:
            raise  # no process is late: one has died, and torchrun ends all
        raise BenchError(
            f"Process {rank} has waited {step_minutes():g} minutes for process {' and '.join(late)}, which has "
            "stopped responding or is too slow. To resume from the last checkpoint, repeat the command; if the "
            "process is only slow, set BENCH_STEP_TIMEOUT to more minutes."
        ) from error


def average_statistics(network: nn.Module) -> None:
    """Average batch-norm statistics over the processes, because each has seen its own share only."""
    if several():
        average_over_processes(
            [s for layer in batch_norms(network) for s in (layer.running_mean, layer.running_var) if s is not None]
        )


@torch.no_grad()
def average_over_processes(tensors: Sequence[Tensor]) -> None:
    """Average tensors of one type over the processes, if there are several, in place and in one message."""
    if not several() or not tensors:
        return
    flat = torch.cat([tensor.flatten() for tensor in tensors])
    _sum_over_processes(flat)
    flat /= torch.distributed.get_world_size()
    for tensor, values in zip(tensors, flat.split([tensor.numel() for tensor in tensors]), strict=True):
        tensor.copy_(values.view(tensor.shape))


@contextmanager
def threads(count: int) -> Iterator[None]:
    """Compute with `count` threads while the block runs."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
