"""Changes to the layers of any network: memory layout, compilation, batch-norm statistics, frozen weights."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from typing import cast

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd
from torch.nn.utils.fusion import fuse_conv_bn_eval

#: Types that take part in folding. A subclass may compute something else, so it takes part only if it opts in.
CONVOLUTIONS = {nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d}
NORMS = {nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm}
#: A convolution's subclass takes part too if this attribute is True in its own body: its `forward` is a convolution
#: with `self.weight` and adds `self.bias`. It is not inherited, because a subclass may have another `forward`.
OPT_IN = "foldable"


def batch_norms(network: nn.Module) -> list[nn.modules.batchnorm._BatchNorm]:
    """The batch-norm layers of a network that keep running statistics."""
    layers = (m for m in network.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm))
    return [layer for layer in layers if layer.track_running_stats]


@contextmanager
def estimating_statistics(network: nn.Module) -> Iterator[None]:
    """Reset a network's running statistics and average them over all batches that it processes in the block.

    A moving average of the last few steps lags behind weights that still change. Evaluation needs the statistics that
    belong to the weights it uses.
    """
    layers = batch_norms(network)
    momenta = [layer.momentum for layer in layers]
    for layer in layers:
        layer.reset_running_stats()
        layer.momentum = cast(float, None)  # PyTorch's value for a cumulative average
    try:
        yield
    finally:
        for layer, momentum in zip(layers, momenta, strict=True):
            layer.momentum = momentum


@dataclass(frozen=True)
class Foldable:
    """A batch norm in evaluation mode that can be folded into the convolution before it.

    Attributes:
        chain: contains both.
        number: index of the convolution in the chain; the norm follows.
        layer: the convolution.
        norm: the batch norm.
    """

    chain: nn.Sequential
    number: int
    layer: _ConvNd
    norm: _BatchNorm

    def fold(self) -> None:
        """Replace both by one convolution; the layers themselves do not change."""
        self.chain[self.number] = fuse_conv_bn_eval(self.layer, self.norm, transpose=self.layer.transposed)
        self.chain[self.number + 1] = nn.Identity()

    def unfold(self) -> None:
        """Restore both."""
        self.chain[self.number], self.chain[self.number + 1] = self.layer, self.norm


def foldable(network: nn.Module, spared: Iterable[nn.Module] = ()) -> list[Foldable]:
    """The batch norms of a network that can be folded.

    Only norms within `nn.Sequential` qualify, because the order of the layers is known there. The list omits layers
    that may compute something other than their type does: subclasses (unless they opt in: `OPT_IN`), parametrisations
    such as spectral norm, hooks, modules in two places. It also omits norms that use the statistics of their input,
    and grouped transposed convolutions.

    This function cannot detect whether a chain is run as a whole: compare the network's output before and after.

    Args:
        network: network in evaluation mode.
        spared: networks within it that are not changed.
    """
    places = Counter(id(module) for _, module in network.named_modules(remove_duplicate=False))
    left = {id(module) for other in spared for module in other.modules()}
    found = []
    for chain in network.modules():
        if type(chain) is not nn.Sequential:
            continue
        for number, (layer, norm) in enumerate(pairwise(chain)):
            if _convolves(layer) and type(norm) in NORMS and norm.running_mean is not None:
                ours = all(places[id(one)] == 1 and id(one) not in left and _untouched(one) for one in (layer, norm))
                if ours:
                    found.append(Foldable(chain, number, cast(_ConvNd, layer), cast(_BatchNorm, norm)))
    return found


def _convolves(layer: nn.Module) -> bool:
    """Whether a layer is a convolution whose output channels are the first or second axis of its weight."""
    if not isinstance(layer, _ConvNd):
        return False
    known = type(layer) in CONVOLUTIONS or vars(type(layer)).get(OPT_IN) is True
    return known and (not layer.transposed or layer.groups == 1)  # groups share the axis of a transposed weight


def _untouched(layer: nn.Module) -> bool:
    """Whether a layer in evaluation mode computes what its class does: no hooks, and `forward` was not replaced."""
    return not (layer.training or layer._forward_hooks or layer._forward_pre_hooks or "forward" in vars(layer))


@contextmanager
def without_gradients(*networks: nn.Module) -> Iterator[None]:
    """Let gradients pass through networks without computing those of their weights."""
    parameters = [p for network in networks for p in network.parameters() if p.requires_grad]
    for parameter in parameters:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in parameters:
            parameter.requires_grad_(True)


def channels_last(network: nn.Module) -> None:
    """Store the weights of 3D convolutions channels last, so that the layers and their outputs are channels last too.

    This changes the speed but not the meaning of values: vector instructions and tensor cores work on the channels of
    one pixel.
    """
    for parameter in network.parameters():
        if parameter.ndim == 5:
            parameter.data = parameter.data.contiguous(memory_format=torch.channels_last_3d)


def compile_networks(model: nn.Module) -> None:
    """Compile a model's networks with `torch.compile`, in place; names of weights do not change."""
    for network in model.children():
        network.compile(dynamic=False)
