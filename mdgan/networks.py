"""Generators and discriminators of MD-GAN (Xiong et al., CVPR 2018): table I, sections 3.1, 3.2 and 4.2.

Both stages use the same generator and the same discriminator. The Stage II generator has fewer skip connections.

Comments give the shapes for 128×128 at width w; the paper's width is 32. At 64×64 the paper omits "the first
convolutional layer" and keeps "the remaining parts". This removes conv1 and its mirror deconv6. conv2 then takes the
three colour channels, and deconv5 returns them through tanh, as an output layer without batch norm and ReLU. All other
layers keep their channels, batch norm and activation. The discriminator loses its first layer in the same way.
"""

from __future__ import annotations

from collections.abc import Collection

import torch
from torch import Tensor, nn

from bench.adversarial import PADDINGS, inference_on_cpu
from bench.errors import BenchError
from bench.interface import check_positive, check_resolution
from mdgan.cpu_layers import generator_convolutions, over_still

#: Supported heights and widths in pixels.
RESOLUTIONS = (64, 128)
#: Frames of a clip. The 2×4×4 kernels of conv6 and deconv1 fit no other number.
FRAMES = 32
#: Encoder layers whose output is added to the decoder's. The paper removes the skips of conv1 and conv2 in Stage II.
STAGE1_SKIPS = (1, 2, 3, 4, 5)
STAGE2_SKIPS = (3, 4, 5)


def conv_block(inputs: int, outputs: int, conv: type[nn.Conv3d] = nn.Conv3d, slope: float = 0.2) -> nn.Sequential:
    """Convolution that halves time, height and width, with batch norm and LeakyReLU."""
    return nn.Sequential(
        conv(inputs, outputs, 4, 2, 1, bias=False),
        nn.BatchNorm3d(outputs),
        nn.LeakyReLU(slope, inplace=True),
    )


def deconv_block(inputs: int, outputs: int, deconv: type[nn.ConvTranspose3d]) -> nn.Sequential:
    """Transposed convolution that doubles time, height and width, with batch norm and ReLU."""
    return nn.Sequential(
        deconv(inputs, outputs, 4, 2, 1, bias=False),
        nn.BatchNorm3d(outputs),
        nn.ReLU(inplace=True),
    )


class Generator(nn.Module):
    """3D encoder-decoder whose decoder adds the encoder's feature maps (table I).

    Args:
        width: channels of the first layer (32 in the paper).
        resolution: 64 or 128 pixels.
        skips: numbers of the encoder layers whose output is added to the decoder's of the same size: `STAGE1_SKIPS`,
            `STAGE2_SKIPS`, or none. At 64×64 there is no layer 1, and its number is ignored.
        time_padding: one of `PADDINGS`; the weights have the same shapes with each.

    Raises:
        BenchError: the resolution, the padding or a skip does not exist, or the width is below 1.
    """

    def __init__(
        self,
        width: int = 32,
        resolution: int = 128,
        skips: Collection[int] = STAGE1_SKIPS,
        time_padding: str = PADDINGS[0],
    ) -> None:
        super().__init__()
        use = generator_convolutions(time_padding)
        check_positive("MD-GAN", width=width)
        check_resolution("MD-GAN", resolution, RESOLUTIONS)
        if unknown := set(skips) - set(STAGE1_SKIPS):
            raise BenchError(f"MD-GAN has skips from encoder layers 1 to 5, not {sorted(unknown)}.")
        w, big = width, resolution == 128
        self.skips = frozenset(skips)

        # Kernel, stride and padding are given as (time, height, width), or as one number for all three.
        self.conv1 = use.conv(3, w, (3, 4, 4), (1, 2, 2), 1, bias=False) if big else None
        self.conv2 = conv_block(w if big else 3, 2 * w, use.conv)
        self.conv3 = conv_block(2 * w, 4 * w, use.conv)
        self.conv4 = conv_block(4 * w, 8 * w, use.conv)
        self.conv5 = conv_block(8 * w, 16 * w, use.conv5)
        # Without batch norm: with one value per channel and clip, it would have only the batch to average over.
        self.conv6 = use.conv6(16 * w, 16 * w, (2, 4, 4), bias=False)

        self.deconv1 = nn.Sequential(
            use.deconv1(16 * w, 16 * w, (2, 4, 4), bias=False),
            nn.BatchNorm3d(16 * w),
            nn.ReLU(inplace=True),
        )
        self.deconv2 = deconv_block(16 * w, 8 * w, use.deconv2)
        self.deconv3 = deconv_block(8 * w, 4 * w, use.deconv)
        self.deconv4 = deconv_block(4 * w, 2 * w, use.deconv)
        self.deconv5: nn.Module
        if big:
            self.deconv5 = deconv_block(2 * w, w, use.deconv)
            self.deconv6 = use.last(w, 3, (3, 4, 4), (1, 2, 2), 1, bias=False)
        else:
            self.deconv5 = use.last(2 * w, 3, 4, 2, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Turn a video `[N, 3, 32, H, W]` into a video of the same shape, both in [-1, 1].

        An image `[N, 3, 1, H, W]` represents 32 copies of itself, and costs less than that video.
        """
        h1, h2, h3 = self._encode_image(x) if x.shape[2] == 1 else self._encode_video(x)
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

    def _encode_video(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Outputs of conv1, conv2 and conv3."""
        h1 = x if self.conv1 is None else self.conv1(x)  # [N,   w, 32, 64, 64], no batch norm, no activation
        h2 = self.conv2(h1)  # [N,  2w, 16, 32, 32]
        h3 = self.conv3(h2)  # [N,  4w,  8, 16, 16]
        return h1, h2, h3

    def _encode_image(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """`_encode_video` of the image repeated, in fewer operations."""
        h1 = x if self.conv1 is None else over_still(self.conv1, x, FRAMES)
        h2 = self.conv2[1:](over_still(self.conv2[0], h1, FRAMES))
        h3 = self.conv3[1:](over_still(self.conv3[0], h2, FRAMES))
        return h1, h2, h3

    def _add(self, y: Tensor, layer: int, encoded: Tensor) -> Tensor:
        """Add the skip connection of an encoder layer if the network has it."""
        if layer not in self.skips:
            return y
        return y.add_(encoded) if inference_on_cpu(y) else y + encoded


class Discriminator(nn.Module):
    """The generator's encoder with one logit per clip at its end (sections 3.1 and 3.2).

    Stage II also uses its features to describe motion.

    Args:
        width: channels of the first layer (32 in the paper).
        resolution: 64 or 128 pixels.

    Raises:
        BenchError: the resolution does not exist, or the width is below 1.
    """

    def __init__(self, width: int = 32, resolution: int = 128) -> None:
        super().__init__()
        check_positive("MD-GAN", width=width)
        check_resolution("MD-GAN", resolution, RESOLUTIONS)
        w, big = width, resolution == 128
        first = nn.Sequential(
            nn.Conv3d(3, w, (3, 4, 4), (1, 2, 2), 1, bias=False),
            nn.LeakyReLU(0.2, inplace=True),
        )
        self.blocks = nn.ModuleList(
            [
                *([first] if big else []),  # [N,   w, 32, 64, 64]
                conv_block(w if big else 3, 2 * w),  # [N,  2w, 16, 32, 32]
                conv_block(2 * w, 4 * w),  # [N,  4w,  8, 16, 16]
                conv_block(4 * w, 8 * w),  # [N,  8w,  4,  8,  8]
                conv_block(8 * w, 16 * w, slope=0.01),  # [N, 16w,  2,  4,  4]; the slope of the published code
            ]
        )
        self.head = nn.Conv3d(16 * w, 1, (2, 4, 4), bias=False)  # [N, 1, 1, 1, 1]

    def features(self, video: Tensor) -> tuple[Tensor, Tensor]:
        """Outputs of the first and the third convolution, after the activation; later layers do not run.

        Args:
            video: `[N, 3, 32, H, W]` in [-1, 1].

        Returns:
            `[N, w, 32, 64, 64]` and `[N, 4w, 8, 16, 16]` at 128×128. At 64×64 these are the first and the third
            convolution of the smaller network: `[N, 2w, 16, 32, 32]` and `[N, 8w, 4, 8, 8]`.
        """
        first = self.blocks[0](video)
        third = self.blocks[2](self.blocks[1](first))
        return first, third

    def forward(self, video: Tensor) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Return logits `[N]`, whose sigmoid is the probability that a clip is real, and the `features`."""
        first, third = self.features(video)
        h = third
        for block in self.blocks[3:]:
            h = block(h)
        return self.head(h).flatten(), (first, third)
