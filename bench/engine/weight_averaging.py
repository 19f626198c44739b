"""What a stage does to its weights over all of its steps: rates that fall, and an average of the weights.

Both are functions of the step alone, so that a training run that was killed continues as if it were not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

#: Learning rates as optimisers were made with them: by player, one for each group of weights.
Rates = Mapping[str, Sequence[float]]


def rate_share(step: int, steps: int, decay_from: float) -> float:
    """The share of its learning rate that a step has: 1 at first, then falling in a line to 0 after the last.

    Args:
        step: counted from 1.
        steps: of the stage.
        decay_from: share of the steps after which the rate falls; 1 for never.

    >>> [rate_share(step, 4, 0.5) for step in (1, 2, 3, 4)]
    [1.0, 1.0, 1.0, 0.5]
    """
    falling = steps * (1 - decay_from)
    return min(1.0, (steps - step + 1) / falling) if falling else 1.0


def rates_of(optimizers: Mapping[str, torch.optim.Optimizer]) -> Rates:
    """The learning rates of fresh optimisers."""
    return {player: [group["lr"] for group in optimizer.param_groups] for player, optimizer in optimizers.items()}


def set_rates(optimizers: Mapping[str, torch.optim.Optimizer], rates: Rates, share: float) -> None:
    """Give every optimiser a share of its own rates; a rate in a tensor stays in that tensor."""
    for player, optimizer in optimizers.items():
        for group, rate in zip(optimizer.param_groups, rates[player], strict=True):
            if isinstance(group["lr"], Tensor):
                group["lr"].fill_(rate * share)
            else:
                group["lr"] = rate * share


class WeightAverage:
    """An exponential moving average of a network's weights: what many small steps agree on, without their noise.

    The first steps count less, or the random weights of the start would stay in it for long: the average keeps
    min(decay, (1 + step) / (10 + step)) of itself.

    Args:
        network: whose weights are averaged; its batch-norm statistics are not.
        decay: share of the average that a step keeps, in the long run.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        self._network, self._decay = network, decay
        self.weights = [parameter.detach().clone() for parameter in network.parameters()]
        # What `weigh` sets and `take_in` reads: the share of the network's weights, where those are.
        self._share = next(iter(self.weights), torch.zeros(())).new_zeros(())

    @torch.no_grad()
    def follow(self, step: int) -> None:
        """Take in the network's weights after a step, counted from 1."""
        torch._foreach_lerp_(self.weights, list(self._network.parameters()), 1 - self._kept(step))

    def weigh(self, step: int) -> None:
        """Set how much the next `take_in` moves the average: as much as `follow` does after that step."""
        self._share.fill_(1 - self._kept(step))

    @torch.no_grad()
    def take_in(self) -> None:
        """`follow` in two halves, of which this one reads nothing but tensors: a CUDA graph can hold it."""
        for value, weight in zip(self.weights, self._network.parameters(), strict=True):
            value.lerp_(weight, self._share.to(value.dtype))

    def _kept(self, step: int) -> float:
        return min(self._decay, (1 + step) / (10 + step))

    def restore(self, weights: Sequence[Tensor]) -> None:
        """Continue from the weights of a checkpoint."""
        self._copy(weights, self.weights)

    def hand_on(self) -> None:
        """Give the network the average."""
        self._copy(self.weights, list(self._network.parameters()))

    @staticmethod
    @torch.no_grad()
    def _copy(source: Sequence[Tensor], target: Sequence[Tensor]) -> None:
        for value, place in zip(source, target, strict=True):
            place.copy_(value)
