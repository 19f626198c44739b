"""Faster ways to compute some layers of MD-GAN's generators, with the weights and the results of PyTorch's own layers.

The architecture is in `mdgan.networks`. The classes here replace convolutions for which oneDNN is slow on a CPU.
`over_still` saves work on every device.
"""

from __future__ import annotations

import itertools
from typing import ClassVar, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bench.adversarial import (
    EndsConv3d,
    EndsConvTranspose3d,
    inference_on_cpu,
    padded_in_time,
    repeat_ends,
    to_pixels,
)


class WholeConv3d(nn.Conv3d):
    """A convolution whose kernel covers its whole input.

    It runs as a matrix product. oneDNN does not detect this case.
    """

    foldable: ClassVar = True

    def forward(self, x: Tensor) -> Tensor:
        """Turn `[N, C, t, h, w]`, the kernel's size, into `[N, C', 1, 1, 1]`."""
        y = F.linear(_pixels_first(x).flatten(1), _pixels_first(self.weight).flatten(1), self.bias)
        return y[:, :, None, None, None]


class WholeConvTranspose3d(nn.ConvTranspose3d):
    """A transposed convolution of one value per channel, which also runs as a matrix product."""

    foldable: ClassVar = True

    def forward(self, x: Tensor, output_size: list[int] | None = None) -> Tensor:
        """Turn `[N, C, 1, 1, 1]` into `[N, C', t, h, w]`, the kernel's size."""
        weight = _pixels_first(self.weight)  # [C, t, h, w, C']
        y = (x.flatten(1) @ weight.flatten(1)).unflatten(1, weight.shape[1:]).permute(0, 4, 1, 2, 3)
        return y if self.bias is None else y + self.bias[:, None, None, None]


class DeepConv3d(nn.Conv3d):
    """The last strided convolution: many channels, few positions.

    On a CPU and without gradients it runs as a matrix product. oneDNN would reorder its weights on every call (34 MB
    at width 32), which takes several times as long as the convolution itself.
    """

    foldable: ClassVar = True
    trains_as: ClassVar = nn.Conv3d

    def forward(self, x: Tensor) -> Tensor:
        """Turn `[N, C, 2t, 2h, 2w]` into `[N, C', t, h, w]`."""
        return _halved(F.pad(x, (1,) * 6), self.weight, self.bias) if inference_on_cpu(x) else super().forward(x)


class DeepEndsConv3d(EndsConv3d):
    """`DeepConv3d` with the first and the last frame repeated in place of zeros."""

    foldable: ClassVar = True
    trains_as: ClassVar = EndsConv3d

    def forward(self, x: Tensor) -> Tensor:
        """Turn `[N, C, 2t, 2h, 2w]` into `[N, C', t, h, w]`."""
        if not inference_on_cpu(x):
            return super().forward(x)
        return _halved(F.pad(repeat_ends(x), (1, 1, 1, 1)), self.weight, self.bias)


class DeepConvTranspose3d(nn.ConvTranspose3d):
    """The first strided transposed convolution.

    On a CPU and without gradients it also runs as a matrix product, whose overlapping results are added.
    """

    foldable: ClassVar = True
    trains_as: ClassVar = nn.ConvTranspose3d

    def forward(self, x: Tensor, output_size: list[int] | None = None) -> Tensor:
        """Turn `[N, C, t, h, w]` into `[N, C', 2t, 2h, 2w]`."""
        return _doubled(x, self.weight, self.bias)[:, :, 1:-1] if inference_on_cpu(x) else super().forward(x)


class DeepEndsConvTranspose3d(EndsConvTranspose3d):
    """`DeepConvTranspose3d` with the first and the last frame repeated in place of zeros."""

    foldable: ClassVar = True
    trains_as: ClassVar = EndsConvTranspose3d

    def forward(self, x: Tensor, output_size: list[int] | None = None) -> Tensor:
        """Turn `[N, C, t, h, w]` into `[N, C', 2t, 2h, 2w]`."""
        if not inference_on_cpu(x):
            return super().forward(x)
        return _doubled(repeat_ends(x), self.weight, self.bias)[:, :, 3:-3]  # without what only the added frames make


class Convolutions(NamedTuple):
    """Classes of a generator's layers: `conv` and `deconv` in general, the others for the layers of these names."""

    conv: type[nn.Conv3d]
    deconv: type[nn.ConvTranspose3d]
    conv5: type[nn.Conv3d]
    conv6: type[nn.Conv3d]
    deconv1: type[nn.ConvTranspose3d]
    deconv2: type[nn.ConvTranspose3d]
    last: type[nn.ConvTranspose3d]


def generator_convolutions(time_padding: str) -> Convolutions:
    """Choose the classes of a generator's layers for a padding in time.

    Raises:
        BenchError: `time_padding` is not one of `bench.adversarial.PADDINGS`.
    """
    conv, deconv = padded_in_time(time_padding)
    whole = WholeConv3d, WholeConvTranspose3d
    if conv is EndsConv3d:
        return Convolutions(conv, deconv, DeepEndsConv3d, *whole, DeepEndsConvTranspose3d, to_pixels(time_padding))
    return Convolutions(conv, deconv, DeepConv3d, *whole, DeepConvTranspose3d, to_pixels(time_padding))


def over_still(convolution: nn.Module, video: Tensor, frames: int) -> Tensor:
    """Convolve a video whose frames are all equal, except the first and the last, at the cost of a short one.

    A repeated image is such a video, and stays one through these convolutions: with zeros beyond both ends, only the
    first and the last result differ from the others. So this computes three results and repeats the middle one.

    Args:
        convolution: with kernel 3 and stride 1 in time, or kernel 4 and stride 2; padded by 1.
        video: `[N, C, 1, H, W]`, an image that represents `frames` copies of itself, or `[N, C, T, H, W]`, T ≥ 6.
        frames: length of the video that an image represents.

    Returns:
        The convolution of the whole video.
    """
    assert isinstance(convolution, nn.Conv3d)
    length = frames if video.shape[2] == 1 else video.shape[2]
    stride = convolution.stride[0]
    if isinstance(convolution, EndsConv3d):  # the ends are not special: all results are equal
        one = convolution(video[:, :, :1].expand(-1, -1, stride, -1, -1))
        return torch.cat([one] * (length // stride), 2)  # not a view: activations write in place
    if video.shape[2] == 1:
        ends = video.expand(-1, -1, 3 * stride, -1, -1)
    else:  # with a stride of 2, the three results of six frames see the first, neither, and the last of them
        ends = torch.cat([video[:, :, :5], video[:, :, -1:]], 2)
    first, middle, last = convolution(ends).split(1, 2)
    return torch.cat([first, middle.expand(-1, -1, length // stride - 2, -1, -1), last], 2)


def _halved(padded: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """Convolve input that is already padded, with kernel 4 and stride 2."""
    seen = _pixels_first(padded).unfold(1, 4, 2).unfold(2, 4, 2).unfold(3, 4, 2)  # [N, t, h, w, C, 4, 4, 4]
    seen = seen.permute(0, 1, 2, 3, 5, 6, 7, 4).flatten(4)
    return F.linear(seen, _pixels_first(weight).flatten(1), bias).permute(0, 4, 1, 2, 3)


def _doubled(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """Apply a transposed convolution with kernel 4 and stride 2, cropped by 1 in height and width but not in time."""
    # Row 2a + b of the kernel contributes to position 2(i + a) + b of the result: two overlapping rows on each axis.
    made = _pixels_first(x) @ _pixels_first(weight).flatten(1)
    made = made.unflatten(4, (2, 2, 2, 2, 2, 2, -1)).permute(0, 4, 6, 8, 1, 5, 2, 7, 3, 9, 10)
    n, (t, h, w), channels = len(x), x.shape[2:], made.shape[-1]
    y = made.new_zeros(n, t + 1, 2, h + 1, 2, w + 1, 2, channels)
    for a, b, c in itertools.product(range(2), repeat=3):
        y[:, a : a + t, :, b : b + h, :, c : c + w] += made[:, a, b, c]
    y = y.flatten(5, 6).flatten(3, 4).flatten(1, 2)[:, :, 1:-1, 1:-1]
    return (y if bias is None else y + bias).permute(0, 4, 1, 2, 3)


def _pixels_first(x: Tensor) -> Tensor:
    """View `[N, C, t, h, w]` as `[N, t, h, w, C]`, the memory order of channels-last tensors, so nothing is copied."""
    return x.permute(0, 2, 3, 4, 1)
