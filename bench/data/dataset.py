"""A dataset as a run names it: the user's folder, or the synthetic dataset, which is a data root like any other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.data.clips import FRAMES, Manifest, build_manifest
from bench.data.synthetic.generate import SCENES, SYNTHETIC_VERSION, make
from bench.errors import BenchError
from bench.files import built_once, cache_dir
from bench.registry import DEFAULT_DATASET, SYNTHETIC


@dataclass(frozen=True)
class Dataset:
    """A registered dataset and its location.

    Attributes:
        name: registered name.
        root: its folder, or "synthetic".
        frames: frames per clip; training and published models need the default.
    """

    name: str = DEFAULT_DATASET
    root: str = SYNTHETIC
    frames: int = FRAMES

    @property
    def title(self) -> str:
        """Display name in tables; the synthetic dataset is never passed off as the real one.

        >>> Dataset("sky").title, Dataset("sky", "/data/sky").title
        ('synthetic-sky', 'sky')
        """
        return f"synthetic-{self.name}" if self.root == SYNTHETIC else self.name

    def folder(self, resolution: int) -> Path:
        """Return the data root; that of the synthetic dataset is generated once if it is missing.

        Args:
            resolution: resolution in pixels at which the clips are used; synthetic scenes are painted at 64 or 128.

        Raises:
            BenchError: the folder does not exist, the dataset has no synthetic version, or the disk is full.
        """
        if self.root != SYNTHETIC:
            if not (root := Path(self.root)).is_dir():
                raise BenchError(f"The data root {root} does not exist: give the folder of the {self.name} dataset.")
            return root
        if self.name not in SCENES:
            raise BenchError(f"The dataset '{self.name}' has no synthetic version: give its folder with --data-root.")
        size = 64 if resolution <= 64 else 128
        root = cache_dir() / "synthetic" / f"{self.name}-{size}px-v{SYNTHETIC_VERSION}"
        return built_once(root, lambda: make(self.name, root, size=size))

    def manifest(self, resolution: int, splits: Sequence[str] = ("train", "test")) -> Manifest:
        """Index and hash the clips (`bench.data.clips.build_manifest`)."""
        return build_manifest(self.name, self.folder(resolution), splits, self.frames)
