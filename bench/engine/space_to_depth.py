"""Strided 3D convolutions as convolutions of stride 1 over more channels, which fill a GPU's tensor cores better.

A kernel of 4 with a stride of 2, padded by 1, is a kernel of 2 with a stride of 1 over blocks of two positions along
that axis: each block's positions become channels (space to depth). A transposed convolution likewise makes blocks,
whose channels become positions (depth to space). Sums have the same terms in another order, so results differ by
rounding.

Weights keep their names, shapes and values: they are rearranged at each call.
"""

from __future__ import annotations

from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from bench.adversarial import EndsConv3d, EndsConvTranspose3d, blocks_to_channels, doubled_in_blocks, repeat_ends

#: Attribute in the body of a layer's class that names the class in `FORMS` which computes the same in training.
TRAINS_AS = "trains_as"


def space_to_depth(network: nn.Module) -> list[nn.Module]:
    """Convert a network's strided 3D convolutions to space to depth, in place; weights do not change.

    This affects only layers of the classes in `FORMS` and of classes that opt in (`TRAINS_AS`), because a subclass may
    compute something else.

    Returns:
        The layers that changed.
    """
    changed = []
    for layer in network.modules():
        form = FORMS.get(vars(type(layer)).get(TRAINS_AS, type(layer)))
        if form and _fits(layer):
            layer.__class__ = form  # same attributes, another `forward`
            changed.append(layer)
    return changed


def _fits(layer: Any) -> bool:
    """Whether a layer is strided, and each axis has kernel 4 with stride 2 or kernel 3 with stride 1, padded by 1."""
    if isinstance(layer.padding, str):
        return False
    axes = list(zip(layer.kernel_size, layer.stride, layer.padding, layer.dilation, strict=True))
    known = all(axis in ((4, 2, 1, 1), (3, 1, 1, 1)) for axis in axes)
    plain = layer.groups == 1 and layer.padding_mode == "zeros" and not any(layer.output_padding)
    return known and plain and max(layer.stride) == 2


class BlockConv3d(nn.Conv3d):
    """`nn.Conv3d` with space to depth."""

    def forward(self, x: Tensor) -> Tensor:
        """Turn `[N, C, T, H, W]` into `[N, C', T/s, H/s, W/s]`, with s the stride of each axis."""
        return _convolve(F.pad(x, (1,) * 6), self) if _divides(x, self) else super().forward(x)


class BlockEndsConv3d(EndsConv3d):
    """`EndsConv3d` with space to depth."""

    def forward(self, x: Tensor) -> Tensor:
        """Turn `[N, C, T, H, W]` into `[N, C', T/s, H/s, W/s]`, with s the stride of each axis."""
        return _convolve(F.pad(repeat_ends(x), (1,) * 4), self) if _divides(x, self) else super().forward(x)


class BlockConvTranspose3d(nn.ConvTranspose3d):
    """`nn.ConvTranspose3d` with depth to space."""

    def forward(self, x: Tensor, output_size: list[int] | None = None) -> Tensor:
        """Turn `[N, C, T, H, W]` into `[N, C', s·T, s·H, s·W]`, with s the stride of each axis."""
        return doubled_in_blocks(x, self.weight, self.bias, self.stride, (1, 1, 1))


class BlockEndsConvTranspose3d(EndsConvTranspose3d):
    """`EndsConvTranspose3d` with depth to space."""

    def forward(self, x: Tensor, output_size: list[int] | None = None) -> Tensor:
        """Turn `[N, C, T, H, W]` into `[N, C', s·T, s·H, s·W]`, with s the stride of each axis."""
        return doubled_in_blocks(repeat_ends(x), self.weight, self.bias, self.stride, (0, 1, 1))


#: The replacement for each class.
FORMS: dict[type, type] = {
    nn.Conv3d: BlockConv3d,
    EndsConv3d: BlockEndsConv3d,
    nn.ConvTranspose3d: BlockConvTranspose3d,
    EndsConvTranspose3d: BlockEndsConvTranspose3d,
}


def _divides(x: Tensor, layer: nn.Conv3d) -> bool:
    """Whether a video consists of whole blocks."""
    return all(size % stride == 0 for size, stride in zip(x.shape[2:], layer.stride, strict=True))


def _convolve(padded: Tensor, layer: nn.Conv3d) -> Tensor:
    """Apply the layer's convolution to input that is already padded."""
    # Row 2a + b of the kernel sees position b of block i + a.
    blocks = layer.stride
    return F.conv3d(blocks_to_channels(padded, blocks), blocks_to_channels(layer.weight, blocks), layer.bias)
