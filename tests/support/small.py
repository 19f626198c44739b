"""Small data in the real layouts, and a small model that is none of ours, for all tests."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from bench.interface import (
    Losses,
    Player,
    Shared,
    Stage,
    StochasticModel,
    VideoModel,
    check_resolution,
)

REPOSITORY = Path(__file__).resolve().parents[2]
#: Real clips and parity fixtures; tests that need them skip, with the reason, where they are not.
SHARED = Path(os.environ.get("BENCH_REAL_DATA") or REPOSITORY.parent / "shared")


def moving_clip(seed: int, frames: int = 32, size: int = 64) -> np.ndarray:
    """A smooth picture that drifts, uint8 `[T, H, W, 3]`."""
    coarse = np.random.default_rng(seed).integers(0, 256, (8, 16, 3), np.uint8)
    wide = np.asarray(Image.fromarray(coarse).resize((size + frames, size), Image.Resampling.BICUBIC))
    return np.stack([wide[:, t : t + size] for t in range(frames)])


def write_frames(folder: Path, clip: np.ndarray, first: int = 1, name: str = "frame_{:d}.jpg") -> None:
    """Write frames as images whose numbers have no leading zeros."""
    folder.mkdir(parents=True)
    for number, frame in enumerate(clip, start=first):
        Image.fromarray(frame).save(folder / name.format(number), quality=95)


def write_strip(path: Path, clip: np.ndarray) -> None:
    """Write a vertical strip as the Beach dataset has them."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(clip.reshape(-1, *clip.shape[2:])).save(path, quality=95)


def make_sky(root: Path, train: int = 4, test: int = 2, size: int = 64) -> Path:
    """A small Sky Scene: every long video has one short video of 32 frames."""
    for split, count, base in (("train", train, 0), ("test", test, 100)):
        for number in range(base, base + count):
            write_frames(root / f"sky_{split}" / f"v{number}" / f"v{number}_1", moving_clip(number, size=size))
    return root


def make_beach(root: Path, train: int = 4, test: int = 2, size: int = 64) -> Path:
    """A small Beach dataset: every source video has one strip of 32 frames."""
    for split, count, base in (("train", train, 0), ("test", test, 100)):
        names = [f"shore/{number:04d}_0.jpg" for number in range(base, base + count)]
        for number, name in enumerate(names, start=base):
            write_strip(root / "frames-stable-many" / name, moving_clip(number, size=size))
        (root / f"beach_{split}.txt").write_text("\n".join(names) + "\n")
    return root


def truncate(path: Path, share: float = 0.5) -> None:
    """Cut a file short, as a broken download leaves it."""
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])


def blank_figures(patch: pytest.MonkeyPatch | None = None) -> None:
    """Save figures as small black pictures, for good in a process that is not this one.

    Three quarters of a small run's time are Matplotlib's.
    """
    from matplotlib.figure import Figure

    def save(figure: Figure, path: Any, *, format: str, **_: object) -> None:
        Image.new("RGB", (64, 64)).save(path, format)

    (patch or pytest.MonkeyPatch()).setattr(Figure, "savefig", save)


class TintStage(Stage):
    """One generator that is trained to reproduce the real clip."""

    name = "tint"
    row = "tint"

    def __init__(self, network: nn.Module, rate: float) -> None:
        self.network = network
        self.players = (
            Player("generator", network, lambda parameters: torch.optim.Adam(parameters, rate), self.losses),
        )

    def forward(self, clips: Tensor) -> Shared:
        first = clips[:, :, :1].expand_as(clips)
        return {"real": clips, "fake": self.network(first)}

    def losses(self, shared: Shared) -> Losses:
        return {"content": (shared["fake"] - shared["real"]).abs().mean()}


class Tint(VideoModel):
    """A third party's model: the first frame repeated through one small convolution and a norm."""

    rows = ("tint",)
    resolutions: ClassVar[tuple[int, ...]] = (64,)

    def __init__(self, resolution: int, frames: int, rate: float = 1e-3) -> None:
        check_resolution("Tint", resolution, self.resolutions)
        super().__init__(resolution, frames)
        self.network = nn.Sequential(nn.Conv3d(3, 3, (1, 3, 3), padding=(0, 1, 1)), nn.BatchNorm3d(3), nn.Tanh())
        self.rate = rate

    def _continue(self, first_frames: Tensor, rows: Sequence[str]) -> Mapping[str, Tensor]:
        return dict.fromkeys(rows, self.network(first_frames.unsqueeze(2).expand(-1, -1, self.frames, -1, -1)))

    def stages(self) -> tuple[Stage, ...]:
        return (TintStage(self.network, self.rate),)


class Noisy(StochasticModel):
    """A third party's model that draws: the first frame with grey levels of its own in each frame; nothing to train."""

    rows = ("noisy",)

    def __init__(self, resolution: int, frames: int, level: float = 0.2) -> None:
        super().__init__(resolution, frames)
        self.level = nn.Parameter(torch.tensor(level))

    def _sample(
        self, first_frames: Tensor, rows: Sequence[str], generators: Sequence[torch.Generator]
    ) -> Mapping[str, Tensor]:
        shape = (1, self.frames, 1, 1)
        drawn = torch.stack([torch.randn(shape, generator=one) for one in generators])
        video = first_frames.unsqueeze(2) + self.level * drawn.to(first_frames)
        return dict.fromkeys(rows, video.clamp(-1, 1))
