"""Whether a network's layers compute on this machine what they compute in float64, each by itself, as it is used.

A layer is looked at where its network runs: with the shapes that it meets there, and in every way in which ours can
meet them. The float64 copy runs with gradients, which is how layers that are faster without (`mdgan.cpu_layers`) run
plainly.
"""

from __future__ import annotations

import copy
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves, tree_map_only

from bench.engine.devices import threads
from bench.engine.gradient_check import poison_memory

#: Largest block of memory that is poisoned before a layer runs, in values.
POISONED = 1 << 18
#: Frames and pixels of a side that a layer is checked on, where its network gives it more: float64 is slow.
FRAMES, SIDE = 6, 40


@dataclass(frozen=True)
class LayerCall:
    """A layer, and what it was called with.

    Attributes:
        layer: with weights of its own.
        arguments: tensors, or tuples of them.
    """

    layer: nn.Module
    arguments: tuple[Any, ...]

    @property
    def kind(self) -> tuple[str, ...]:
        """What calls of the same kernels have in common: type, settings, shapes."""
        shapes = [tuple(value.shape) for value in tree_leaves(self.arguments) if isinstance(value, Tensor)]
        return type(self.layer).__name__, self.layer.extra_repr(), str(shapes)


def record_calls(network: nn.Module, compute: Callable[[], object]) -> list[LayerCall]:
    """The calls of layers that have weights while something is computed, one of each kind."""
    calls: dict[tuple[str, ...], LayerCall] = {}

    def note(layer: nn.Module, arguments: tuple[Any, ...]) -> None:
        call = LayerCall(layer, tree_map_only(Tensor, lambda value: value.detach().clone(), arguments))
        calls.setdefault(call.kind, call)

    layers = [layer for layer in network.modules() if next(layer.parameters(recurse=False), None) is not None]
    hooks = [layer.register_forward_pre_hook(note) for layer in layers]
    try:
        compute()
    finally:
        for hook in hooks:
            hook.remove()
    return list(calls.values())


def check_layer(call: LayerCall) -> float:
    """The largest difference between what a layer makes of its input and what it makes in float64.

    Results with and without gradients, gradients of input and weights; of the whole batch with memory contiguous,
    channels last and strided, of one clip, and of an odd size where the layer takes one; on one thread and on all; each
    over memory that holds NaN.

    Returns:
        Relative to the largest value of the tensor that differs; infinite where one is not finite.
    """
    layer = copy.deepcopy(call.layer).train().requires_grad_(True)
    exact, worst = copy.deepcopy(layer).double(), 0.0
    for number, arguments in enumerate(_sizes(call.arguments)):
        try:
            right = _everything(exact, tree_map_only(Tensor, Tensor.double, arguments))
        except (RuntimeError, ValueError):  # not a size of this layer, or one value for a batch norm
            continue
        for laid_out, count in itertools.product(list(_layouts(arguments))[-1 if number else 0 :], thread_counts()):
            with threads(count):
                poison_memory(largest=POISONED)
                found = _everything(layer, laid_out)
                poison_memory(largest=POISONED)
                with torch.no_grad():
                    found.append(_joined(layer(*laid_out)))
            # Without gradients it makes what it makes with them.
            pairs = zip(found, [*right, right[0]], strict=True)
            worst = max(worst, *(difference(one, other) for one, other in pairs))
    return worst


def thread_counts() -> list[int]:
    """One thread, and as many as PyTorch uses: they take different paths through a kernel."""
    return sorted({1, torch.get_num_threads()})


def difference(found: Tensor, right: Tensor) -> float:
    """The largest difference relative to the largest value; infinite where a value is not finite."""
    if not found.isfinite().all():
        return float("inf")
    apart = float((found.double() - right.double()).abs().max())
    return apart / max(float(right.abs().max()), torch.finfo(torch.float64).tiny) if apart else 0.0


def _sizes(arguments: tuple[Any, ...]) -> Iterator[tuple[Any, ...]]:
    """The whole batch, its first clip, and an odd size along each axis of a picture or video."""
    first = arguments[0]
    if first.ndim >= 4:
        first = (first[:, :, :FRAMES] if first.ndim == 5 else first)[..., :SIDE, :SIDE]
        arguments = (first, *arguments[1:])
    yield arguments
    yield tree_map_only(Tensor, lambda value: value[:1], arguments)
    if len(arguments) == 1 and first.ndim >= 4 and first.shape[-1] > 4:
        yield (first[..., 1:, 1:] if first.ndim == 4 else first[..., : max(1, first.shape[2] - 1), 1:, 1:],)


def _layouts(arguments: tuple[Any, ...]) -> Iterator[tuple[Any, ...]]:
    """The same values, elsewhere in memory."""
    yield tree_map_only(Tensor, lambda value: value.contiguous(), arguments)
    formats = {4: torch.channels_last, 5: torch.channels_last_3d}
    if (shape := formats.get(arguments[0].ndim)) is not None:
        yield tree_map_only(Tensor, lambda value: value.contiguous(memory_format=shape), arguments)
    yield tree_map_only(Tensor, lambda value: torch.stack([value, value], -1)[..., 0], arguments)


def _everything(layer: nn.Module, arguments: tuple[Any, ...]) -> list[Tensor]:
    """A layer's results and the gradients of its input and weights, of a fixed random weighting of the results."""
    layer.zero_grad(set_to_none=True)
    inputs = tree_map_only(Tensor, lambda value: value.detach().requires_grad_(True), arguments)
    made = _joined(layer(*inputs))
    weighting = torch.rand(made.shape, generator=torch.Generator().manual_seed(0)).to(made.dtype) - 0.5
    made.backward(weighting)
    leaves = [value for value in (*tree_leaves(inputs), *layer.parameters()) if isinstance(value, Tensor)]
    return [made.detach(), *(value.grad for value in leaves if value.grad is not None)]


def _joined(results: Any) -> Tensor:
    """Results as one tensor: a recurrent cell has two."""
    leaves = tree_leaves(results)
    return leaves[0] if len(leaves) == 1 else torch.cat([value.flatten() for value in leaves])
