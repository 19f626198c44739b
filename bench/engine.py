"""What a training runs on: processes and devices, optimisers, and one step of all players on one batch.

Lightning Fabric brings the processes, the device and mixed precision. What a step does to the networks is
`bench.interface`'s contract; which terms a player minimises is the model's affair.
"""

from __future__ import annotations

import os
import random
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from bench.errors import BenchError
from bench.files import digest
from bench.interface import Player, Shared, Stage
from bench.models import batch_norms, without_gradients

if TYPE_CHECKING:
    from lightning.fabric import Fabric

#: How long a process waits for the others: as long as it takes one of them to read or score the largest data set.
PATIENCE = timedelta(hours=24)


def make_fabric(device: str = "auto", precision: str = "auto") -> Fabric:
    """Fabric for the processes that there are: one, or those that `torchrun` started.

    Raises:
        BenchError: CUDA is asked for and there is none, or fewer GPUs than processes.
    """
    # Here and not above: it takes seconds to import, and most verbs need none.
    from lightning.fabric import Fabric
    from lightning.fabric.strategies.ddp import DDPStrategy

    accelerator = pick_device(device)
    if precision == "auto":
        precision = "bf16-mixed" if accelerator == "cuda" and torch.cuda.is_bf16_supported() else "32-true"
    local, world = (int(os.environ.get(key, "1")) for key in ("LOCAL_WORLD_SIZE", "WORLD_SIZE"))
    if accelerator == "cuda" and local > torch.cuda.device_count():
        raise BenchError(
            f"{local} processes are started on this machine, which has {torch.cuda.device_count()} GPUs: "
            "give torchrun --nproc-per-node that number, or use --device cpu."
        )
    # Only for its processes: networks are not wrapped (see `average_gradients`).
    strategy: Any = DDPStrategy(timeout=PATIENCE) if world > 1 else "auto"
    fabric = Fabric(
        accelerator=accelerator,
        devices=local,
        num_nodes=world // local,
        precision=precision,  # type: ignore[arg-type]
        strategy=strategy,
    )
    fabric.launch()
    return fabric


def pick_device(device: str) -> str:
    """Resolve "auto"; a `BenchError` where "cuda" is asked for and there is none."""
    if device == "cuda" and not torch.cuda.is_available():
        raise BenchError(
            "The device cuda is asked for but PyTorch finds none: use --device cpu, or see `bench doctor`."
        )
    return ("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device


def several() -> bool:
    """Whether there is more than this process."""
    return torch.distributed.is_available() and torch.distributed.is_initialized()


def channels_last(network: nn.Module) -> None:
    """Lay the weights of 3D convolutions out so that they, and the maps they make, run channels last.

    It changes speed and no value's meaning: vector instructions and tensor cores work on the channels of one pixel.
    """
    for parameter in network.parameters():
        if parameter.ndim == 5:
            parameter.data = parameter.data.contiguous(memory_format=torch.channels_last_3d)


def prepare(network: nn.Module, fabric: Fabric, *, compiled: bool = False) -> None:
    """Bring a model to its device, as fast as that device runs it; in place, so that its stages see it too.

    Args:
        network: the model.
        fabric: see `make_fabric`.
        compiled: let `torch.compile` have the networks that the model holds.
    """
    if (
        fabric.world_size > 1 and fabric.device.type == "cuda"
    ):  # there is none for CPUs: each has its share's statistics
        nn.SyncBatchNorm.convert_sync_batchnorm(network)
    fabric.to_device(network)
    channels_last(network)
    if compiled:
        compile_networks(network)


def compile_networks(model: nn.Module) -> None:
    """Let `torch.compile` have the networks that a model holds, in place; names of weights do not change."""
    for network in model.children():
        network.compile(dynamic=False)


def make_optimizers(stage: Stage) -> dict[str, torch.optim.Optimizer]:
    """A stage's optimisers, by player."""
    return {player.name: player.optimizer(player.network.parameters()) for player in stage.players}


def seed_step(seed: int, stage: int, step: int, rank: int) -> None:
    """Set every random generator by the step alone, so that a resumed training draws what an undisturbed one drew.

    The models here draw nothing while they train; somebody's dropout does.
    """
    number = int(digest([seed, stage, step, rank])[:8], 16)
    random.seed(number)
    np.random.seed(number)
    torch.manual_seed(number)


def train_step(
    stage: Stage,
    optimizers: Mapping[str, torch.optim.Optimizer],
    clips: Tensor,
    autocast: AbstractContextManager[Any] | None = None,
    accumulate: int = 1,
) -> dict[str, Tensor]:
    """One step of every player on one batch.

    Args:
        stage: whose networks are in training mode.
        optimizers: by player (`make_optimizers`).
        clips: real clips, float `[N, 3, T, H, W]` in [-1, 1].
        autocast: context of mixed precision; none by default.
        accumulate: work through the batch in so many parts, to fit into less memory. With 1, players share one
            forward pass. With more, each makes its own for each part: kept graphs of all parts would take the memory
            that this is to save. The step is the whole batch's where losses are means over clips and there is no batch
            norm; batch norms and Gram matrices see a part at a time.

    Returns:
        Every player's terms as detached scalars, named `player/term`.
    """
    autocast = autocast or nullcontext()
    losses: dict[str, Tensor] = {}
    parts = clips.chunk(accumulate)
    shared: Shared | None = None
    if accumulate == 1:
        with autocast:
            shared = stage.forward(clips)
    for player in stage.players:
        optimizer = optimizers[player.name]
        optimizer.zero_grad(set_to_none=True)
        for part in parts:
            terms = _backward(stage, player, shared, part, autocast, len(part) / len(clips))
            for term, value in terms.items():
                name = f"{player.name}/{term}"
                losses[name] = losses[name] + value if name in losses else value
        average_gradients(player.network)
        optimizer.step()
    return losses


def _backward(
    stage: Stage,
    player: Player,
    shared: Shared | None,
    clips: Tensor,
    autocast: AbstractContextManager[Any],
    weight: float,
) -> dict[str, Tensor]:
    """Add a player's gradients on one part of the batch; returns its terms, times `weight`."""
    if shared is None:
        others = [other.network for other in stage.players if other is not player]
        with without_gradients(*others), autocast:
            shared = stage.forward(clips)
    with without_gradients(*player.frozen):
        with autocast:
            terms = player.loss(shared)
        total = torch.stack([term.float() for term in terms.values()]).sum()
        (total * weight).backward()
    return {term: value.detach() * weight for term, value in terms.items()}


def average_gradients(network: nn.Module) -> None:
    """Average a network's gradients over the processes, where there are several, as one flat tensor.

    Not DistributedDataParallel: its bookkeeping takes one forward pass for each backward pass, and here two players
    share one pass of the generator.
    """
    average_over_processes([parameter.grad for parameter in network.parameters() if parameter.grad is not None])


def average_statistics(network: nn.Module) -> None:
    """Average batch-norm statistics over the processes, where there are several: each has seen its own share."""
    if several():
        average_over_processes(
            [s for layer in batch_norms(network) for s in (layer.running_mean, layer.running_var) if s is not None]
        )


@torch.no_grad()
def average_over_processes(tensors: Sequence[Tensor]) -> None:
    """Average tensors of one type over the processes, where there are several, in place and in one message."""
    if not several() or not tensors:
        return
    flat = torch.cat([tensor.flatten() for tensor in tensors])
    torch.distributed.all_reduce(flat)
    flat /= torch.distributed.get_world_size()
    for tensor, values in zip(tensors, flat.split([tensor.numel() for tensor in tensors]), strict=True):
        tensor.copy_(values.view(tensor.shape))
