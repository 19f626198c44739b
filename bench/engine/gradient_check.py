"""Check a training step's gradients on a device against float64 on the CPU, over memory full of NaN.

Float32 gradients of the same step may differ by a few percent and all be right. If a ReLU's input or an L1 loss's
difference is zero except for rounding, one of them takes the other branch. A tolerance that wide hides faults.

So the checked step runs unchanged, and the float64 step takes the branches that the checked step took. What remains is
rounding, which is small. How small depends on the network: a recurrent one amplifies it. If a difference is not small,
the float64 step is repeated with weights perturbed by their rounding error. A difference that this explains is right.
"""

from __future__ import annotations

import copy
from collections import defaultdict, deque
from collections.abc import Collection, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from bench.engine.devices import speed_up
from bench.engine.network_transforms import channels_last
from bench.engine.training_step import train_step
from bench.interface import Stage, VideoModel
from bench.metrics.networks.feature_cache import full_precision

aten = torch.ops.aten
#: Operations whose derivative jumps where an argument changes its sign, and the position of that argument.
JUMPS: dict[Any, int] = {
    aten.threshold_backward.default: 1,  # ReLU
    aten.leaky_relu_backward.default: 1,
    aten.hardtanh_backward.default: 1,
    aten.sgn.default: 0,  # the absolute value
    aten.sign.default: 0,
}
StepPrecision = Literal["float32", "bf16"]
#: Largest relative rounding error of a number: half of the last binary place.
ROUNDING: dict[StepPrecision, float] = {"float32": 2.0**-24, "bf16": 2.0**-9}
#: A relative difference that is accepted without further checks. Measured in float32: at most 2e-4 for the models here
#: at width 4, and 2.4e-3 for the small model of the tests with four seeds.
TOLERANCE: dict[StepPrecision, float] = {"float32": 5e-3, "bf16": 2e-2}
#: Maximum ratio of a difference to the effect of perturbed weights: activations and gradients are rounded as well, in
#: every layer. Measured: at most 10 in float32 and 28 in bf16.
AMPLIFICATION: dict[StepPrecision, float] = {"float32": 30.0, "bf16": 100.0}
#: A gradient below this share of its network's is zero except for rounding, as for a bias before a batch norm.
NOTHING = 1e-9


@dataclass(frozen=True)
class GradientCheck:
    """The result of a check.

    Attributes:
        error: largest relative difference from float64 of a weight's gradient or a loss; infinite if one is not
            finite.
        where: that weight or loss, "player.weight" or "player/term".
        tolerance: largest `error` that is accepted.
        unstable: weights whose gradients were not bit-identical in a repetition. Empty on a GPU, which adds in no fixed
            order.
    """

    error: float
    where: str
    tolerance: float
    unstable: tuple[str, ...] = ()

    @property
    def right(self) -> bool:
        """Whether gradients are as exact as they can be, and repeatable."""
        return self.error <= self.tolerance and not self.unstable


def check_gradients(
    model: VideoModel,
    number: int,
    clips: Tensor,
    *,
    device: str = "cpu",
    precision: StepPrecision = "float32",
    repeats: int = 2,
    fast: Collection[str] = (),
) -> GradientCheck:
    """Compare all players' gradients in one training step (`training_step.train_step`) with float64 on the CPU.

    Args:
        model: float32 model on the CPU; it does not change.
        number: number of the stage, from 0.
        clips: real clips, float32 `[N, 3, T, H, W]` in [-1, 1].
        device: device on which the step is checked.
        precision: "float32" (without TF32) or "bf16", mixed as in training.
        repeats: how often the step runs, each time over memory that contains NaN.
        fast: faster ways to run the step (`bench.registry.FAST`), those that change networks or stages.
    """
    exact = copy.deepcopy(model).train()
    exact.stages()[number].begin()
    checked = copy.deepcopy(exact).to(device)
    channels_last(checked)
    speed_up(checked, fast)
    runs = []
    for _ in range(repeats):
        checked.load_state_dict(exact.state_dict())  # batch-norm statistics have changed
        poison_memory(device)
        decisions = DecisionRecorder()
        mixed = torch.autocast(torch.device(device).type, torch.bfloat16) if precision == "bf16" else None
        with full_precision(torch.device(device)):
            found = _gradients(checked.stages()[number], clips.to(device), decisions, mixed)
        runs.append((found, decisions.record))
    exact.double()
    first = runs[0][0]
    moved = [key for key in first if any(not torch.equal(found[key], first[key]) for found, _ in runs)]
    distinct = runs if moved else runs[:1]
    checks = [_compare(found, exact, number, clips, record, precision) for found, record in distinct]
    worst = max(checks, key=lambda check: check.error / check.tolerance)
    unstable = tuple(moved) if torch.device(device).type == "cpu" else ()
    return GradientCheck(worst.error, worst.where, worst.tolerance, unstable)


def _compare(
    found: Mapping[str, Tensor],
    exact: VideoModel,
    number: int,
    clips: Tensor,
    record: Mapping[Any, list[Tensor]],
    precision: StepPrecision,
) -> GradientCheck:
    """Compare gradients with those of a float64 model whose step takes the same decisions."""

    def reference(model: VideoModel) -> dict[str, Tensor]:
        return _gradients(copy.deepcopy(model).stages()[number], clips.double(), DecisionRecorder(record))

    right = reference(exact)
    errors = relative_errors(found, right)
    where = max(errors, key=lambda key: errors[key])
    tolerance = TOLERANCE[precision]
    if tolerance < errors[where] < float("inf"):
        explained = relative_errors(reference(perturbed(exact, ROUNDING[precision])), right)
        allowed = {key: max(tolerance, AMPLIFICATION[precision] * explained[key]) for key in errors}
        where = max(errors, key=lambda key: errors[key] / allowed[key])
        tolerance = allowed[where]
    return GradientCheck(errors[where], where, tolerance)


def relative_errors(found: Mapping[str, Tensor], right: Mapping[str, Tensor]) -> dict[str, float]:
    """‖found − right‖ / ‖right‖ of each gradient; infinite if it is not finite or missing.

    A gradient that is zero except for rounding is compared with all of its player's gradients, and a loss below 1
    with 1.
    """
    sizes: dict[str, float] = defaultdict(float)
    for key, value in right.items():
        sizes[key.partition(".")[0]] += float(value.square().sum())
    errors = {}
    for key in right.keys() | found.keys():
        if key not in found or key not in right or not found[key].isfinite().all():
            errors[key] = float("inf")
            continue
        player, _, weight = key.partition(".")
        size, all_of_it = float(right[key].norm()), sizes[player] ** 0.5
        scale = max(size, 1.0) if not weight else size if size > NOTHING * all_of_it else all_of_it
        difference = float((found[key].double() - right[key]).norm())
        errors[key] = difference / scale if difference else 0.0
    return errors


def perturbed(model: VideoModel, rounding: float) -> VideoModel:
    """A copy whose weights are perturbed by a random share of at most `rounding`, always the same."""
    other = copy.deepcopy(model)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for weight in other.parameters():
            places = 2 * torch.rand(weight.shape, generator=generator, dtype=weight.dtype) - 1
            weight.mul_(1 + rounding * places)
    return other


class _IdleOptimizer:
    """A placeholder for an optimiser that updates nothing, so that a step leaves only its gradients behind.

    It is not a PyTorch optimiser: the first of those imports PyTorch's compiler, which takes three seconds.
    """

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Do nothing: there are no gradients before a step."""

    def step(self) -> None:
        """Leave the weights unchanged."""


def _gradients(
    stage: Stage, clips: Tensor, decisions: DecisionRecorder, mixed: AbstractContextManager[Any] | None = None
) -> dict[str, Tensor]:
    """The gradients of a step by "player.weight", and its losses by "player/term", on the CPU."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        with decisions:
            resting: Any = {player.name: _IdleOptimizer() for player in stage.players}
            losses = train_step(stage, resting, clips, mixed)
    found = {name: value.cpu() for name, value in losses.items()}
    for player in stage.players:
        for name, weight in player.network.named_parameters():
            if weight.grad is not None:
                found[f"{player.name}.{name}"] = weight.grad.detach().cpu()
                weight.grad = None
    return found


class DecisionRecorder(TorchDispatchMode):
    """Records the decisions of a computation, or makes another computation repeat recorded decisions.

    Decisions are the branches of functions with a kink (`JUMPS`), all results that are not real numbers (comparisons,
    positions of maxima), and random numbers. Each operation has its own record, because devices differ in what else
    they call.

    Args:
        record: record of another computation to follow; None to make a new one.
    """

    def __init__(self, record: Mapping[Any, list[Tensor]] | None = None) -> None:
        super().__init__()
        self.record: dict[Any, list[Tensor]] = defaultdict(list)
        self._left = None if record is None else {func: deque(values) for func, values in record.items()}

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """Return False so that PyTorch does not import its compiler: nothing is compiled here."""
        return False

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run one operation."""
        if (place := JUMPS.get(func)) is not None:
            decided = self._settle(func, args[place])
            return func(*args[:place], decided, *args[place + 1 :], **(kwargs or {}))
        results = func(*args, **(kwargs or {}))
        if any(returned.alias_info and not returned.alias_info.is_write for returned in func._schema.returns):
            return results  # views of tensors that are settled already
        random = torch.Tag.nondeterministic_seeded in func.tags
        for result in tree_leaves(results):
            if isinstance(result, Tensor) and (random or not result.dtype.is_floating_point):
                decided = self._settle(func, result)
                if decided is not result:
                    result.copy_(decided)
        return results

    def _settle(self, func: Any, value: Tensor) -> Tensor:
        """Record a decision, or return the followed computation's decision in its place."""
        if self._left is None:
            self.record[func].append(value.detach().clone())
            return value
        if not self._left.get(func):
            raise RuntimeError(f"The float64 step decides more often than the checked one: {func}.")
        return self._left[func].popleft().to(value.device, value.dtype)


def poison_memory(device: str = "cpu", largest: int = 1 << 21) -> None:
    """Fill the memory that is allocated next with NaN, which exposes kernels that use values they have not written.

    Args:
        device: device whose memory is filled.
        largest: size of the largest blocks, in values of 4 bytes.
    """
    sizes = [1 << power for power in range(8, largest.bit_length())]
    blocks = [torch.full((size,), float("nan"), device=device) for size in sizes for _ in range(3)]
    del blocks
