"""VGAN, the version conditioned on a first frame.

It follows Vondrick, Pirsiavash, Torralba, "Generating Videos with Scene Dynamics", NIPS 2016, sections 3 and 5.1.
Layers, initialisation and training are as in the authors' released code.

A still background and a moving foreground are generated separately and blended by a mask:
video = mask · foreground + (1 − mask) · background.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bench.adversarial import PADDINGS, AdversarialStage, initialise, padded_in_time, to_pixels, two_adams
from bench.interface import (
    Losses,
    Shared,
    Stage,
    VideoModel,
    check_frames,
    check_positive,
    check_request,
    check_resolution,
)

#: Supported sizes in pixels, and the number of frames that the layers fit.
RESOLUTIONS = (64,)
FRAMES = 32
#: The two classes of the discriminator.
GENERATED, GENUINE = 0, 1
#: Settings that suit a short training run better than the paper's own weights (docs/reference/models.md).
WORKS = {"l1_weight": 100.0, "mask_weight": 100.0, "discriminator_rate": 5e-5, "time_padding": "replicate"}


@dataclass(frozen=True)
class VGANOptions:
    """Options of VGAN.

    Attributes:
        width: channels of the first layer, in both networks.
        learning_rate: Adam's learning rate.
        discriminator_rate: the discriminator's own learning rate, if it has one.
        beta1: Adam's first beta; the second is 0.999.
        l1_weight: weight of the L1 loss on the first frame; 10 in the paper.
        mask_weight: weight of the mask's mean, which favours the still background. The paper has such a prior for
            videos from noise (0.1); the loss of its conditional version does not mention it.
        init: initialisation of transposed convolutions: "interpolating" or "dcgan" (`bench.adversarial.initialise`).
        time_padding: padding of the moving stream before the first frame and after the last: "zeros" (the released
            code), or "replicate" to repeat those frames.
    """

    width: int = 128
    learning_rate: float = 2e-4
    discriminator_rate: float | None = None
    beta1: float = 0.5
    l1_weight: float = 10.0
    mask_weight: float = 0.0
    init: str = "interpolating"
    time_padding: str = PADDINGS[0]


def conv2d(inputs: int, outputs: int) -> list[nn.Module]:
    """Halve the image; encoder and discriminator use the released code's larger epsilon."""
    return [nn.Conv2d(inputs, outputs, 4, 2, 1), nn.BatchNorm2d(outputs, eps=1e-3), nn.ReLU(inplace=True)]


def deconv2d(inputs: int, outputs: int) -> list[nn.Module]:
    """Double the image."""
    return [nn.ConvTranspose2d(inputs, outputs, 4, 2, 1), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)]


def deconv3d(convolution: type[nn.ConvTranspose3d], inputs: int, outputs: int) -> list[nn.Module]:
    """Double the video in time, height and width."""
    return [convolution(inputs, outputs, 4, 2, 1), nn.BatchNorm3d(outputs), nn.ReLU(inplace=True)]


def conv3d(inputs: int, outputs: int) -> list[nn.Module]:
    """Halve the video in time, height and width."""
    return [
        nn.Conv3d(inputs, outputs, 4, 2, 1),
        nn.BatchNorm3d(outputs, eps=1e-3),
        nn.LeakyReLU(0.2, inplace=True),
    ]


class Generator(nn.Module):
    """Turns a first frame into background, foreground and mask, and these into a video; width 128 in the paper."""

    def __init__(self, width: int = 128, time_padding: str = PADDINGS[0]) -> None:
        super().__init__()
        w, (_, deconv) = width, padded_in_time(time_padding)
        self.encoder = nn.Sequential(  # [N, 3, 64, 64]
            nn.Conv2d(3, w, 4, 2, 1),  # [N,  w, 32, 32]
            nn.ReLU(inplace=True),
            *conv2d(w, 2 * w),  # [N, 2w, 16, 16]
            *conv2d(2 * w, 4 * w),  # [N, 4w, 8, 8]
            *conv2d(4 * w, 8 * w),  # [N, 8w, 4, 4]
        )
        self.background = nn.Sequential(
            *deconv2d(8 * w, 4 * w),  # [N, 4w, 8, 8]
            *deconv2d(4 * w, 2 * w),  # [N, 2w, 16, 16]
            *deconv2d(2 * w, w),  # [N,  w, 32, 32]
            nn.ConvTranspose2d(w, 3, 4, 2, 1),  # [N,  3, 64, 64]
            nn.Tanh(),
        )
        self.stream = nn.Sequential(  # [N, 8w, 1, 4, 4]
            nn.ConvTranspose3d(8 * w, 8 * w, (2, 1, 1)),  # [N, 8w, 2, 4, 4]
            nn.BatchNorm3d(8 * w),
            nn.ReLU(inplace=True),
            *deconv3d(deconv, 8 * w, 4 * w),  # [N, 4w, 4, 8, 8]
            *deconv3d(deconv, 4 * w, 2 * w),  # [N, 2w, 8, 16, 16]
            *deconv3d(deconv, 2 * w, w),  # [N,  w, 16, 32, 32]
        )
        last = to_pixels(time_padding)
        self.foreground = nn.Sequential(last(w, 3, 4, 2, 1), nn.Tanh())  # [N, 3, 32, 64, 64]
        self.mask = nn.Sequential(last(w, 1, 4, 2, 1), nn.Sigmoid())  # [N, 1, 32, 64, 64]

    def parts(self, first_frames: Tensor) -> dict[str, Tensor]:
        """Return the parts of the video for first frames `[N, 3, 64, 64]`, by name.

        Returns:
            `background` `[N, 3, 1, 64, 64]` and `foreground` `[N, 3, 32, 64, 64]`, both in [-1, 1], and `mask`
            `[N, 1, 32, 64, 64]` in [0, 1], where 1 shows the foreground.
        """
        code = self.encoder(first_frames)
        stream = self.stream(code.unsqueeze(2))
        return {
            "background": self.background(code).unsqueeze(2),
            "foreground": self.foreground(stream),
            "mask": self.mask(stream),
        }

    def forward(self, first_frames: Tensor) -> Tensor:
        """Continue first frames `[N, 3, 64, 64]` as `[N, 3, 32, 64, 64]`."""
        return blend(self.parts(first_frames))


def blend(parts: Mapping[str, Tensor]) -> Tensor:
    """Blend a generator's parts into the video `[N, 3, 32, 64, 64]`."""
    mask = parts["mask"]
    return mask * parts["foreground"] + (1 - mask) * parts["background"]


class Discriminator(nn.Module):
    """Turns a video `[N, 3, 32, 64, 64]` into logits `[N, 2]` of generated and real; width 128 in the paper."""

    def __init__(self, width: int = 128) -> None:
        super().__init__()
        w = width
        self.layers = nn.Sequential(  # [N, 3, 32, 64, 64]
            nn.Conv3d(3, w, 4, 2, 1),  # [N,  w, 16, 32, 32]
            nn.LeakyReLU(0.2, inplace=True),
            *conv3d(w, 2 * w),  # [N, 2w, 8, 16, 16]
            *conv3d(2 * w, 4 * w),  # [N, 4w, 4, 8, 8]
            *conv3d(4 * w, 8 * w),  # [N, 8w, 2, 4, 4]
            nn.Conv3d(8 * w, 2, (2, 4, 4)),  # [N, 2, 1, 1, 1]
            nn.Flatten(),
        )

    def forward(self, video: Tensor) -> Tensor:
        """Return the logits of the classes `GENERATED` and `GENUINE`."""
        logits: Tensor = self.layers(video)
        return logits


def class_loss(logits: Tensor, label: int) -> Tensor:
    """Cross-entropy of logits `[N, 2]` when every clip is of the class `label`."""
    return F.cross_entropy(logits, torch.full((len(logits),), label, device=logits.device))


class VGANStage(AdversarialStage):
    """The only stage: adversarial + `l1_weight` · L1 between the first generated frame and the input."""

    name = "vgan"
    row = "vgan"

    def __init__(self, generator: Generator, discriminator: Discriminator, settings: VGANOptions) -> None:
        moves, judges = two_adams(settings.learning_rate, settings.discriminator_rate, (settings.beta1, 0.999))
        super().__init__(generator, discriminator, moves, discriminator_optimizer=judges)
        self.l1_weight, self.mask_weight = settings.l1_weight, settings.mask_weight
        self.generator: Generator = generator

    def forward(self, clips: Tensor) -> Shared:
        """Return real and generated clips, both `[N, 3, 32, 64, 64]`, and the mask if it has a weight."""
        if not self.mask_weight:
            return {"real": clips, "fake": self.generator(clips[:, :, 0])}
        parts = self.generator.parts(clips[:, :, 0])
        return {"real": clips, "fake": blend(parts), "mask": parts["mask"]}

    def discriminator_losses(self, shared: Shared) -> Losses:
        """Mean cross-entropy over real and generated clips, halved as in the released code."""
        real = class_loss(self.discriminator(shared["real"]), GENUINE)
        fake = class_loss(self.discriminator(shared["fake"].detach()), GENERATED)
        return {"adversarial": (real + fake) / 2}

    def generator_losses(self, shared: Shared) -> Losses:
        """Cross-entropy of generated clips labelled real, the first frame's distance to the input, and the mask."""
        first_frame = F.l1_loss(shared["fake"][:, :, 0], shared["real"][:, :, 0])
        losses = {
            "adversarial": class_loss(self.discriminator(shared["fake"]), GENUINE),
            "first_frame": self.l1_weight * first_frame,
        }
        if self.mask_weight:
            losses["mask"] = self.mask_weight * shared["mask"].mean()
        return losses


class VGAN(VideoModel):
    """Conditional VGAN; deterministic, without noise input.

    Convolution weights start from N(0, 0.01), biases at 0 and batch-norm weights from N(1, 0.02), as in the
    released code. Starting transposed convolutions as interpolation is our choice; `init=dcgan` is the released way.

    Args:
        resolution: 64 pixels.
        frames: 32.
        options: fields of `VGANOptions`.

    Raises:
        BenchError: unsupported resolution or number of frames, unknown initialisation, or a width below 1.
    """

    rows = ("vgan",)
    titles: ClassVar = {"vgan": "VGAN"}
    colours: ClassVar = {"vgan": "#e69f00"}
    presets: ClassVar = {
        "smoke": {"width": 16, **WORKS, "learning_rate": 5e-4},  # too few steps for the paper's rate
        "small": {"width": 16, **WORKS},
        "medium": {"width": 32, **WORKS},
        "paper": {"width": 128},
    }
    Settings = VGANOptions
    resolutions = RESOLUTIONS

    def __init__(self, resolution: int, frames: int, **options: Any) -> None:
        super().__init__(resolution, frames)
        settings = VGANOptions(**options)
        check_resolution("VGAN", resolution, RESOLUTIONS)
        check_frames("VGAN", frames, FRAMES)
        check_positive("VGAN", width=settings.width)
        self.generator = Generator(settings.width, settings.time_padding)
        self.discriminator = Discriminator(settings.width)
        initialise(self, std=0.01, start=settings.init)
        self._stages = (VGANStage(self.generator, self.discriminator, settings),)

    def stages(self) -> tuple[Stage, ...]:
        """The only stage."""
        return self._stages

    def _continue(self, first_frames: Tensor, rows: Sequence[str]) -> Mapping[str, Tensor]:
        """The generator's video."""
        return dict.fromkeys(rows, self.generator(first_frames))

    @torch.no_grad()
    def parts(self, first_frames: Tensor) -> Mapping[str, Tensor]:
        """Background (repeated over time), foreground and mask, `[N, 3 or 1, 32, 64, 64]`.

        The mask is in [0, 1], where 1 shows the foreground; the others are in [-1, 1].
        """
        check_request(self, first_frames, None)
        parts = self.generator.parts(first_frames)
        return {name: part.expand(-1, -1, FRAMES, -1, -1) for name, part in parts.items()}
