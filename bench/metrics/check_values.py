"""Comparison of numbers from the available weights with published ones: `bench weights verify --numbers`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import torch

from bench.errors import BenchError
from bench.metrics.frechet import frechet_distance
from bench.metrics.lpips import frame_lpips, lpips_network
from bench.metrics.networks.feature_cache import (
    Features,
)
from bench.metrics.networks.i3d import EPSILON, PORTED_EPSILON, SIZE
from bench.metrics.networks.i3d_features import I3DFeatures
from bench.metrics.networks.parallel_map import one_core_each
from bench.metrics.networks.weights_catalog import load_tensors, verify
from bench.progress import task

#: FVD of RandomState(1) against RandomState(2) .rand(128, 16, 224, 224, 3): the original's value, as published with the
#: TensorFlow code and StyleGAN-V's, and the value of the PyTorch port with the same tensors.
FVD_CHECK_VALUE, PORTED_FVD_CHECK_VALUE = 10.13808, 10.16643
#: LPIPS of RandomState(1) against RandomState(2) .randint(0, 256, (64, 64, 3)) by the authors' own package.
LPIPS_CHECK_VALUE = 0.12043
TOLERANCE = 1e-4


@dataclass(frozen=True)
class NumberCheck:
    """A number computed with the available weights, and the published one."""

    what: str
    value: float
    published: float

    @property
    def agrees(self) -> bool:
        """Whether the value is within 0.0001 of the published one, which has five decimals."""
        return abs(self.value - self.published) < TOLERANCE


def _published(name: str) -> str:
    checked = verify(name)
    if checked.state != "published":
        raise BenchError(f"The check values need the published weights: {checked.message}")
    return str(checked.path)


def fvd_check(epsilon: float, clips: int = 128) -> float:
    """FVD of the random clips behind the published check value, or of fewer; takes minutes on a CPU."""
    return frechet_distance(*random_logits(I3DFeatures(_published("fvd"), epsilon=epsilon), clips))


def lpips_check() -> float:
    """LPIPS of two random frames."""

    network = lpips_network(load_tensors(Path(_published("lpips"))))
    frames = [np.random.RandomState(seed).randint(0, 256, (1, 64, 64, 3)).astype(np.uint8) for seed in (1, 2)]
    return float(frame_lpips(network, frames[0], frames[1], torch.device("cpu"))[0])


def verify_numbers() -> Iterator[NumberCheck]:
    """Compute the check values of all metrics whose weights can be obtained, quick ones first.

    Raises `BenchError` if the published weights are not available.
    """
    yield NumberCheck("LPIPS of two random frames", lpips_check(), LPIPS_CHECK_VALUE)
    what = "of RandomState(1) against RandomState(2)"
    yield NumberCheck(f"fvd {what}", fvd_check(EPSILON), FVD_CHECK_VALUE)
    yield NumberCheck(f"fvd_videogpt {what}", fvd_check(PORTED_EPSILON), PORTED_FVD_CHECK_VALUE)


def random_logits(network: I3DFeatures, clips: int) -> tuple[Features, Features]:
    """Logits of `RandomState(1)` and of `RandomState(2)` `.rand(clips, 16, 224, 224, 3)`, [clips, 400] each.

    The videos are passed to the network unchanged, as for the published check values of FVD. They are drawn one after
    the other, which yields the numbers of the whole array without keeping it in memory.
    """

    def drawn(seed: int) -> Iterator[torch.Tensor]:
        rng = np.random.RandomState(seed)  # the generator of the published values
        for _ in range(clips):
            video = rng.rand(16, SIZE, SIZE, 3).astype(np.float32)
            yield torch.from_numpy(video).permute(3, 0, 1, 2)[None]

    def logits(seed: int) -> Features:
        videos, parts = drawn(seed), []
        with task(f"I3D: clips of RandomState({seed})", clips) as progress:
            while few := list(islice(videos, 4)):
                parts += one_core_each(network.logits, few)
                progress.advance(len(few))
        return np.asarray(torch.cat(parts).cpu().numpy(), np.float32)

    return logits(1), logits(2)
