"""What is done to layers of any network: memory layout, compilation, batch-norm statistics, frozen weights."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from typing import TYPE_CHECKING, cast

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

if TYPE_CHECKING:
    pass


def batch_norms(network: nn.Module) -> list[nn.modules.batchnorm._BatchNorm]:
    """The batch-norm layers of a network that keep running statistics."""
    layers = (m for m in network.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm))
    return [layer for layer in layers if layer.track_running_stats]


@contextmanager
def estimating_statistics(network: nn.Module) -> Iterator[None]:
    """Forget a network's running statistics and average them anew over all batches that it sees in the block.

    A moving average of the last few steps lags behind weights that still move; evaluation wants the statistics that
    belong to the weights it uses.
    """
    layers = batch_norms(network)
    momenta = [layer.momentum for layer in layers]
    for layer in layers:
        layer.reset_running_stats()
        layer.momentum = cast(float, None)  # PyTorch's own sign for a cumulative average
    try:
        yield
    finally:
        for layer, momentum in zip(layers, momenta, strict=True):
            layer.momentum = momentum


def folded(network: nn.Module) -> nn.Module:
    """Work the batch norms of a network in evaluation mode into the convolutions before them, in place.

    The same function of its input (to float32 rounding) in fewer passes over memory. Only within `nn.Sequential`, where
    what follows what is known; norms that use the statistics of their input stay.
    """
    for chain in [module for module in network.modules() if isinstance(module, nn.Sequential)]:
        for number, (layer, norm) in enumerate(pairwise(list(chain)), start=1):
            if not isinstance(layer, nn.modules.conv._ConvNd) or not isinstance(norm, nn.modules.batchnorm._BatchNorm):
                continue
            if norm.running_mean is not None and not norm.training:
                chain[number - 1] = fuse_conv_bn_eval(layer, norm, transpose=layer.transposed)
                chain[number] = nn.Identity()
    return network


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
    """Lay the weights of 3D convolutions out so that they, and the maps they make, run channels last.

    It changes speed and no value's meaning: vector instructions and tensor cores work on the channels of one pixel.
    """
    for parameter in network.parameters():
        if parameter.ndim == 5:
            parameter.data = parameter.data.contiguous(memory_format=torch.channels_last_3d)


def compile_networks(model: nn.Module) -> None:
    """Let `torch.compile` have the networks that a model holds, in place; names of weights do not change."""
    for network in model.children():
        network.compile(dynamic=False)
