"""Building blocks of adversarially trained models: a two-player stage, losses on logits, and Adam.

This module also defines weight initialisation and how convolutions pad a video in time.

A discriminator returns logits; the probability that a clip is real is their sigmoid. Losses on logits stay
finite where `log(sigmoid(x))` of a confident discriminator underflows.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bench.errors import BenchError, did_you_mean
from bench.interface import Losses, Player, Shared, Stage

#: Turns a network's parameters into its optimiser.
Optimizer = Callable[[Iterable[nn.Parameter]], torch.optim.Optimizer]
#: Initialisations of strided transposed convolutions: linear interpolation, or independent values as in DCGAN.
STARTS = ("interpolating", "dcgan")
#: One number per axis: time, height, width.
Axes = tuple[int, ...]
#: Padding in time, before the first frame and after the last: zeros, or those frames repeated.
PADDINGS = ("zeros", "replicate")


class AdversarialStage(Stage):
    """A stage with a generator and a discriminator; the discriminator is updated first.

    A subclass defines the shared pass (`forward`, which returns at least "real" and "fake") and the generator's
    losses. The discriminator's loss is the usual one unless the subclass overrides it.

    Args:
        generator: generates the video.
        discriminator: judges the video.
        optimizer: makes the optimiser of each network.
        discriminator_optimizer: makes the discriminator's optimiser, if it differs.
        judged: whether the discriminator takes part; without it the generator is trained alone.
    """

    def __init__(
        self,
        generator: nn.Module,
        discriminator: nn.Module,
        optimizer: Optimizer,
        *,
        discriminator_optimizer: Optimizer | None = None,
        judged: bool = True,
    ) -> None:
        self.generator, self.discriminator = generator, discriminator
        moves = Player("generator", generator, optimizer, self.generator_losses, (discriminator,))
        its_own = discriminator_optimizer or optimizer
        judges = Player("discriminator", discriminator, its_own, self.discriminator_losses)
        self.players = (judges, moves) if judged else (moves,)

    def discriminator_losses(self, shared: Shared) -> Losses:
        """−log D(Y) − log(1 − D(G(x)))."""
        real, fake = self.discriminator(shared["real"]), self.discriminator(shared["fake"].detach())
        return {"adversarial": discriminator_loss(real, fake)}

    @abstractmethod
    def generator_losses(self, shared: Shared) -> Losses:
        """The generator's losses, by term."""


def discriminator_loss(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """Discriminator loss −E[log D(Y)] − E[log(1 − D(G(X)))] (Goodfellow et al., 2014, eq. 1).

    Args:
        real_logits: logits of real clips, any shape.
        fake_logits: logits of generated clips, any shape.

    >>> discriminator_loss(torch.zeros(4), torch.zeros(4)).item()  # it knows nothing: 2 · log 2
    1.3862943649291992
    """
    real = F.binary_cross_entropy_with_logits(real_logits, torch.ones_like(real_logits))
    fake = F.binary_cross_entropy_with_logits(fake_logits, torch.zeros_like(fake_logits))
    return real + fake


def generator_loss(fake_logits: Tensor) -> Tensor:
    """Generator loss −E[log D(G(X))].

    This is the non-saturating form that Goodfellow et al. (2014, section 3) recommend. DCGAN, VGAN and their
    successors train with it instead of the literal E[log(1 − D(G(X)))] of the minimax game. Both forms reward a
    higher D(G(X)) and have the same fixed point. The literal form has almost no gradient while the discriminator
    is winning.

    Args:
        fake_logits: logits of generated clips, any shape.

    >>> generator_loss(torch.zeros(4)).item()  # the discriminator cannot tell: log 2
    0.6931471824645996
    """
    return F.binary_cross_entropy_with_logits(fake_logits, torch.ones_like(fake_logits))


def adam(learning_rate: float, betas: tuple[float, float]) -> Optimizer:
    """Return a `Player.optimizer` that makes an Adam optimiser with these settings.

    Adam is fused where PyTorch supports it: one pass over the weights instead of a dozen, with the same update.
    """

    def make(parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
        parameters = list(parameters)
        fused = all(parameter.device.type in ("cpu", "cuda") for parameter in parameters)
        return torch.optim.Adam(parameters, learning_rate, (float(betas[0]), float(betas[1])), fused=fused)

    return make


def two_adams(
    learning_rate: float, discriminator_rate: float | None, betas: tuple[float, float]
) -> tuple[Optimizer, Optimizer]:
    """Adam for the generator and for the discriminator, which share a learning rate by default."""
    return adam(learning_rate, betas), adam(learning_rate if discriminator_rate is None else discriminator_rate, betas)


def initialise(network: nn.Module, std: float = 0.02, norm_std: float = 0.02, start: str = STARTS[0]) -> None:
    """Draw convolution weights from N(0, std) and normalisation weights from N(1, norm_std), and set biases to 0.

    The defaults are DCGAN's (Radford et al., 2016, section 4), except for transposed convolutions, which start as
    linear interpolation (`interpolate`). Other kinds of layers keep PyTorch's initialisation.

    Args:
        network: the network whose weights are drawn, in place.
        std: standard deviation of convolution weights.
        norm_std: standard deviation of normalisation weights.
        start: "interpolating", or "dcgan" for independent values in transposed convolutions too.

    Raises:
        BenchError: the start is unknown.
    """
    if start not in STARTS:
        raise BenchError(f"Unknown start of weights: '{start}'.{did_you_mean(start, STARTS)}")
    if any(parameter.is_meta for parameter in network.parameters()):
        return  # on the meta device, where options are checked, PyTorch would import 900 modules to draw nothing
    for module in network.modules():
        if isinstance(module, nn.ConvTranspose2d | nn.ConvTranspose3d) and start == "interpolating":
            interpolate(module, std)
        elif isinstance(module, nn.Conv2d | nn.Conv3d | nn.ConvTranspose2d | nn.ConvTranspose3d):
            nn.init.normal_(module.weight, 0.0, std)
        elif isinstance(module, nn.BatchNorm2d | nn.BatchNorm3d | nn.GroupNorm):
            nn.init.normal_(module.weight, 1.0, norm_std)
        else:
            continue
        if module.bias is not None:
            nn.init.zeros_(module.bias)


@torch.no_grad()
def interpolate(layer: nn.ConvTranspose2d | nn.ConvTranspose3d, std: float) -> None:
    """Initialise a transposed convolution as linear interpolation.

    Each pair of channels gets one value from N(0, std), times [1/4, 3/4, 3/4, 1/4]·√2 along each doubled axis.

    With a kernel of 4 and a stride of 2, even and odd positions of the result come from disjoint taps. DCGAN draws
    these independently. An untrained network then shows two unrelated pictures in alternating frames and pixels,
    which appear as flicker and checkerboards. Training spends its first thousands of steps making them agree.

    Along an axis that is not doubled, every tap keeps its own value. The exception is a kernel of 2 in time, which
    turns one time step into the first two: they start alike.
    """
    shape, scales = list(layer.weight.shape), []
    axes = list(zip(layer.kernel_size, layer.stride, strict=True))
    for axis, (taps, stride) in enumerate(axes, start=2):
        opens_time = len(axes) == 3 and axis == 2 and (taps, stride) == (2, 1)
        if opens_time or (stride > 1 and taps == 2 * stride):
            shape[axis] = 1
        if stride > 1 and taps == 2 * stride:
            places = torch.arange(taps, device=layer.weight.device) + 0.5  # tap positions from the kernel's edge
            triangle = (1 - (places - stride).abs() / stride) * stride**0.5
            scales.append(triangle.reshape([-1 if other == axis else 1 for other in range(len(shape))]))
    values = nn.init.normal_(layer.weight.new_empty(shape), 0.0, std).expand_as(layer.weight)
    for scale in scales:
        values = values * scale
    layer.weight.copy_(values)


def repeat_ends(video: Tensor) -> Tensor:
    """`[N, C, T, H, W]` with the first and the last frame repeated once: T + 2 frames."""
    return torch.cat([video[:, :, :1], video, video[:, :, -1:]], 2)


class EndsConv3d(nn.Conv3d):
    """A convolution padded by 1 that repeats the first and the last frame instead of adding zeros."""

    foldable: ClassVar = True  # a batch norm can be folded into it (`bench.engine.network_transforms`)

    def forward(self, x: Tensor) -> Tensor:
        """Turn `[N, C, T, H, W]` into `[N, C', T', H', W']`."""
        return F.conv3d(repeat_ends(x), self.weight, self.bias, self.stride, (0, 1, 1))


class EndsConvTranspose3d(nn.ConvTranspose3d):
    """A transposed convolution padded by 1 that also repeats the first and the last frame."""

    foldable: ClassVar = True  # a batch norm can be folded into it (`bench.engine.network_transforms`)

    def forward(self, x: Tensor, output_size: list[int] | None = None) -> Tensor:
        """Turn `[N, C, T, H, W]` into `[N, C', stride · T, 2H, 2W]`."""
        # The slice removes output of the added frames alone. Padding by more than half the kernel would remove it
        # too, but then oneDNN's weight gradient reads and writes beyond the tensors with AVX-512.
        made = F.conv_transpose3d(repeat_ends(x), self.weight, self.bias, self.stride, 1)
        return made[:, :, self.stride[0] : -self.stride[0]]


class ToPixels(nn.ConvTranspose3d):
    """An output layer, padded by 1: kernel 4 on the axes that it doubles, kernel 3 on the others.

    Its few output channels leave most of a CPU's vector units idle. On a CPU and without gradients it runs as a
    convolution whose output channels are all the pixels that one position becomes.
    """

    trains_as: ClassVar = nn.ConvTranspose3d  # what it computes with gradients (`bench.engine.space_to_depth`)

    def forward(self, x: Tensor, output_size: list[int] | None = None) -> Tensor:
        """Turn `[N, C, T, H, W]` into `[N, C', s·T, s·H, s·W]`, with s the stride of each axis."""
        if not inference_on_cpu(x):
            return super().forward(x)
        return doubled_in_blocks(x, self.weight, self.bias, self.stride, (1, 1, 1))


class EndsToPixels(EndsConvTranspose3d):
    """`ToPixels` with the first and the last frame repeated in place of zeros."""

    trains_as: ClassVar = EndsConvTranspose3d

    def forward(self, x: Tensor, output_size: list[int] | None = None) -> Tensor:
        """Turn `[N, C, T, H, W]` into `[N, C', s·T, s·H, s·W]`, with s the stride of each axis."""
        if not inference_on_cpu(x):
            return super().forward(x)
        return doubled_in_blocks(repeat_ends(x), self.weight, self.bias, self.stride, (0, 1, 1))


def inference_on_cpu(x: Tensor) -> bool:
    """Whether a layer runs on a CPU without gradients, where some layers have a faster form."""
    return not torch.is_grad_enabled() and x.device.type == "cpu"


def blocks_to_channels(x: Tensor, blocks: Axes) -> Tensor:
    """Turn `[N, C, T, H, W]` into `[N, t·h·w·C, T/t, H/t, W/w]` for blocks of `(t, h, w)`, channels last in memory."""
    n, c, *sizes = x.shape
    (t, h, w), (bt, bh, bw) = (size // block for size, block in zip(sizes, blocks, strict=True)), blocks
    split = x.permute(0, 2, 3, 4, 1).reshape(n, t, bt, h, bh, w, bw, c)
    return split.permute(0, 1, 3, 5, 2, 4, 6, 7).reshape(n, t, h, w, bt * bh * bw * c).permute(0, 4, 1, 2, 3)


def channels_to_blocks(x: Tensor, blocks: Axes) -> Tensor:
    """Turn `[N, t·h·w·C, T, H, W]` into `[N, C, t·T, h·H, w·W]`, channels last in memory."""
    n, _, t, h, w = x.shape
    bt, bh, bw = blocks
    split = x.permute(0, 2, 3, 4, 1).reshape(n, t, h, w, bt, bh, bw, -1)
    return split.permute(0, 1, 4, 2, 5, 3, 6, 7).reshape(n, t * bt, h * bh, w * bw, -1).permute(0, 4, 1, 2, 3)


def doubled_in_blocks(x: Tensor, weight: Tensor, bias: Tensor | None, blocks: Axes, padding: Axes) -> Tensor:
    """Compute a transposed convolution, padded by 1, as a convolution that outputs blocks of positions.

    Args:
        x: `[N, C, T, H, W]`.
        weight: `[C, C', t, h, w]`: size 4 on axes whose stride is 2, size 3 on axes whose stride is 1.
        bias: `[C']`.
        blocks: the strides.
        padding: padding of x: 1 on each axis, or 0 where x already has one more position at both ends.

    Returns:
        `[N, C', t·T, h·H, w·W]`.
    """
    # Row 2a + b of the kernel maps position i of the video to position b of block i + a. So block q is a convolution
    # with the flipped kernel. The layer's own padding crops the first and the last position.
    kernel = blocks_to_channels(weight, blocks).transpose(0, 1).flip(2, 3, 4)
    kernel = kernel.contiguous(memory_format=torch.channels_last_3d)
    biases = None if bias is None else bias.repeat(blocks[0] * blocks[1] * blocks[2])
    made = channels_to_blocks(_convolve(x, kernel, biases, padding), blocks)
    for axis, block in enumerate(blocks, start=2):
        if block == 2:
            made = made.narrow(axis, 1, made.shape[axis] - 2)
    return made


def _convolve(x: Tensor, kernel: Tensor, bias: Tensor | None, padding: Axes) -> Tensor:
    """Convolve with stride 1, through oneDNN if possible.

    By default, PyTorch computes small convolutions without oneDNN, which takes four times as long.
    """
    if inference_on_cpu(x) and x.dtype == torch.float32 and torch.backends.mkldnn.is_available():
        made: Tensor = torch.mkldnn_convolution(x, kernel, bias, padding, (1, 1, 1), (1, 1, 1), 1)
        return made
    return F.conv3d(x, kernel, bias, 1, padding)


def padded_in_time(padding: str) -> tuple[type[nn.Conv3d], type[nn.ConvTranspose3d]]:
    """Convolution and transposed convolution for one of `PADDINGS`; the weights are the same for each.

    Raises:
        BenchError: the padding is unknown.
    """
    if padding not in PADDINGS:
        raise BenchError(f"Unknown padding in time: '{padding}'.{did_you_mean(padding, PADDINGS)}")
    return (EndsConv3d, EndsConvTranspose3d) if padding == "replicate" else (nn.Conv3d, nn.ConvTranspose3d)


def to_pixels(padding: str) -> type[nn.ConvTranspose3d]:
    """The last transposed convolution for one of `PADDINGS`; its weights are the same for each.

    Raises:
        BenchError: the padding is unknown.
    """
    return EndsToPixels if padded_in_time(padding)[1] is EndsConvTranspose3d else ToPixels
