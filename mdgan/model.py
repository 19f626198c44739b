"""MD-GAN as a `VideoModel`: Stage I makes content, Stage II refines its motion (Xiong et al., CVPR 2018, section 3).

The paper leaves some choices open. These are ours:

- Weights start as in DCGAN, transposed convolutions as linear interpolation (`bench.adversarial.initialise`). Stage II
  starts the same way unless it uses Stage I's weights.
- `mdgan.losses.ranking_loss` defines how ‖·‖₁ of Gram matrices is reduced.
- The generators minimise the non-saturating adversarial loss (`bench.adversarial.generator_loss`).
- Each discriminator sees real and generated clips as separate batches.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from bench.adversarial import (
    PADDINGS,
    STARTS,
    AdversarialStage,
    Optimizer,
    discriminator_loss,
    generator_loss,
    initialise,
    two_adams,
)
from bench.errors import BenchError, did_you_mean
from bench.interface import Losses, Shared, Stage, VideoModel, check_frames
from mdgan.losses import NORMS, content_loss, pixel_ranking_loss, ranking_loss
from mdgan.networks import FRAMES, RESOLUTIONS, STAGE1_SKIPS, STAGE2_SKIPS, Discriminator, Generator

#: What the ranking loss compares: Gram matrices of the discriminator's features, pixels, or nothing.
RANKINGS = ("gram", "pixels", "none")
#: Initial weights of Stage II's generator: random, or Stage I's.
STAGE2_STARTS = ("scratch", "base")
#: Settings that produce skies after hundreds of steps; the paper's own weights do not (docs/reference/models.md).
WORKS = {
    "content_weight": 1000.0,
    "discriminator_rate": 5e-5,
    "ranking_norm": "relative",
    "stage2_start": "base",
    "time_padding": "replicate",
}


@dataclass(frozen=True)
class MDGANOptions:
    """Options of MD-GAN.

    Attributes:
        width: channels of the generators' first layer.
        discriminator_width: channels of the discriminators' first layer; by default `width`.
        ranking_weight: λ of the ranking loss; 0 leaves it out.
        content_weight: weight of the L1 content loss, a mean over values; 1 in the paper. A short training run needs
            more: at 1, the gradient of the adversarial term is initially a thousand times that of the content term.
        learning_rate: Adam's learning rate, constant in the paper (a run's `decay_from` lets it fall).
        discriminator_rate: the discriminators' own learning rate, if they have one.
        betas: Adam's betas.
        init: initialisation of transposed convolutions: "interpolating" or "dcgan" (`bench.adversarial.initialise`).
        ranking_norm: how the distance between two Gram matrices is reduced: "sum", "mean" or "relative".
        stage2_start: initial weights of Stage II's generator: "scratch", or "base" for Stage I's trained weights.
        time_padding: padding of the generators before the first frame and after the last: "zeros" (the published
            networks), or "replicate" to repeat those frames.
        skips: whether the generators have skips (Stage II fewer than Stage I); otherwise neither has any.
        ranking: what the ranking loss compares: "gram" (the paper), "pixels" or "none" (ablations).
        adversarial: whether there is an adversarial term. Without it, a discriminator takes part only if the ranking
            loss needs its features; it is then updated by its ranking term alone.
    """

    width: int = 32
    discriminator_width: int | None = None
    ranking_weight: float = 1.0
    content_weight: float = 1.0
    learning_rate: float = 2e-4
    discriminator_rate: float | None = None
    betas: tuple[float, float] = (0.5, 0.9)
    init: str = "interpolating"
    ranking_norm: str = "sum"
    stage2_start: str = "scratch"
    time_padding: str = "zeros"
    skips: bool = True
    ranking: str = "gram"
    adversarial: bool = True

    def __post_init__(self) -> None:
        """Reject unknown choices."""
        choices = {
            "init": STARTS,
            "ranking": RANKINGS,
            "ranking_norm": NORMS,
            "stage2_start": STAGE2_STARTS,
            "time_padding": PADDINGS,
        }
        for option, known in choices.items():
            if (chosen := getattr(self, option)) not in known:
                raise BenchError(f"MD-GAN has no {option} '{chosen}': {', '.join(known)}.{did_you_mean(chosen, known)}")

    def optimizers(self) -> tuple[Optimizer, Optimizer]:
        """Adam for the generators and for the discriminators."""
        return two_adams(self.learning_rate, self.discriminator_rate, self.betas)


def repeat(first_frames: Tensor) -> Tensor:
    """Repeat first frames `[N, 3, H, W]` over time: `[N, 3, 32, H, W]`, a view."""
    return first_frames.unsqueeze(2).expand(-1, -1, FRAMES, -1, -1)


class BaseStage(AdversarialStage):
    """Stage I: Y1 = G1(x, repeated over time by the generator); adversarial + L1."""

    name = "base"
    row = "mdgan-1"
    discriminator: Discriminator

    def __init__(self, generator: Generator, discriminator: Discriminator, settings: MDGANOptions) -> None:
        self.settings = settings
        moves, judges = settings.optimizers()
        super().__init__(generator, discriminator, moves, discriminator_optimizer=judges, judged=settings.adversarial)

    def forward(self, clips: Tensor) -> Shared:
        """Return the real clips and `fake` = Y1, both `[N, 3, 32, H, W]`."""
        return {"real": clips, "fake": self.generator(clips[:, :, :1])}

    def discriminator_losses(self, shared: Shared) -> Losses:
        """−log D1(Y) − log(1 − D1(Y1))."""
        real, _ = self.discriminator(shared["real"])
        fake, _ = self.discriminator(shared["fake"].detach())
        return {"adversarial": discriminator_loss(real, fake)}

    def generator_losses(self, shared: Shared) -> Losses:
        """−log D1(Y1) + ‖Y1 − Y‖₁."""
        losses = {"content": self.settings.content_weight * content_loss(shared["fake"], shared["real"])}
        if self.settings.adversarial:
            losses["adversarial"] = generator_loss(self.discriminator(shared["fake"])[0])
        return losses


class RefineStage(AdversarialStage):
    """Stage II: Y2 = G2(Y1), G1 fixed; adversarial + λ · ranking + L1, D2 maximises the first two."""

    name = "refine"
    row = "mdgan-2"
    discriminator: Discriminator

    def __init__(
        self, base: Generator, generator: Generator, discriminator: Discriminator, settings: MDGANOptions
    ) -> None:
        self.base = base
        self.settings = settings
        self.half_gram = False
        # λ = 0 must cost nothing, and must not turn an infinite distance into 0 · inf.
        self.ranking = settings.ranking if settings.ranking_weight else "none"
        # Ranking by pixels does not involve the discriminator: without another term, it takes no part.
        judged = settings.adversarial or self.ranking == "gram"
        moves, judges = settings.optimizers()
        super().__init__(generator, discriminator, moves, discriminator_optimizer=judges, judged=judged)

    def begin(self) -> None:
        """Copy Stage I's trained weights if Stage II starts from them; the networks differ only in their skips."""
        if self.settings.stage2_start == "base":
            self.generator.load_state_dict(self.base.state_dict())

    def speed_up(self, ways: Collection[str]) -> None:
        """With "gram", multiply features in bf16 (`mdgan.losses.gram_matrix`)."""
        self.half_gram = "gram" in ways

    def forward(self, clips: Tensor) -> Shared:
        """Return the real clips, `base` = Y1 and `fake` = Y2, all `[N, 3, 32, H, W]`."""
        # The running statistics are fixed too: a loop that calls model.train() must not update them.
        self.base.eval()
        with torch.no_grad():
            base = self.base(clips[:, :, :1])
        return {"real": clips, "base": base, "fake": self.generator(base)}

    def discriminator_losses(self, shared: Shared) -> Losses:
        """−log D2(Y) − log(1 − D2(Y2)) − λ · ranking."""
        real, real_features = self.discriminator(shared["real"])
        fake, fake_features = self.discriminator(shared["fake"].detach())
        losses = {}
        if self.settings.adversarial:
            losses["adversarial"] = discriminator_loss(real, fake)
        if self.ranking == "gram":
            base_features = self.discriminator.features(shared["base"])
            ranking = self._distances(fake_features, real_features, base_features)
            losses["ranking"] = -self.settings.ranking_weight * ranking
        return losses

    def generator_losses(self, shared: Shared) -> Losses:
        """−log D2(Y2) + λ · ranking + ‖Y2 − Y‖₁."""
        real, base, fake = shared["real"], shared["base"], shared["fake"]
        losses = {"content": self.settings.content_weight * content_loss(fake, real)}
        if self.settings.adversarial or self.ranking == "gram":
            logits, features = self.discriminator(fake)
        if self.settings.adversarial:
            losses["adversarial"] = generator_loss(logits)
        if self.ranking == "gram":
            with torch.no_grad():  # the clips compared with the refined clip are constant
                real_features = self.discriminator.features(real)
                base_features = self.discriminator.features(base)
            ranking = self._distances(features, real_features, base_features)
            losses["ranking"] = self.settings.ranking_weight * ranking
        elif self.ranking == "pixels":
            losses["ranking"] = self.settings.ranking_weight * pixel_ranking_loss(refined=fake, real=real, base=base)
        return losses

    def _distances(self, refined: Sequence[Tensor], real: Sequence[Tensor], base: Sequence[Tensor]) -> Tensor:
        """The ranking loss of features."""
        maps = {"refined": refined, "real": real, "base": base}
        return ranking_loss(**maps, norm=self.settings.ranking_norm, half=self.half_gram)


class MDGAN(VideoModel):
    """MD-GAN with both stages; deterministic, without noise input.

    Args:
        resolution: 64 or 128 pixels.
        frames: 32.
        options: fields of `MDGANOptions`.

    Raises:
        BenchError: unsupported resolution or number of frames, an unknown choice, or a width below 1.
    """

    rows = ("mdgan-1", "mdgan-2")
    titles: ClassVar = {"mdgan-1": "MD-GAN Stage I", "mdgan-2": "MD-GAN Stage II"}
    colours: ClassVar = {"mdgan-1": "#56b4e9", "mdgan-2": "#0072b2"}
    presets: ClassVar = {
        "smoke": {"width": 8, **WORKS},
        "small": {"width": 8, **WORKS},
        "medium": {"width": 16, **WORKS},
        "paper": {"width": 32},
    }
    ablations: ClassVar = {
        "no skips": {"skips": False},
        "no ranking": {"ranking": "none"},
        "pixels for Gram": {"ranking": "pixels"},
        "no adversarial term": {"adversarial": False},
        "literal norms": {"ranking_norm": "sum", "content_weight": 1.0},
        "DCGAN's start": {"init": "dcgan"},
    }
    Settings = MDGANOptions
    resolutions = RESOLUTIONS

    def __init__(self, resolution: int, frames: int, **options: Any) -> None:
        super().__init__(resolution, frames)
        check_frames("MD-GAN", frames, FRAMES)
        settings = MDGANOptions(**options)
        width, d_width = settings.width, settings.discriminator_width
        d_width = width if d_width is None else d_width
        skips1, skips2 = (STAGE1_SKIPS, STAGE2_SKIPS) if settings.skips else ((), ())
        self.generator1 = Generator(width, resolution, skips1, settings.time_padding)
        self.generator2 = Generator(width, resolution, skips2, settings.time_padding)
        self.discriminator1 = Discriminator(d_width, resolution)
        self.discriminator2 = Discriminator(d_width, resolution)
        initialise(self, start=settings.init)
        self._stages = (
            BaseStage(self.generator1, self.discriminator1, settings),
            RefineStage(self.generator1, self.generator2, self.discriminator2, settings),
        )

    def stages(self) -> tuple[Stage, ...]:
        """Stage I, then Stage II, which needs a trained Stage I."""
        return self._stages

    def _continue(self, first_frames: Tensor, rows: Sequence[str]) -> Mapping[str, Tensor]:
        """Y1 (Stage I) and Y2 = G2(Y1) (Stage II)."""
        base = self.generator1(first_frames.unsqueeze(2))
        return {row: base if row == self.rows[0] else self.generator2(base) for row in rows}
