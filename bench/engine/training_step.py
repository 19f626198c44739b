"""Optimisers, and one step of all players on one batch.

What a step does to the networks is `bench.interface`'s contract; which terms a player minimises is the model's affair.
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

#: What PyTorch's optimisers keep of each parameter in the parameter's own shape.
MOMENTS = {"exp_avg", "exp_avg_sq", "max_exp_avg_sq", "momentum_buffer"}
#: What to do about a state that cannot be restored.
ANEW = "it was written by another version of the model. Train again in another folder."


def make_optimizers(stage: Stage) -> dict[str, torch.optim.Optimizer]:
    """A stage's optimisers, by player."""
    return {player.name: player.optimizer(player.network.parameters()) for player in stage.players}


def restore_optimizers(optimizers: Mapping[str, torch.optim.Optimizer], states: Mapping[str, Any]) -> None:
    """Give optimisers their states of a checkpoint, each moment laid out in memory as its parameter is.

    A fused Adam walks through memory and not through indices. The moments of an older checkpoint, whose networks were
    not channels last yet, would be paired with other weights in silence.

    Args:
        optimizers: by player (`make_optimizers`), of networks that are on their device and in their layout.
        states: what `state_dict()` of each returned, by player.

    Raises:
        BenchError: a state is missing, or of other parameters.
    """
    for player, optimizer in optimizers.items():
        try:
            optimizer.load_state_dict(states[player])
        except (KeyError, ValueError) as error:  # torch's for another number of parameters
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
