"""A whole training step as one CUDA graph: all players' passes and updates, and the average of the weights.

A small network leaves a GPU idle while Python starts its hundreds or thousands of operations one by one. A graph
records them once and starts them together. Everything that changes from step to step must be in a tensor with a fixed
location: the clips, the learning rates, the share of the average.

On a CPU there are no graphs. There the same code runs without being recorded, so that tests can compare it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from bench.engine.weight_averaging import WeightAverage
from bench.errors import BenchError

#: First steps, which are computed one operation at a time. They allocate what a graph must find at a fixed location,
#: such as the moments of the optimisers, and let libraries choose their kernels.
WARM_UP = 3

#: Optimisers by player.
Optimizers = Mapping[str, torch.optim.Optimizer]
#: Computes the losses of a step by term, from real clips.
Compute = Callable[[Tensor], dict[str, Tensor]]
#: The same, called with the step's number too, counted from 1; it also updates the average of the weights.
Step = Callable[[Tensor, int], dict[str, Tensor]]


def stepper(
    compute: Compute, optimizers: Optimizers, average: WeightAverage | None, device: torch.device, *, graph: bool
) -> Step:
    """Return the function that computes each training step.

    Args:
        compute: updates all players.
        optimizers: by player, in the state from which training resumes; for a graph they are made capturable.
        average: the average of their weights; None if there is none.
        device: device of the networks.
        graph: whether to run the step as one CUDA graph.

    Raises:
        BenchError: PyTorch cannot record such an optimiser.
    """
    if graph:
        make_capturable(optimizers, device)
        return StepGraph(compute, average, captures=device.type == "cuda")

    def step(clips: Tensor, number: int) -> dict[str, Tensor]:
        losses = compute(clips)
        if average:
            average.follow(number)
        return losses

    return step


def make_capturable(optimizers: Optimizers, device: torch.device) -> None:
    """Keep learning rates in tensors, and let optimisers count their steps on the device.

    Call it again after restoring the optimisers' states.

    Raises:
        BenchError: PyTorch cannot record such an optimiser.
    """
    cuda = device.type == "cuda"
    for player, optimizer in optimizers.items():
        for group in optimizer.param_groups:
            if "capturable" not in group:
                raise BenchError(
                    f"fast=graph needs optimizers that PyTorch can record, and the {player}'s "
                    f"{type(optimizer).__name__} is not one of them: use Adam, or leave out graph."
                )
            group["capturable"] = cuda
            # On a GPU, the fused kernel reads float32. On a CPU, it takes the number itself, which float64 preserves.
            group["lr"] = torch.tensor(
                float(group["lr"]), dtype=torch.float32 if cuda else torch.float64, device=device
            )


class StepGraph:
    """Computes training steps: the first few one operation at a time, the others as one CUDA graph.

    Args:
        compute: updates all players; called for each step until it is recorded.
        average: the average of their weights; None if there is none.
        captures: whether to record at all.
    """

    def __init__(self, compute: Compute, average: WeightAverage | None, *, captures: bool) -> None:
        self._compute, self._average, self._captures = compute, average, captures
        self._clips: Tensor | None = None
        self._names: tuple[str, ...] = ()
        self._losses: Tensor | None = None
        self._side: torch.cuda.Stream | None = None
        self._graph: torch.cuda.CUDAGraph | None = None
        self._taken = 0

    def __call__(self, clips: Tensor, number: int) -> dict[str, Tensor]:
        """Run step `number`, counted from 1, on real clips, and return its losses by term."""
        if self._clips is None:
            self._clips = torch.empty_like(clips)
        self._clips.copy_(clips)
        if self._average:
            self._average.weigh(number)
        if not self._captures:
            losses = self._whole()
        elif self._taken < WARM_UP:
            losses = self._warm_up()
        else:
            if self._graph is None:
                self._capture()
            assert self._graph is not None
            assert self._losses is not None
            self._graph.replay()
            losses = self._losses.clone()  # the next step overwrites them
        self._taken += 1
        return dict(zip(self._names, losses.unbind(), strict=True))

    def _whole(self) -> Tensor:
        """Run everything that a graph contains, and return the losses as one tensor."""
        assert self._clips is not None
        losses = self._compute(self._clips)
        if self._average:
            self._average.take_in()
        self._names = tuple(losses)
        return torch.stack([value.float() for value in losses.values()])

    def _warm_up(self) -> Tensor:
        """Run a step on a separate stream, as PyTorch requires before recording."""
        if self._side is None:
            self._side = torch.cuda.Stream()
        current, other = torch.cuda.current_stream(), self._side
        other.wait_stream(current)
        with torch.cuda.stream(other):
            losses = self._whole()
        current.wait_stream(other)
        losses.record_stream(current)
        return losses

    def _capture(self) -> None:
        """Record a step without computing it."""
        graph = torch.cuda.CUDAGraph()
        try:
            # Meanwhile other threads, such as the one that reads ahead, may use the device.
            with torch.cuda.graph(graph, capture_error_mode="thread_local"):
                self._losses = self._whole()
        except torch.cuda.OutOfMemoryError:
            raise
        except RuntimeError as error:
            reason = str(error).strip().partition("\n")[0]
            raise BenchError(
                f"This model's training step cannot be recorded as a CUDA graph ({reason}). A step may not wait for a "
                "value, as `.item()` does. Change the model, or leave graph out of fast."
            ) from error
        self._graph = graph
