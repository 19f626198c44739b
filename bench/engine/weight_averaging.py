"""Decay of the learning rates and a moving average of the weights over a stage's steps.

Both are functions of the step alone, so that a killed training run resumes as if it had never stopped.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

#: Initial learning rates of the optimisers: by player, one per parameter group.
Rates = Mapping[str, Sequence[float]]


def rate_share(step: int, steps: int, decay_from: float) -> float:
    """The share of the learning rate at a step: 1 at first, then falling linearly to 0 after the last step.

    Args:
        step: counted from 1.
        steps: number of steps of the stage.
        decay_from: share of the steps after which the rate falls; 1 for never.

    >>> [rate_share(step, 4, 0.5) for step in (1, 2, 3, 4)]
    [1.0, 1.0, 1.0, 0.5]
    """
    falling = steps * (1 - decay_from)
    return min(1.0, (steps - step + 1) / falling) if falling else 1.0


def rates_of(optimizers: Mapping[str, torch.optim.Optimizer]) -> Rates:
    """The learning rates of new optimisers."""
    return {player: [group["lr"] for group in optimizer.param_groups] for player, optimizer in optimizers.items()}


def set_rates(optimizers: Mapping[str, torch.optim.Optimizer], rates: Rates, share: float) -> None:
    """Set each optimiser to a share of its own rates; a rate in a tensor is changed in place."""
    for player, optimizer in optimizers.items():
        for group, rate in zip(optimizer.param_groups, rates[player], strict=True):
            if isinstance(group["lr"], Tensor):
                group["lr"].fill_(rate * share)
            else:
                group["lr"] = rate * share


class WeightAverage:
    """An exponential moving average of a network's weights, which suppresses the noise of single steps.

    A step keeps min(decay, (1 + step) / (10 + step)) of the average. It keeps less at first; otherwise the random
    initial weights would remain in the average for long.

    Args:
        network: network whose weights are averaged; its batch-norm statistics are not.
        decay: share of the average that a step keeps in the long run.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        self._network, self._decay = network, decay
        self.weights = [parameter.detach().clone() for parameter in network.parameters()]
        # The share of the network's weights, on their device: `weigh` sets it and `take_in` reads it.
        self._share = next(iter(self.weights), torch.zeros(())).new_zeros(())

    @torch.no_grad()
    def follow(self, step: int) -> None:
        """Update the average with the network's weights after a step, counted from 1."""
        torch._foreach_lerp_(self.weights, list(self._network.parameters()), 1 - self._kept(step))

    def weigh(self, step: int) -> None:
        """Set how much the next `take_in` changes the average: as much as `follow` does after that step."""
        self._share.fill_(1 - self._kept(step))

    @torch.no_grad()
    def take_in(self) -> None:
        """Run the second half of `follow`, which reads only tensors, so that a CUDA graph can record it."""
        for value, weight in zip(self.weights, self._network.parameters(), strict=True):
            value.lerp_(weight, self._share.to(value.dtype))

    def _kept(self, step: int) -> float:
        return min(self._decay, (1 + step) / (10 + step))

    def restore(self, weights: Sequence[Tensor]) -> None:
        """Restore the averaged weights from a checkpoint."""
        self._copy(weights, self.weights)

    def hand_on(self) -> None:
        """Copy the average into the network."""
        self._copy(self.weights, list(self._network.parameters()))

    @staticmethod
    @torch.no_grad()
    def _copy(source: Sequence[Tensor], target: Sequence[Tensor]) -> None:
        for value, place in zip(source, target, strict=True):
            place.copy_(value)
