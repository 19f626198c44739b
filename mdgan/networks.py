"""Generator and discriminator of both MD-GAN stages (Xiong et al., CVPR 2018, table I and section 4).

Shapes in the comments are for 128×128 at width w. At 64×64 the paper omits "the first convolutional layer",
the rest being unchanged: so conv1 and its mirror deconv6 are absent here, conv2 takes the three colour
channels, deconv5 gives them back through tanh (an output layer, hence without norm and ReLU), and every layer
that stays keeps its channels, norm and activation, conv2 included. The discriminator loses its first layer in
the same way.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection
from functools import partial
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bench.adversarial import PADDINGS, EndsConv3d, EndsConvTranspose3d, padded_in_time, repeat_ends
from bench.errors import BenchError
from bench.interface import check_positive, check_resolution

#: Sizes in pixels that the networks exist for.
RESOLUTIONS = (64, 128)
#: Frames of a clip: the bottleneck's 2×4×4 kernel fits no other number.
FRAMES = 32
#: Encoder layers whose maps are added to the decoder's: all in Stage I, the inner ones in Stage II.
STAGE1_SKIPS = (1, 2, 3, 4, 5)
STAGE2_SKIPS = (3, 4, 5)


def halve(inputs: int, outputs: int, slope: float = 0.2, convolution: type[nn.Conv3d] = nn.Conv3d) -> nn.Sequential:
    """Halve time, height and width."""
    return nn.Sequential(
        convolution(inputs, outputs, 4, 2, 1, bias=False),
        nn.BatchNorm3d(outputs),
        nn.LeakyReLU(slope, inplace=True),
    )


def double(inputs: int, outputs: int, convolution: type[nn.ConvTranspose3d] = nn.ConvTranspose3d) -> nn.Sequential:
    """Double time, height and width."""
    return nn.Sequential(
        convolution(inputs, outputs, 4, 2, 1, bias=False),
        nn.BatchNorm3d(outputs),
        nn.ReLU(inplace=True),
    )


class WholeConv3d(nn.Conv3d):
    """A convolution whose kernel covers its whole input: a product of matrices, which oneDNN does not see in it."""

    foldable: ClassVar = True

    def forward(self, x: Tensor) -> Tensor:
        """Turn `[N, C, t, h, w]`, the kernel's size, into `[N, C', 1, 1, 1]`."""
        y = F.linear(_pixels_first(x).flatten(1), _pixels_first(self.weight).flatten(1), self.bias)
        return y[:, :, None, None, None]


class WholeConvTranspose3d(nn.ConvTranspose3d):
    """A transposed convolution of a single value a channel: a product of matrices too."""

    foldable: ClassVar = True

    def forward(self, x: Tensor, output_size: list[int] | None = None) -> Tensor:
        """Turn `[N, C, 1, 1, 1]` into `[N, C', t, h, w]`, the kernel's size."""
        weight = _pixels_first(self.weight)  # [C, t, h, w, C']
        y = (x.flatten(1) @ weight.flatten(1)).unflatten(1, weight.shape[1:]).permute(0, 4, 1, 2, 3)
        return y if self.bias is None else y + self.bias[:, None, None, None]


class DeepConv3d(nn.Conv3d):
    """The last convolution with a stride, of many channels at few places.

    Where no gradient is needed it runs on a CPU as a product of matrices: oneDNN would lay out its weights anew for
    every call (34 MB at width 32), which takes several times as long as using them.
    """

    foldable: ClassVar = True

    def forward(self, x: Tensor) -> Tensor:
        """Turn `[N, C, 2t, 2h, 2w]` into `[N, C', t, h, w]`."""
        return _halved(F.pad(x, (1,) * 6), self.weight, self.bias) if _only_runs(x) else super().forward(x)


class DeepEndsConv3d(EndsConv3d):
    """The same with the ends repeated in time."""

    foldable: ClassVar = True

    def forward(self, x: Tensor) -> Tensor:
        """Turn `[N, C, 2t, 2h, 2w]` into `[N, C', t, h, w]`."""
        if not _only_runs(x):
            return super().forward(x)
        return _halved(F.pad(repeat_ends(x), (1, 1, 1, 1)), self.weight, self.bias)


class DeepConvTranspose3d(nn.ConvTranspose3d):
    """The first transposed convolution with a stride: a product of matrices likewise, whose overlaps are added."""

    foldable: ClassVar = True

    def forward(self, x: Tensor, output_size: list[int] | None = None) -> Tensor:
        """Turn `[N, C, t, h, w]` into `[N, C', 2t, 2h, 2w]`."""
        return _doubled(x, self.weight, self.bias)[:, :, 1:-1] if _only_runs(x) else super().forward(x)


class DeepEndsConvTranspose3d(EndsConvTranspose3d):
    """The same with the ends repeated in time."""

    foldable: ClassVar = True

    def forward(self, x: Tensor, output_size: list[int] | None = None) -> Tensor:
        """Turn `[N, C, t, h, w]` into `[N, C', 2t, 2h, 2w]`."""
        if not _only_runs(x):
            return super().forward(x)
        return _doubled(repeat_ends(x), self.weight, self.bias)[:, :, 3:-3]  # without what the added frames alone make


def _only_runs(x: Tensor) -> bool:
    """Whether nothing is trained and a CPU runs it: where some layers are better taken another way."""
    return not torch.is_grad_enabled() and x.device.type == "cpu"


def _halved(padded: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """A convolution with a kernel of 4 and a stride of 2 over what is padded already."""
    seen = _pixels_first(padded).unfold(1, 4, 2).unfold(2, 4, 2).unfold(3, 4, 2)  # [N, t, h, w, C, 4, 4, 4]
    seen = seen.permute(0, 1, 2, 3, 5, 6, 7, 4).flatten(4)
    return F.linear(seen, _pixels_first(weight).flatten(1), bias).permute(0, 4, 1, 2, 3)


def _doubled(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """A transposed convolution with a kernel of 4 and a stride of 2, cut by 1 around each frame and not in time."""
    # Row 2a + b of the kernel falls on place 2(i + a) + b of the result: two overlapping rows along each axis.
    made = _pixels_first(x) @ _pixels_first(weight).flatten(1)
    made = made.unflatten(4, (2, 2, 2, 2, 2, 2, -1)).permute(0, 4, 6, 8, 1, 5, 2, 7, 3, 9, 10)
    n, (t, h, w), channels = len(x), x.shape[2:], made.shape[-1]
    y = made.new_zeros(n, t + 1, 2, h + 1, 2, w + 1, 2, channels)
    for a, b, c in itertools.product(range(2), repeat=3):
        y[:, a : a + t, :, b : b + h, :, c : c + w] += made[:, a, b, c]
    y = y.flatten(5, 6).flatten(3, 4).flatten(1, 2)[:, :, 1:-1, 1:-1]
    return (y if bias is None else y + bias).permute(0, 4, 1, 2, 3)


def _pixels_first(x: Tensor) -> Tensor:
    """`[N, C, t, h, w]` as `[N, t, h, w, C]`: how channels-last tensors lie in memory, so that nothing is copied."""
    return x.permute(0, 2, 3, 4, 1)


class ToPixels(nn.ConvTranspose3d):
    """The last layer, kernel (3, 4, 4), which doubles height and width.

    Its few output channels leave most of a CPU's vector units idle. Where no gradient is needed it runs as a
    convolution that makes the four pixels of each doubled place as channels.
    """

    #: Rows of the kernel that a pixel of the first and of the second parity sees above, at and below its place; row 4
    #: is none. From output = 2 · input − 1 + row.
    ROWS = ((3, 1, 4), (4, 2, 0))

    def forward(self, x: Tensor, output_size: list[int] | None = None) -> Tensor:
        """Turn `[N, C, T, H, W]` into `[N, C', T, 2H, 2W]`."""
        if not _only_runs(x):
            return super().forward(x)
        rows = torch.tensor(self.ROWS)
        padded = F.pad(self.weight, (0, 1, 0, 1)).flip(2)  # [C, C', 3, 5, 5]
        kernel = padded[:, :, :, rows[:, None, :, None], rows[None, :, None, :]]  # [C, C', 3, 2, 2, 3, 3]
        kernel = kernel.permute(1, 3, 4, 0, 2, 5, 6).flatten(0, 2).contiguous(memory_format=torch.channels_last_3d)
        y = F.conv3d(x, kernel, None, 1, 1).unflatten(1, (-1, 2, 2))  # [N, C', 2, 2, T, H, W]
        return y.permute(0, 1, 4, 5, 2, 6, 3).flatten(5, 6).flatten(3, 4)


def over_still(convolution: nn.Module, video: Tensor) -> Tensor:
    """Convolve a video whose frames, but for the first and the last, are all alike, at the cost of a short one.

    A repeated image is such a video, and stays one through these convolutions: with zeros beyond both ends, only the
    first and the last result differ from those between. So three results are made, and the middle one is repeated.

    Args:
        convolution: with a kernel of 3 and a stride of 1 in time, or of 4 and 2; padded by 1.
        video: `[N, C, 1, H, W]`, an image that is meant to be repeated `FRAMES` times, or `[N, C, T, H, W]`, T ≥ 6.

    Returns:
        What the convolution makes of the whole video.
    """
    assert isinstance(convolution, nn.Conv3d)
    if isinstance(convolution, EndsConv3d):  # which has no ends: all results are one
        length = FRAMES if video.shape[2] == 1 else video.shape[2]
        one = convolution(video[:, :, :1].expand(-1, -1, convolution.stride[0], -1, -1))
        return torch.cat([one] * (length // convolution.stride[0]), 2)  # no view: activations write in place
    if video.shape[2] == 1:
        length, ends = FRAMES, video.expand(-1, -1, 3 * convolution.stride[0], -1, -1)
    else:  # with a stride of 2, results 0, 1, 2 of six frames see those before the first, none of the ends, the last
        length, ends = video.shape[2], torch.cat([video[:, :, :5], video[:, :, -1:]], 2)
    first, middle, last = convolution(ends).split(1, 2)
    return torch.cat([first, middle.expand(-1, -1, length // convolution.stride[0] - 2, -1, -1), last], 2)


class Generator(nn.Module):
    """3D encoder-decoder whose decoder adds the encoder's maps; one class for both stages.

    Args:
        width: channels of the first layer (32 in the paper).
        resolution: 64 or 128 pixels.
        skips: numbers of the encoder layers whose maps are added to the decoder's map of the same size:
            `STAGE1_SKIPS`, `STAGE2_SKIPS`, or none. At 64×64 there is no layer 1, and its number is ignored.
        time_padding: one of `PADDINGS`; the weights are the same.

    Raises:
        BenchError: another resolution or padding, a width below 1, or a number that is no layer.
    """

    def __init__(
        self,
        width: int = 32,
        resolution: int = 128,
        skips: Collection[int] = STAGE1_SKIPS,
        time_padding: str = PADDINGS[0],
    ) -> None:
        super().__init__()
        conv, deconv = padded_in_time(time_padding)
        zeros = conv is nn.Conv3d
        down, up = partial(halve, convolution=conv), partial(double, convolution=deconv)
        check_positive("MD-GAN", width=width)
        check_resolution("MD-GAN", resolution, RESOLUTIONS)
        if unknown := set(skips) - set(STAGE1_SKIPS):
            raise BenchError(f"MD-GAN has skips from encoder layers 1 to 5, not {sorted(unknown)}.")
        w, big = width, resolution == 128
        self.skips = frozenset(skips)

        self.conv1 = conv(3, w, (3, 4, 4), (1, 2, 2), 1, bias=False) if big else None
        self.conv2 = down(w if big else 3, 2 * w)
        self.conv3 = down(2 * w, 4 * w)
        self.conv4 = down(4 * w, 8 * w)
        self.conv5 = halve(8 * w, 16 * w, convolution=DeepConv3d if zeros else DeepEndsConv3d)
        # Its output is one value per channel and clip: a batch norm would have nothing else to average over.
        self.conv6 = WholeConv3d(16 * w, 16 * w, (2, 4, 4), bias=False)

        self.deconv1 = nn.Sequential(
            WholeConvTranspose3d(16 * w, 16 * w, (2, 4, 4), bias=False),
            nn.BatchNorm3d(16 * w),
            nn.ReLU(inplace=True),
        )
        self.deconv2 = double(16 * w, 8 * w, convolution=DeepConvTranspose3d if zeros else DeepEndsConvTranspose3d)
        self.deconv3 = up(8 * w, 4 * w)
        self.deconv4 = up(4 * w, 2 * w)
        self.deconv5: nn.Module
        if big:
            self.deconv5 = up(2 * w, w)
            self.deconv6 = (ToPixels if zeros else deconv)(w, 3, (3, 4, 4), (1, 2, 2), 1, bias=False)
        else:
            self.deconv5 = deconv(2 * w, 3, 4, 2, 1, bias=False)

    def _add(self, y: Tensor, layer: int, encoded: Tensor) -> Tensor:
        return y + encoded if layer in self.skips else y

    def forward(self, x: Tensor) -> Tensor:
        """Turn a video `[N, 3, 32, H, W]` into a video of the same shape, both in [-1, 1].

        An image `[N, 3, 1, H, W]` stands for itself repeated 32 times, and costs less than that video.
        """
        if x.shape[2] == 1:
            h1 = x if self.conv1 is None else over_still(self.conv1, x)
            h2 = self.conv2[1:](over_still(self.conv2[0], h1))
            h3 = self.conv3[1:](over_still(self.conv3[0], h2))
        else:
            h1 = x if self.conv1 is None else self.conv1(x)  # [N,   w, 32, 64, 64], no norm, no activation
            h2 = self.conv2(h1)  # [N,  2w, 16, 32, 32]
            h3 = self.conv3(h2)  # [N,  4w,  8, 16, 16]
        h4 = self.conv4(h3)  # [N,  8w,  4,  8,  8]
        h5 = self.conv5(h4)  # [N, 16w,  2,  4,  4]
        h6 = self.conv6(h5)  # [N, 16w,  1,  1,  1]

        y = self._add(self.deconv1(h6), 5, h5)  # [N, 16w,  2,  4,  4]
        y = self._add(self.deconv2(y), 4, h4)  # [N,  8w,  4,  8,  8]
        y = self._add(self.deconv3(y), 3, h3)  # [N,  4w,  8, 16, 16]
        y = self._add(self.deconv4(y), 2, h2)  # [N,  2w, 16, 32, 32]
        if self.conv1 is None:
            return torch.tanh(self.deconv5(y))  # [N,   3, 32, 64, 64]
        y = self._add(self.deconv5(y), 1, h1)  # [N,   w, 32, 64, 64]
        return torch.tanh(self.deconv6(y))  # [N,   3, 32, 128, 128]


class Discriminator(nn.Module):
    """The generator's encoder, ending in one logit a clip; its features also describe motion in Stage II.

    Args:
        width: channels of the first layer (32 in the paper).
        resolution: 64 or 128 pixels.

    Raises:
        BenchError: another resolution, or a width below 1.
    """

    def __init__(self, width: int = 32, resolution: int = 128) -> None:
        super().__init__()
        check_positive("MD-GAN", width=width)
        check_resolution("MD-GAN", resolution, RESOLUTIONS)
        w = width
        first = nn.Sequential(
            nn.Conv3d(3, w, (3, 4, 4), (1, 2, 2), 1, bias=False),
            nn.LeakyReLU(0.2, inplace=True),
        )
        big = resolution == 128
        self.blocks = nn.ModuleList(
            [
                *([first] if big else []),  # [N,   w, 32, 64, 64]
                halve(w if big else 3, 2 * w),  # [N,  2w, 16, 32, 32]
                halve(2 * w, 4 * w),  # [N,  4w,  8, 16, 16]
                halve(4 * w, 8 * w),  # [N,  8w,  4,  8,  8]
                halve(8 * w, 16 * w, slope=0.01),  # [N, 16w,  2,  4,  4]; the slope of the published code
            ]
        )
        self.head = nn.Conv3d(16 * w, 1, (2, 4, 4), bias=False)  # [N, 1, 1, 1, 1]

    def features(self, video: Tensor) -> tuple[Tensor, Tensor]:
        """Maps of the first and third convolution, after the activation, without running the layers behind
        them.

        Args:
            video: `[N, 3, 32, H, W]` in [-1, 1].

        Returns:
            `[N, w, 32, 64, 64]` and `[N, 4w, 8, 16, 16]` at 128×128. At 64×64 the first and third convolution
            of the network as it then is: `[N, 2w, 16, 32, 32]` and `[N, 8w, 4, 8, 8]`.
        """
        first = self.blocks[0](video)
        third = self.blocks[2](self.blocks[1](first))
        return first, third

    def forward(self, video: Tensor) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Return logits `[N]`, whose sigmoid is the probability of being real, and the `features`."""
        first, third = self.features(video)
        h = third
        for block in self.blocks[3:]:
            h = block(h)
        return self.head(h).flatten(), (first, third)

    def probability(self, video: Tensor) -> Tensor:
        """Probability `[N]` in [0, 1] that a clip `[N, 3, 32, H, W]` is real."""
        return F.sigmoid(self(video)[0])
