"""MD-GAN as a `VideoModel`: Stage I makes content, Stage II refines its motion (Xiong et al., CVPR 2018,
section 3).

Ours, where the paper is silent: all weights start as DCGAN's (`bench.adversarial.initialise`), the Stage II
generator too (it does not start from Stage I's weights); the generators minimise the non-saturating
adversarial loss (`bench.adversarial.generator_loss`); each discriminator sees real and generated clips as
separate batches.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn

from bench.adversarial import adam, discriminator_loss, generator_loss, initialise
from bench.errors import BenchError, did_you_mean
from bench.interface import Losses, Player, Shared, Stage, VideoModel, check_frames, check_request
from mdgan.losses import content_loss, pixel_ranking_loss, ranking_loss
from mdgan.networks import FRAMES, RESOLUTIONS, STAGE1_SKIPS, STAGE2_SKIPS, Discriminator, Generator

Optimizer = Callable[[Iterable[nn.Parameter]], torch.optim.Optimizer]

#: What the ranking loss compares: Gram matrices of the discriminator's features, pixels, or nothing.
RANKINGS = ("gram", "pixels", "none")


def repeat(first_frames: Tensor) -> Tensor:
    """Repeat first frames `[N, 3, H, W]` over time: `[N, 3, 32, H, W]`, a view."""
    return first_frames.unsqueeze(2).expand(-1, -1, FRAMES, -1, -1)


class BaseStage(Stage):
    """Stage I: Y1 = G1(x, repeated over time by the generator); adversarial + L1."""

    name = "base"
    row = "mdgan-1"

    def __init__(
        self,
        generator: Generator,
        discriminator: Discriminator,
        optimizer: Optimizer,
        adversarial: bool,
        content_weight: float,
    ) -> None:
        self.generator = generator
        self.discriminator = discriminator
        self.adversarial = adversarial
        self.content_weight = content_weight
        play_generator = Player("generator", generator, optimizer, self.generator_losses, (discriminator,))
        play_discriminator = Player("discriminator", discriminator, optimizer, self.discriminator_losses)
        self.players = (play_discriminator, play_generator) if adversarial else (play_generator,)

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
        losses = {"content": self.content_weight * content_loss(shared["fake"], shared["real"])}
        if self.adversarial:
            losses["adversarial"] = generator_loss(self.discriminator(shared["fake"])[0])
        return losses


class RefineStage(Stage):
    """Stage II: Y2 = G2(Y1), G1 fixed; adversarial + λ · ranking + L1, D2 maximises the first two."""

    name = "refine"
    row = "mdgan-2"

    def __init__(
        self,
        base: Generator,
        generator: Generator,
        discriminator: Discriminator,
        optimizer: Optimizer,
        adversarial: bool,
        content_weight: float,
        ranking: str,
        ranking_weight: float,
    ) -> None:
        self.base = base
        self.generator = generator
        self.discriminator = discriminator
        self.adversarial = adversarial
        self.content_weight = content_weight
        # λ = 0 must cost nothing, and must not let an infinite distance in as 0 · inf.
        self.ranking = ranking if ranking_weight else "none"
        self.ranking_weight = ranking_weight
        play_generator = Player("generator", generator, optimizer, self.generator_losses, (discriminator,))
        play_discriminator = Player("discriminator", discriminator, optimizer, self.discriminator_losses)
        # Pixels are no business of the discriminator's: without another term it does not play.
        plays = adversarial or self.ranking == "gram"
        self.players = (play_discriminator, play_generator) if plays else (play_generator,)

    def forward(self, clips: Tensor) -> Shared:
        """Return the real clips, `base` = Y1 and `fake` = Y2, all `[N, 3, 32, H, W]`."""
        # Fixed means its running statistics too: a loop that calls model.train() must not wake them.
        self.base.eval()
        with torch.no_grad():
            base = self.base(clips[:, :, :1])
        return {"real": clips, "base": base, "fake": self.generator(base)}

    def discriminator_losses(self, shared: Shared) -> Losses:
        """−log D2(Y) − log(1 − D2(Y2)) − λ · ranking."""
        real, real_features = self.discriminator(shared["real"])
        fake, fake_features = self.discriminator(shared["fake"].detach())
        losses = {}
        if self.adversarial:
            losses["adversarial"] = discriminator_loss(real, fake)
        if self.ranking == "gram":
            base_features = self.discriminator.features(shared["base"])
            ranking = ranking_loss(refined=fake_features, real=real_features, base=base_features)
            losses["ranking"] = -self.ranking_weight * ranking
        return losses

    def generator_losses(self, shared: Shared) -> Losses:
        """−log D2(Y2) + λ · ranking + ‖Y2 − Y‖₁."""
        real, base, fake = shared["real"], shared["base"], shared["fake"]
        losses = {"content": self.content_weight * content_loss(fake, real)}
        if self.adversarial or self.ranking == "gram":
            logits, features = self.discriminator(fake)
        if self.adversarial:
            losses["adversarial"] = generator_loss(logits)
        if self.ranking == "gram":
            with torch.no_grad():  # what the refined clip is compared with does not move
                real_features = self.discriminator.features(real)
                base_features = self.discriminator.features(base)
            ranking = ranking_loss(refined=features, real=real_features, base=base_features)
            losses["ranking"] = self.ranking_weight * ranking
        elif self.ranking == "pixels":
            losses["ranking"] = self.ranking_weight * pixel_ranking_loss(refined=fake, real=real, base=base)
        return losses


class MDGAN(VideoModel):
    """MD-GAN with both stages; deterministic, no noise enters.

    Args:
        resolution: 64 or 128 pixels.
        frames: 32.
        width: channels of the generators' first layer.
        discriminator_width: channels of the discriminators' first layer; by default `width`.
        ranking_weight: λ of the ranking loss; 0 leaves it out.
        content_weight: weight of the L1 content loss, a mean over values; 1 in the paper. A short training needs
            more: at 1 the adversarial term moves the generator almost alone at first.
        learning_rate: Adam's, fixed through training.
        betas: Adam's.
        skips: whether the generators have their skips (Stage II fewer than Stage I); without, neither has
            any.
        ranking: what the ranking loss compares: "gram" (the paper), "pixels" or "none" (ablations).
        adversarial: whether there is an adversarial term. Without it a discriminator whose features no
            ranking loss needs does not play; one whose features it needs moves by its ranking term alone.

    Raises:
        BenchError: an unknown resolution, number of frames, ranking, or a width below 1.
    """

    rows = ("mdgan-1", "mdgan-2")
    resolutions = RESOLUTIONS

    def __init__(
        self,
        resolution: int,
        frames: int,
        *,
        width: int = 32,
        discriminator_width: int | None = None,
        ranking_weight: float = 1.0,
        content_weight: float = 1.0,
        learning_rate: float = 2e-4,
        betas: tuple[float, float] = (0.5, 0.9),
        skips: bool = True,
        ranking: str = "gram",
        adversarial: bool = True,
    ) -> None:
        super().__init__(resolution, frames)
        check_frames("MD-GAN", frames, FRAMES)
        if ranking not in RANKINGS:
            raise BenchError(f"MD-GAN has no ranking '{ranking}'.{did_you_mean(ranking, RANKINGS)}")
        d_width = width if discriminator_width is None else discriminator_width
        self.generator1 = Generator(width, resolution, STAGE1_SKIPS if skips else ())
        self.generator2 = Generator(width, resolution, STAGE2_SKIPS if skips else ())
        self.discriminator1 = Discriminator(d_width, resolution)
        self.discriminator2 = Discriminator(d_width, resolution)
        initialise(self)
        optimizer = adam(learning_rate, betas)
        self._stages = (
            BaseStage(self.generator1, self.discriminator1, optimizer, adversarial, content_weight),
            RefineStage(
                self.generator1,
                self.generator2,
                self.discriminator2,
                optimizer,
                adversarial,
                content_weight,
                ranking,
                ranking_weight,
            ),
        )

    def stages(self) -> tuple[Stage, ...]:
        """Stage I, then Stage II, which needs Stage I trained."""
        return self._stages

    @torch.no_grad()
    def predict(self, first_frames: Tensor, row: str | None = None) -> Tensor:
        """Continue first frames `[N, 3, H, W]` as `[N, 3, 32, H, W]`: Y1 (row "mdgan-1") or Y2."""
        row = check_request(self, first_frames, row)
        video: Tensor = self.generator1(first_frames.unsqueeze(2))
        return video if row == "mdgan-1" else self.generator2(video)
