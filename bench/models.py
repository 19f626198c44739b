"""From a registered name to a model, with the user's options checked; and batch-norm statistics estimated again."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from typing import cast

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from bench.data.clips import FRAMES
from bench.errors import BenchError, did_you_mean
from bench.interface import ModelFactory, Options, VideoModel
from bench.registry import MODELS


def result_rows(name: str) -> tuple[str, ...]:
    """The result rows that a registered model gives, in the order of a table."""
    return tuple(MODELS.load(name).rows)


def native_resolution(name: str, resolution: int) -> int:
    """The size a model works at when `resolution` is scored: the largest it exists for that is not above it."""
    sizes: tuple[int, ...] = MODELS.load(name).resolutions
    if not sizes:
        return resolution
    if resolution < sizes[0]:
        known = " and ".join(f"{size}×{size}" for size in sizes)
        raise BenchError(f"The model '{name}' exists for {known}: it cannot make {resolution}×{resolution} videos.")
    return max(size for size in sizes if size <= resolution)


def build(name: str, options: Options, resolution: int, seed: int = 0) -> VideoModel:
    """Construct a model with weights drawn from `seed`, whatever was drawn before and whichever models stand beside it.

    Args:
        name: registered name.
        options: its own constructor options.
        resolution: size that is scored; the model takes its own from it (`native_resolution`).
        seed: of the weights.

    Raises:
        BenchError: unknown model or option, or an option's value that the model refuses.
    """
    factory: ModelFactory = MODELS.load(name)
    known = set(inspect.signature(factory).parameters) - {"resolution", "frames"}
    for option in options:
        if option not in known:
            raise BenchError(f"The model '{name}' has no option '{option}'.{did_you_mean(option, known)}")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return factory(resolution=native_resolution(name, resolution), frames=FRAMES, **options)


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
