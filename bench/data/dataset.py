"""A dataset's folder: the user's, or that of the embedded synthetic scenes."""

from __future__ import annotations

from pathlib import Path

from filelock import FileLock

from bench.data.scenes.make import SCENES, SYNTHETIC_VERSION, make
from bench.errors import BenchError
from bench.files import cache_dir, disk_error
from bench.registry import SYNTHETIC


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
