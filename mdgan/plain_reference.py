"""The reference implementation of MD-GAN.

`bench speed train` measures our training and generation against it, and tests check that they give equal results.

Every layer is PyTorch's own, and Stage I's generator runs over all 32 copies of its input. `einsum` computes a Gram
matrix each time that a distance needs one, and all features carry gradients.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bench.adversarial import ToPixels, discriminator_loss, generator_loss
from bench.interface import Losses, Shared, Stage
from mdgan.cpu_layers import DeepConv3d, DeepConvTranspose3d, WholeConv3d, WholeConvTranspose3d
from mdgan.losses import content_loss
from mdgan.model import MDGAN, BaseStage, RefineStage, repeat


def gram_matrix(features: Tensor) -> Tensor:
    """`mdgan.losses.gram_matrix`, written like the formula."""
    n, c, t, h, w = features.shape
    rows = features.reshape(n, c * t, h * w)  # [N, M, S]
    return torch.einsum("nis,njs->ij", rows, rows) / (n * c * t * h * w)  # [M, M]


def ranking_loss(refined: Tensor, real: Tensor, base: Tensor) -> Tensor:
    """The ranking loss of one layer's features, `[N, C, T, H, W]` each."""
    to_real = (gram_matrix(refined) - gram_matrix(real)).abs().sum()
    to_base = (gram_matrix(refined) - gram_matrix(base)).abs().sum()
    return F.softplus(to_real - to_base)


class PlainBaseStage(BaseStage):
    """Stage I over a video of 32 copies."""

    def forward(self, clips: Tensor) -> Shared:
        """Return the real clips and `fake` = Y1."""
        return {"real": clips, "fake": self.generator(repeat(clips[:, :, 0]))}


class PlainRefineStage(RefineStage):
    """Stage II with its full objective (adversarial and Gram ranking terms), each term computed from scratch."""

    def forward(self, clips: Tensor) -> Shared:
        """Return the real clips, `base` = Y1 and `fake` = Y2."""
        self.base.eval()
        with torch.no_grad():
            base = self.base(repeat(clips[:, :, 0]))
        return {"real": clips, "base": base, "fake": self.generator(base)}

    def discriminator_losses(self, shared: Shared) -> Losses:
        """−log D2(Y) − log(1 − D2(Y2)) − λ · ranking."""
        real, real_features = self.discriminator(shared["real"])
        fake, fake_features = self.discriminator(shared["fake"].detach())
        base_features = self.discriminator.features(shared["base"])
        return {
            "adversarial": discriminator_loss(real, fake),
            "ranking": -self.settings.ranking_weight * self._ranking(fake_features, real_features, base_features),
        }

    def generator_losses(self, shared: Shared) -> Losses:
        """−log D2(Y2) + λ · ranking + ‖Y2 − Y‖₁."""
        logits, features = self.discriminator(shared["fake"])
        real_features = self.discriminator.features(shared["real"])
        base_features = self.discriminator.features(shared["base"])
        return {
            "content": self.settings.content_weight * content_loss(shared["fake"], shared["real"]),
            "adversarial": generator_loss(logits),
            "ranking": self.settings.ranking_weight * self._ranking(features, real_features, base_features),
        }

    def _ranking(self, refined: tuple[Tensor, ...], real: tuple[Tensor, ...], base: tuple[Tensor, ...]) -> Tensor:
        layers = zip(refined, real, base, strict=True)
        return torch.stack([ranking_loss(*maps) for maps in layers]).sum()


class PlainMDGAN(MDGAN):
    """`MDGAN` with the same networks, weights and objective (no ablations), but none of its optimisations."""

    def __init__(self, resolution: int, frames: int, *, width: int = 32) -> None:
        super().__init__(resolution, frames, width=width)
        for module in self.modules():  # the base classes of the layers, with the same weights
            if isinstance(module, WholeConv3d | DeepConv3d):
                module.__class__ = nn.Conv3d  # type: ignore[assignment]
            elif isinstance(module, WholeConvTranspose3d | DeepConvTranspose3d | ToPixels):
                module.__class__ = nn.ConvTranspose3d  # type: ignore[assignment]

    def stages(self) -> tuple[Stage, ...]:
        """Stage I and Stage II over the networks of this model."""
        base, refine = super().stages()
        assert isinstance(base, BaseStage)
        assert isinstance(refine, RefineStage)
        return (
            PlainBaseStage(self.generator1, self.discriminator1, base.settings),
            PlainRefineStage(self.generator1, self.generator2, self.discriminator2, refine.settings),
        )

    def _continue(self, first_frames: Tensor, rows: Sequence[str]) -> Mapping[str, Tensor]:
        """As in `MDGAN`, over 32 copies of the input."""
        base = self.generator1(repeat(first_frames))
        return {row: base if row == self.rows[0] else self.generator2(base) for row in rows}
