"""Optimisers, and one step of all players on one batch.

`bench.interface` defines what a step does to the networks. The model defines which terms a player minimises.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from bench.engine.devices import average_over_processes
from bench.engine.network_transforms import without_gradients
from bench.errors import BenchError
from bench.files import digest
from bench.interface import Player, Shared, Stage

#: State that PyTorch's optimisers keep for each parameter, in the parameter's own shape.
MOMENTS = {"exp_avg", "exp_avg_sq", "max_exp_avg_sq", "momentum_buffer"}
#: Advice for a state that cannot be restored.
ANEW = "it was written by another version of the model. Train again in another folder."


def make_optimizers(stage: Stage) -> dict[str, torch.optim.Optimizer]:
    """A stage's optimisers, by player."""
    return {player.name: player.optimizer(player.network.parameters()) for player in stage.players}


def restore_optimizers(optimizers: Mapping[str, torch.optim.Optimizer], states: Mapping[str, Any]) -> None:
    """Restore the optimisers' states from a checkpoint, with each moment in its parameter's memory layout.

    A fused Adam iterates over memory, not over indices. In an older checkpoint, networks were not channels last yet.
    Its moments would silently be paired with other weights.

    Args:
        optimizers: by player (`make_optimizers`), for networks that are on their device and in their layout.
        states: the result of `state_dict()` of each, by player.

    Raises:
        BenchError: a state is missing, or belongs to other parameters.
    """
    for player, optimizer in optimizers.items():
        try:
            optimizer.load_state_dict(states[player])
        except (KeyError, ValueError) as error:  # PyTorch's error for another number of parameters
            raise BenchError(f"The checkpoint has no optimizer state that fits the {player}: {ANEW}") from error
        parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
        for number, parameter in enumerate(parameters):
            kept = optimizer.state.get(parameter, {})
            for name in sorted(MOMENTS & kept.keys()):
                if kept[name].shape != parameter.shape:
                    raise BenchError(
                        f"The checkpoint's {name} of the {player}'s parameter {number} has the shape "
                        f"{list(kept[name].shape)}, and the parameter {list(parameter.shape)}: {ANEW}"
                    )
                if kept[name].stride() != parameter.stride():
                    kept[name] = torch.empty_like(parameter, dtype=kept[name].dtype).copy_(kept[name])


def seed_step(seed: int, stage: int, step: int, rank: int) -> None:
    """Seed every random generator by the step alone, so that a resumed run draws what an uninterrupted one drew.

    The models here draw nothing in training, but a third-party model's dropout does.
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
        stage: stage whose networks are in training mode.
        optimizers: by player (`make_optimizers`).
        clips: real clips, float `[N, 3, T, H, W]` in [-1, 1].
        autocast: context of mixed precision; none by default.
        accumulate: number of parts into which the batch is split to save memory. With 1, players share one forward
            pass. With more, each player runs its own for each part, because keeping the graphs of all parts would use
            the memory to be saved. The step equals that of the whole batch if losses are means over clips and there
            is no batch norm. Batch norms and Gram matrices see one part at a time.

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
    """Add a player's gradients on one part of the batch, and return its terms times `weight`."""
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
    """Average a network's gradients over the processes, if there are several, as one flat tensor.

    DistributedDataParallel is not used: it assumes one forward pass per backward pass, but here two players share one
    pass of the generator.
    """
    average_over_processes([parameter.grad for parameter in network.parameters() if parameter.grad is not None])
