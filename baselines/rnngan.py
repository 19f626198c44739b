"""RNN-GAN: each frame is generated from the previous one.

It follows Zhou, Berg, "Learning Temporal Transformations From Time-Lapse Videos", ECCV 2016, as the MD-GAN paper
extends it to 32 frames. The layer sizes were never published in full. These choices are ours:

- Encoder, decoder, widths and batch norms are DCGAN's. Between them is an LSTM cell over a vector of `hidden` values.
  Its forget gate starts open (bias 3, so that the first frame still has an effect after 32 steps).
- Every output frame is generated, including the first: it is decoded from the input frame and represents it, as in
  the other models. Frame t + 1 comes from generated frame t, in training too: no real frame is fed in after the
  first. So errors accumulate and are trained through all steps, which is the model's known weakness.
- All time steps share the batch norms and their running statistics. In training, a step is normalised by its own
  batch; in evaluation, by the average over all steps. The averages' momentum is DCGAN's 0.1 divided by the number of
  frames; otherwise they would reflect only the last frames. Group norms would need no averages. But with them, short
  trials (width 8, some hundred steps) forgot their input within ten frames and made one video for all inputs.
- The discriminator sees the whole video: 3D convolutions with DCGAN's widths and batch norms.
- Reconstruction is the mean squared error over all frames, weighted 1000 to 1 against the adversarial term, near
  the 999 to 1 of Pathak et al., "Context Encoders", CVPR 2016.
- Adam uses a learning rate of 0.0002 and beta1 0.5. Weights start as in DCGAN, transposed convolutions as linear
  interpolation.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bench.adversarial import AdversarialStage, generator_loss, inference_on_cpu, initialise, two_adams
from bench.errors import BenchError
from bench.interface import Losses, Shared, Stage, VideoModel, check_positive, check_resolution

RESOLUTIONS = (64,)
#: The discriminator halves time four times.
FEWEST_FRAMES = 16
#: Settings that suit a short training run better than the choices above (docs/reference/models.md).
WORKS = {"learning_rate": 1e-3, "discriminator_rate": 5e-5}


@dataclass(frozen=True)
class RNNGANOptions:
    """Options of RNN-GAN.

    Attributes:
        width: channels of the first layer, in both networks.
        hidden: values in the recurrent cell's memory; by default 8 · `width`.
        learning_rate: Adam's learning rate.
        discriminator_rate: the discriminator's own learning rate, if it has one.
        beta1: Adam's first beta; the second is 0.999.
        reconstruction_weight: weight of the squared error against the adversarial term.
        init: initialisation of transposed convolutions: "interpolating" or "dcgan" (`bench.adversarial.initialise`).
    """

    width: int = 64
    hidden: int | None = None
    learning_rate: float = 2e-4
    discriminator_rate: float | None = None
    beta1: float = 0.5
    reconstruction_weight: float = 1000.0
    init: str = "interpolating"


class ProductConv2d(nn.Conv2d):
    """A square convolution with few positions and many channels.

    On a CPU and without gradients it runs as a matrix product. oneDNN would reorder the weights on every call, and one
    video needs 32 calls.
    """

    foldable: ClassVar = True  # a batch norm can be folded into it (`bench.engine.network_transforms`)
    trains_as: ClassVar = nn.Conv2d  # what it computes with gradients

    def forward(self, x: Tensor) -> Tensor:
        """Turn `[N, C, H, W]` into `[N, C', H', W']`."""
        if not inference_on_cpu(x):
            return super().forward(x)
        kernel, stride, padding = _square(self)
        size = [(n + 2 * padding - kernel) // stride + 1 for n in x.shape[2:]]
        seen = F.unfold(x, kernel, padding=padding, stride=stride)  # [N, C · k · k, H' · W']
        made = (self.weight.flatten(1) @ seen).unflatten(2, size)
        return made if self.bias is None else made + self.bias[:, None, None]


class ProductConvTranspose2d(nn.ConvTranspose2d):
    """A square transposed convolution with few positions or few output channels; also runs as a matrix product."""

    foldable: ClassVar = True
    trains_as: ClassVar = nn.ConvTranspose2d

    def forward(self, x: Tensor, output_size: list[int] | None = None) -> Tensor:
        """Turn `[N, C, H, W]` into `[N, C', H', W']`."""
        if not inference_on_cpu(x):
            return super().forward(x)
        kernel, stride, padding = _square(self)
        height, width = ((n - 1) * stride + kernel - 2 * padding for n in x.shape[2:])
        taps = self.weight.flatten(1).T @ x.flatten(2)  # [N, C' · k · k, H · W]
        made = F.fold(taps, (height, width), kernel, padding=padding, stride=stride)  # adds where they overlap
        return made if self.bias is None else made + self.bias[:, None, None]


def _square(layer: nn.Conv2d | nn.ConvTranspose2d) -> tuple[int, int, int]:
    """Kernel, stride and padding of both axes."""
    return layer.kernel_size[0], layer.stride[0], int(layer.padding[0])


def down(inputs: int, outputs: int, conv: type[nn.Conv2d] = nn.Conv2d) -> list[nn.Module]:
    """Halve the image."""
    return [
        conv(inputs, outputs, 4, 2, 1, bias=False),
        nn.BatchNorm2d(outputs),
        nn.LeakyReLU(0.2, inplace=True),
    ]


def up(inputs: int, outputs: int, deconv: type[nn.ConvTranspose2d] = nn.ConvTranspose2d) -> list[nn.Module]:
    """Double the image."""
    return [
        deconv(inputs, outputs, 4, 2, 1, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    ]


def down3d(inputs: int, outputs: int) -> list[nn.Module]:
    """Halve the video in time, height and width."""
    return [
        nn.Conv3d(inputs, outputs, 4, 2, 1, bias=False),
        nn.BatchNorm3d(outputs),
        nn.LeakyReLU(0.2, inplace=True),
    ]


class Generator(nn.Module):
    """Encoder, LSTM cell and decoder, shared by all time steps."""

    def __init__(self, width: int, hidden: int, frames: int) -> None:
        super().__init__()
        w = width
        self.frames = frames
        self.encoder = nn.Sequential(  # [N, 3, 64, 64]
            nn.Conv2d(3, w, 4, 2, 1),  # [N,  w, 32, 32]
            nn.LeakyReLU(0.2, inplace=True),
            *down(w, 2 * w),  # [N, 2w, 16, 16]
            *down(2 * w, 4 * w),  # [N, 4w, 8, 8]
            *down(4 * w, 8 * w, ProductConv2d),  # [N, 8w, 4, 4]
            ProductConv2d(8 * w, hidden, 4),  # [N, hidden, 1, 1]
        )
        self.cell = nn.LSTMCell(hidden, hidden)
        # Gates are stacked as input, forget, cell, output.
        nn.init.constant_(self.cell.bias_ih[hidden : 2 * hidden], 3.0)
        self.decoder = nn.Sequential(  # [N, hidden, 1, 1]
            ProductConvTranspose2d(hidden, 8 * w, 4, bias=False),  # [N, 8w, 4, 4]
            nn.BatchNorm2d(8 * w),
            nn.ReLU(inplace=True),
            *up(8 * w, 4 * w, ProductConvTranspose2d),  # [N, 4w, 8, 8]
            *up(4 * w, 2 * w),  # [N, 2w, 16, 16]
            *up(2 * w, w),  # [N,  w, 32, 32]
            ProductConvTranspose2d(w, 3, 4, 2, 1),  # [N, 3, 64, 64]
            nn.Tanh(),
        )
        for module in self.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.momentum = 0.1 / frames

    def forward(self, first_frames: Tensor) -> Tensor:
        """Continue first frames `[N, 3, 64, 64]` as `[N, 3, T, 64, 64]`, each frame from the one before."""
        frame, memory = first_frames, None
        video = []
        for _ in range(self.frames):
            code = self.encoder(frame).flatten(1)  # [N, hidden]
            memory = self.cell(code, memory)  # two of [N, hidden]
            frame = self.decoder(memory[0][:, :, None, None])  # [N, 3, 64, 64]
            video.append(frame)
        return torch.stack(video, 2)


class Discriminator(nn.Module):
    """Turns a video `[N, 3, T, 64, 64]` into logits `[N]` of being real."""

    def __init__(self, width: int, frames: int) -> None:
        super().__init__()
        w = width
        self.layers = nn.Sequential(  # [N, 3, T, 64, 64]
            nn.Conv3d(3, w, 4, 2, 1),  # [N,  w, T/2, 32, 32]
            nn.LeakyReLU(0.2, inplace=True),
            *down3d(w, 2 * w),  # [N, 2w, T/4, 16, 16]
            *down3d(2 * w, 4 * w),  # [N, 4w, T/8, 8, 8]
            *down3d(4 * w, 8 * w),  # [N, 8w, T/16, 4, 4]
            nn.Conv3d(8 * w, 1, (frames // 16, 4, 4)),  # [N, 1, 1, 1, 1]
        )

    def forward(self, video: Tensor) -> Tensor:
        """Return the logits."""
        logits: Tensor = self.layers(video)
        return logits.flatten()


class RNNGANStage(AdversarialStage):
    """The only stage: adversarial + `reconstruction_weight` · squared error."""

    name = "rnngan"
    row = "rnngan"

    def __init__(self, generator: Generator, discriminator: Discriminator, settings: RNNGANOptions) -> None:
        moves, judges = two_adams(settings.learning_rate, settings.discriminator_rate, (settings.beta1, 0.999))
        super().__init__(generator, discriminator, moves, discriminator_optimizer=judges)
        self.reconstruction_weight = settings.reconstruction_weight

    def forward(self, clips: Tensor) -> Shared:
        """Return real and generated clips, both `[N, 3, T, 64, 64]`."""
        return {"real": clips, "fake": self.generator(clips[:, :, 0])}

    def generator_losses(self, shared: Shared) -> Losses:
        """−log D(G(x)) and the weighted mean squared error."""
        error = F.mse_loss(shared["fake"], shared["real"])
        return {
            "adversarial": generator_loss(self.discriminator(shared["fake"])),
            "reconstruction": self.reconstruction_weight * error,
        }


class RNNGAN(VideoModel):
    """Recurrent GAN; deterministic, without noise input.

    Args:
        resolution: 64 pixels.
        frames: at least 16.
        options: fields of `RNNGANOptions`.

    Raises:
        BenchError: unsupported resolution, too few frames, unknown initialisation, or a width or memory below 1.
    """

    rows = ("rnngan",)
    titles: ClassVar = {"rnngan": "RNN-GAN"}
    colours: ClassVar = {"rnngan": "#009e73"}
    presets: ClassVar = {
        "smoke": {"width": 8, "hidden": 128, **WORKS},
        "small": {"width": 8, "hidden": 128, **WORKS},
        "medium": {"width": 32, **WORKS},
        "paper": {"width": 64},
    }
    Settings = RNNGANOptions
    resolutions = RESOLUTIONS

    def __init__(self, resolution: int, frames: int, **options: Any) -> None:
        super().__init__(resolution, frames)
        settings = RNNGANOptions(**options)
        width = settings.width
        hidden = 8 * width if settings.hidden is None else settings.hidden
        check_resolution("RNN-GAN", resolution, RESOLUTIONS)
        check_positive("RNN-GAN", width=width, hidden=hidden)
        if frames < FEWEST_FRAMES:
            raise BenchError(f"RNN-GAN makes videos of at least {FEWEST_FRAMES} frames, not {frames}.")
        self.generator = Generator(width, hidden, frames)
        self.discriminator = Discriminator(width, frames)
        initialise(self, start=settings.init)
        self._stages = (RNNGANStage(self.generator, self.discriminator, settings),)

    def stages(self) -> tuple[Stage, ...]:
        """The only stage."""
        return self._stages

    def _continue(self, first_frames: Tensor, rows: Sequence[str]) -> Mapping[str, Tensor]:
        """The generator's video."""
        return dict.fromkeys(rows, self.generator(first_frames))
