"""Checks of a network's single layers on this machine against float64, with each layer used as in its network.

A layer is checked with the shapes that it receives in its network, under all conditions in which our code can call it.
The float64 copy runs with gradients. Layers with a faster form without gradients (`mdgan.cpu_layers`) then use their
ordinary form.
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
#: Maximum frames and pixels per side on which a layer is checked, because float64 is slow.
FRAMES, SIDE = 6, 40


@dataclass(frozen=True)
class LayerCall:
    """A layer and the arguments of its call.

    Attributes:
        layer: layer that has weights of its own.
        arguments: tensors, or tuples of them.
    """

    layer: nn.Module
    arguments: tuple[Any, ...]

    @property
    def kind(self) -> tuple[str, ...]:
        """Properties shared by calls of the same kernels: type, settings, shapes."""
        shapes = [tuple(value.shape) for value in tree_leaves(self.arguments) if isinstance(value, Tensor)]
        return type(self.layer).__name__, self.layer.extra_repr(), str(shapes)


def record_calls(network: nn.Module, compute: Callable[[], object]) -> list[LayerCall]:
    """The calls of layers with weights during a computation, one of each kind."""
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
    """The largest difference between a layer's results and its results in float64.

    The check compares results with and without gradients, and the gradients of input and weights. Inputs are the whole
    batch (contiguous, channels last and strided), one clip, and an odd size if the layer accepts one. Each runs on one
    thread and on all threads, over memory that contains NaN.

    Returns:
        Difference relative to the largest value of the tensor that differs; infinite if a value is not finite.
    """
    layer = copy.deepcopy(call.layer).train().requires_grad_(True)
    exact, worst = copy.deepcopy(layer).double(), 0.0
    for number, arguments in enumerate(_sizes(call.arguments)):
        try:
            right = _everything(exact, tree_map_only(Tensor, Tensor.double, arguments))
        except (RuntimeError, ValueError):  # the layer rejects this size, or a batch norm gets one value
            continue
        for laid_out, count in itertools.product(list(_layouts(arguments))[-1 if number else 0 :], thread_counts()):
            with threads(count):
                poison_memory(largest=POISONED)
                found = _everything(layer, laid_out)
                poison_memory(largest=POISONED)
                with torch.no_grad():
                    found.append(_joined(layer(*laid_out)))
            # Results without gradients must equal those with gradients.
            pairs = zip(found, [*right, right[0]], strict=True)
            worst = max(worst, *(difference(one, other) for one, other in pairs))
    return worst


def thread_counts() -> list[int]:
    """One thread and the number that PyTorch uses, which take different paths through a kernel."""
    return sorted({1, torch.get_num_threads()})


def difference(found: Tensor, right: Tensor) -> float:
    """The largest difference relative to the largest value; infinite if a value is not finite."""
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
    """The same values in different memory layouts."""
    yield tree_map_only(Tensor, lambda value: value.contiguous(), arguments)
    formats = {4: torch.channels_last, 5: torch.channels_last_3d}
    if (shape := formats.get(arguments[0].ndim)) is not None:
        yield tree_map_only(Tensor, lambda value: value.contiguous(memory_format=shape), arguments)
    yield tree_map_only(Tensor, lambda value: torch.stack([value, value], -1)[..., 0], arguments)


def _everything(layer: nn.Module, arguments: tuple[Any, ...]) -> list[Tensor]:
    """A layer's results, and the gradients of its input and weights for a fixed random weighting of the results."""
    layer.zero_grad(set_to_none=True)
    inputs = tree_map_only(Tensor, lambda value: value.detach().requires_grad_(True), arguments)
    made = _joined(layer(*inputs))
    weighting = torch.rand(made.shape, generator=torch.Generator().manual_seed(0)).to(made.dtype) - 0.5
    made.backward(weighting)
    leaves = [value for value in (*tree_leaves(inputs), *layer.parameters()) if isinstance(value, Tensor)]
    return [made.detach(), *(value.grad for value in leaves if value.grad is not None)]


def _joined(results: Any) -> Tensor:
    """Results as one tensor; a recurrent cell returns two."""
    leaves = tree_leaves(results)
    return leaves[0] if len(leaves) == 1 else torch.cat([value.flatten() for value in leaves])
