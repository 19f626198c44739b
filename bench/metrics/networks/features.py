"""What the metrics that run a network share: where it runs, its precision, and features kept on disk."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from bench import files
from bench.errors import BenchError
from bench.files import ARRAY_HEADS, atomic_path
from bench.metrics.base import Frames
from bench.progress import console

Features = NDArray[np.float32]


def default_device() -> torch.device:
    """A CUDA GPU where there is one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


@contextmanager
def full_precision(device: torch.device) -> Iterator[None]:
    """Keep a GPU from rounding float32 to TF32, which it does in convolutions unless told otherwise."""
    if device.type != "cuda":
        yield
        return
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest")
    try:
        with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
            yield
    finally:
        torch.set_float32_matmul_precision(before)


def cache_dir() -> Path:
    """The folder of kept features, in the cache folder of everything else."""
    return files.cache_dir() / "features"


class FeatureCache:
    """Features of clips on disk, under a key made from the clip's bytes and whatever else they depend on.

    The key holds content, never a name: a changed byte, other weights or another preprocessing is another entry. What
    comes back is mapped from the file and takes no memory until it is read. Where the folder cannot be written to,
    features are kept in memory.
    """

    def __init__(self, folder: Path, identity: str) -> None:
        """`identity` names the weights and the version of everything between a clip and its features."""
        self._folder, self._identity = folder, identity
        self._memory: dict[Path, Features] = {}

    def path(self, clip: Frames) -> Path:
        """Where the features of a clip uint8 [T, H, W, 3] lie."""
        digest = hashlib.sha256(f"{self._identity} {clip.shape}".encode())
        digest.update(np.ascontiguousarray(clip).data)
        key = digest.hexdigest()
        return self._folder / key[:2] / f"{key[2:]}.npy"

    def get(self, clip: Frames) -> Features | None:
        """The features of a clip, where they are kept and readable."""
        path = self.path(clip)
        try:
            with ARRAY_HEADS:
                features: Features = np.load(path, mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError):  # not there, or cut short by a killed process: compute it again
            return self._memory.get(path)
        return features

    def put(self, clip: Frames, features: Features) -> None:
        """Keep the features of a clip."""
        path = self.path(clip)
        try:
            with atomic_path(path) as part:
                np.save(part, features, allow_pickle=False)
        except (BenchError, OSError) as error:  # it costs time, and no number
            if not self._memory:
                console().print(f"Features are not kept: {error}", style="yellow", markup=False, soft_wrap=True)
            self._memory[path] = features


def through_cache(
    clips: Sequence[Frames],
    cache: FeatureCache | None,
    compute: Callable[[list[Frames]], list[Features]],
    group: int = 8,
) -> list[Features]:
    """Features of each clip, from the cache where they are there; the rest computed and kept, a few at a time."""
    computed: dict[int, Features] = {}
    waiting: list[int] = []
    for index in range(len(clips)):
        cached = cache.get(clips[index]) if cache else None
        if cached is not None:
            computed[index] = cached
        else:
            waiting.append(index)
        if waiting and (len(waiting) == group or index == len(clips) - 1):
            few = [clips[i] for i in waiting]
            for i, clip, features in zip(waiting, few, compute(few), strict=True):
                if cache:
                    cache.put(clip, features)
                computed[i] = features
            waiting = []
    return [computed[index] for index in range(len(clips))]
