"""The embedded synthetic scenes as a data root like any other."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from filelock import FileLock

from bench.config import SYNTHETIC
from bench.data.synthetic import SYNTHETIC_VERSION, make_beach, make_sky
from bench.errors import BenchError, did_you_mean
from bench.files import cache_dir, disk_error
from bench.progress import task

SCENES: dict[str, Callable[..., None]] = {"sky": make_sky, "beach": make_beach}


def make(
    scene: str,
    root: Path,
    *,
    size: int = 64,
    train_videos: int = 24,
    test_videos: int = 8,
    clips_per_video: int = 2,
    seed: int = 0,
) -> None:
    """Write the scenes of one kind into a new folder, with a progress bar.

    Raises:
        BenchError: no such scenes, a size other than 64 or 128, a folder that holds something, a full disk.
    """
    if scene not in SCENES:
        raise BenchError(f"There are no synthetic '{scene}' scenes.{did_you_mean(scene, SCENES)}")
    counts = {"train_videos": train_videos, "test_videos": test_videos, "clips_per_video": clips_per_video}
    try:
        with task(f"painting synthetic {scene} clips", (train_videos + test_videos) * clips_per_video) as progress:
            SCENES[scene](root, size=size, seed=seed, progress=progress.advance, **counts)
    except OSError as error:
        raise disk_error(error, root) from error


def find_data(dataset: str, data_root: str, resolution: int) -> Path:
    """The folder of a dataset: the user's, or that of the synthetic scenes, which are made once where they are missing.

    Raises:
        BenchError: the dataset has no synthetic scenes, or the disk is full.
    """
    if data_root != SYNTHETIC:
        return Path(data_root)
    if dataset not in SCENES:
        raise BenchError(f"The dataset '{dataset}' has no synthetic scenes: give its folder with --data-root.")
    size = 64 if resolution <= 64 else 128
    root = cache_dir() / "synthetic" / f"{dataset}-{size}px-v{SYNTHETIC_VERSION}"
    try:
        root.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{root}.lock"):
            if not root.exists():
                make(dataset, root, size=size)
    except OSError as error:
        raise disk_error(error, root) from error
    return root


def dataset_title(dataset: str, data_root: str) -> str:
    """A dataset's name on tables: synthetic scenes are never passed off as the real ones."""
    return f"synthetic-{dataset}" if data_root == SYNTHETIC else dataset
