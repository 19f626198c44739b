"""What the processes of `test_distributed.py` run: a model without batch statistics, trained in the loop.

As a script, for torchrun: `train` does that; any other word is one of the `bench` command, its figures blank.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import torch.nn.functional as F
from torch import Tensor, nn

from bench.adversarial import adam, discriminator_loss, generator_loss
from bench.interface import Losses, Player, Shared, Stage, VideoModel


class FlatStage(Stage):
    """A generator and a discriminator that share one forward pass."""

    name = "flat"
    row = "flat"

    def __init__(self, generator: nn.Module, discriminator: nn.Module) -> None:
        self.generator, self.discriminator = generator, discriminator
        optimizer = adam(1e-3, (0.5, 0.9))
        self.players = (
            Player("discriminator", discriminator, optimizer, self.discriminator_losses),
            Player("generator", generator, optimizer, self.generator_losses, (discriminator,)),
        )

    def forward(self, clips: Tensor) -> Shared:
        return {"real": clips, "fake": self.generator(clips[:, :, :1].expand_as(clips))}

    def discriminator_losses(self, shared: Shared) -> Losses:
        real, fake = self.discriminator(shared["real"]), self.discriminator(shared["fake"].detach())
        return {"adversarial": discriminator_loss(real, fake)}

    def generator_losses(self, shared: Shared) -> Losses:
        return {
            "adversarial": generator_loss(self.discriminator(shared["fake"])),
            "content": F.l1_loss(shared["fake"], shared["real"]),
        }


class Flat(VideoModel):
    """Two small networks without norms: what they make of a clip does not depend on the others of its batch."""

    rows = ("flat",)
    resolutions: ClassVar[tuple[int, ...]] = (64,)

    def __init__(self, resolution: int, frames: int, dropout: float = 0.0) -> None:
        super().__init__(resolution, frames)
        drop = nn.Dropout3d(dropout)
        self.generator = nn.Sequential(
            nn.Conv3d(3, 4, 3, padding=1), nn.LeakyReLU(0.2), drop, nn.Conv3d(4, 3, 1), nn.Tanh()
        )
        self.discriminator = nn.Sequential(
            nn.Conv3d(3, 4, 4, 4), nn.LeakyReLU(0.2), nn.Conv3d(4, 1, 1), nn.AdaptiveAvgPool3d(1), nn.Flatten()
        )

    def _continue(self, first_frames: Tensor, rows: Sequence[str]) -> Mapping[str, Tensor]:
        return dict.fromkeys(rows, self.generator(first_frames.unsqueeze(2).expand(-1, -1, self.frames, -1, -1)))

    def stages(self) -> tuple[Stage, ...]:
        return (FlatStage(self.generator, self.discriminator),)


def main(root: str, out: str) -> None:
    """Train and generate in however many processes there are; each writes what clips it has seen."""
    from bench import registry
    from bench.config import make_config
    from bench.data.clips import build_manifest
    from bench.engine import train as training
    from bench.engine.devices import make_fabric
    from bench.engine.generate import TrainedModel, generate_rows
    from bench.engine.training_step import train_step
    from bench.pipeline.parallel_training import open_packs

    registry.MODELS.add("flat", "tests.engine.distributed_worker:Flat")
    settings: dict[str, Any] = {"steps": 6, "batch": 4, "validate_every": 3, "checkpoint_every": 2, "log_every": 1}
    config = make_config({"preset": "smoke", "models": ["flat"], "device": "cpu", **settings}, baseline=False)
    fabric = make_fabric("cpu")
    seen: list[list[float]] = []

    def watched(stage: Stage, optimizers: Any, clips: Tensor, *rest: Any) -> Any:
        seen.append([round(clip.double().mean().item(), 9) for clip in clips])
        return train_step(stage, optimizers, clips, *rest)

    training.train_step = watched
    manifest = build_manifest("sky", root)
    folder = Path(out)
    final = training.train(config, "flat", 0, *open_packs(manifest, 64), folder / "training", fabric)
    generate_rows(TrainedModel(final), folder / "videos", manifest, "cpu", fabric=fabric)
    (folder / f"seen-{fabric.global_rank}.json").write_text(json.dumps(seen))


if __name__ == "__main__":
    if sys.argv[1] == "train":
        main(*sys.argv[2:])
    else:
        from bench.cli.main import main as bench
        from tests.support.small import blank_figures

        blank_figures()
        bench()
